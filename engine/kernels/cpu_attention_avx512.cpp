#include "engine/kernels/cpu_attention_sets.h"
#include "engine/kernels/decode_row.h"
#include "engine/kernels/prefill_tile.h"

namespace elastic::engine {

const CpuKernels kCpuKernelsAvx512 = {"avx512", PrefillTile<16>::scratch_floats,
                                      PrefillTile<16>::prefill, DecodeRow<16>::decode,
                                      DecodeRow<16>::join};

}  // namespace elastic::engine
