#include "engine/kernels/cpu_attention.h"

#include "engine/kernels/cpu_attention_sets.h"

namespace elastic::engine {

CpuKernelList all_cpu_kernels() {
  CpuKernelList list{};
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (fma && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) {
    list.sets[list.count++] = &kCpuKernelsAvx512;
  }
  if (fma) list.sets[list.count++] = &kCpuKernelsAvx2;
#endif
  list.sets[list.count++] = &kCpuKernelsPortable;
  return list;
}

const CpuKernels& cpu_kernels() {
  static const CpuKernels& best = *all_cpu_kernels().sets[0];
  return best;
}

}  // namespace elastic::engine
