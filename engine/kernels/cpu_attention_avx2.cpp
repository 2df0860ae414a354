#include "engine/kernels/cpu_attention_sets.h"
#include "engine/kernels/decode_row.h"
#include "engine/kernels/prefill_tile.h"

namespace elastic::engine {

const CpuKernels kCpuKernelsAvx2 = {"avx2", PrefillTile<8>::scratch_floats, PrefillTile<8>::prefill,
                                    DecodeRow<8>::decode, DecodeRow<8>::join};

}  // namespace elastic::engine
