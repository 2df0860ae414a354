#pragma once

// Programmatic dependent launch, compute capability 9.0 and up: a kernel may begin while the one
// before it in the stream still runs, and reads what that one writes after wait_for_inputs().
// Elsewhere kernels run one after the other and the two functions do nothing.

#include <cuda_runtime_api.h>

namespace elastic::engine {

/// Everything that earlier kernels of the stream write is there.
__device__ inline void wait_for_inputs() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;\n" ::: "memory");
#endif
}

/// The next kernel may begin, once all blocks of this one say so or have ended. It comes first in a
/// kernel: whatever begins early waits for all that was before it, and weights load meanwhile.
__device__ inline void let_next_begin() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;\n");
#endif
}

struct LaunchSize {
  dim3 blocks;
  unsigned threads = 0;
  unsigned shared_bytes = 0;
  unsigned cluster = 1;  // thread blocks of one
};

/// Starts a kernel that calls wait_for_inputs() before it reads or writes what others do.
template <typename... Parameters, typename... Arguments>
cudaError_t launch_dependent(void (*kernel)(Parameters...), const LaunchSize& size,
                             cudaStream_t stream, const Arguments&... arguments) {
  int device = 0, major = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
  }
  if (error != cudaSuccess) return error;
  cudaLaunchAttribute attributes[2]{};
  attributes[0].id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attributes[0].val.programmaticStreamSerializationAllowed = 1;
  attributes[1].id = cudaLaunchAttributeClusterDimension;
  attributes[1].val.clusterDim.x = size.cluster;
  attributes[1].val.clusterDim.y = attributes[1].val.clusterDim.z = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = size.blocks;
  config.blockDim = dim3(size.threads);
  config.dynamicSmemBytes = size.shared_bytes;
  config.stream = stream;
  config.attrs = attributes;
  config.numAttrs = major >= 9 ? (size.cluster > 1 ? 2 : 1) : 0;
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

}  // namespace elastic::engine
