#pragma once

// The C functions that libelastic_cuda.so exports and cuda_library.cpp looks up by name.

#include <cstdint>

namespace elastic::engine {

class AttentionBackend;
struct StepKernels;

inline constexpr int kCudaInterfaceVersion = 7;

struct CudaDeviceInfo {
  char name[256];
  char pci[32];  // "0000:17:00.0"
  int major, minor;
  std::int64_t total_bytes, free_bytes;
};

extern "C" {

/// kCudaInterfaceVersion of the library.
int elastic_cuda_version();

/// Fills up to `capacity` devices and returns how many there are; on failure a negative CUDA error
/// code and the driver's words in `problem`.
int elastic_cuda_devices(CudaDeviceInfo* devices, int capacity, const char** problem);

/// Attention of CUDA tensors, kept for the process.
const AttentionBackend* elastic_cuda_attention();

void elastic_cuda_step(StepKernels& table);
}

}  // namespace elastic::engine
