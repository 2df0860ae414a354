#include "engine/cuda/cuda_devices.h"

#include <c10/cuda/CUDAException.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "engine/device/cuda_interface.h"

namespace elastic::engine {
namespace {

cudaError_t read_device(int index, CudaDeviceInfo& info) {
  cudaDeviceProp properties{};
  if (const cudaError_t error = cudaGetDeviceProperties(&properties, index); error != cudaSuccess)
    return error;
  std::memcpy(info.name, properties.name, sizeof(info.name));
  info.major = properties.major;
  info.minor = properties.minor;
  if (const cudaError_t error = cudaDeviceGetPCIBusId(info.pci, sizeof(info.pci), index);
      error != cudaSuccess) {
    return error;
  }
  std::size_t free_bytes = 0, total_bytes = 0;
  if (const cudaError_t error = cudaSetDevice(index); error != cudaSuccess) return error;
  const cudaError_t error = cudaMemGetInfo(&free_bytes, &total_bytes);
  info.free_bytes = static_cast<std::int64_t>(free_bytes);
  info.total_bytes = static_cast<std::int64_t>(total_bytes);
  return error;
}

}  // namespace

bool runs_on_hopper() {
  static const bool hopper = [] {
    const char* portable = std::getenv("ELASTIC_PORTABLE_KERNELS");
    int device = 0, major = 0, minor = 0;
    C10_CUDA_CHECK(cudaGetDevice(&device));
    C10_CUDA_CHECK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
    C10_CUDA_CHECK(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device));
    return major == 9 && minor == 0 && (portable == nullptr || *portable != '1');
  }();
  return hopper;
}

extern "C" int elastic_cuda_version() { return kCudaInterfaceVersion; }

extern "C" int elastic_cuda_devices(CudaDeviceInfo* devices, int capacity, const char** problem) {
  int count = 0;
  cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorNoDevice) return 0;
  for (int i = std::min(count, capacity) - 1; i >= 0 && error == cudaSuccess; --i) {
    error = read_device(i, devices[i]);  // downwards, so that device 0 stays the current one
  }
  if (error == cudaSuccess) return count;
  *problem = cudaGetErrorString(error);
  return -static_cast<int>(error);
}

}  // namespace elastic::engine
