#pragma once

// The instruction sets that cpu_attention.h chooses from; each is one source compiled for it. On
// other processors than x86-64 only the portable one is built with vectors the compiler may use.

#include "engine/kernels/cpu_attention.h"

namespace elastic::engine {

extern const CpuKernels kCpuKernelsPortable;  // vectors of 4 floats
extern const CpuKernels kCpuKernelsAvx2;      // 8, with fused multiply-add
extern const CpuKernels kCpuKernelsAvx512;    // 16

}  // namespace elastic::engine
