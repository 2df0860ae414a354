#include "engine/kernels/cpu_attention_sets.h"
#include "engine/kernels/decode_row.h"
#include "engine/kernels/prefill_tile.h"

namespace elastic::engine {

const CpuKernels kCpuKernelsPortable = {"portable", PrefillTile<4>::scratch_floats,
                                        PrefillTile<4>::prefill, DecodeRow<4>::decode,
                                        DecodeRow<4>::join};

}  // namespace elastic::engine
