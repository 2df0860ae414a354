#pragma once

// Opens libelastic_cuda.so, the only part of the program that links LibTorch's CUDA half, where a
// GPU is present. The program itself therefore starts on machines
// without any CUDA installation. Torch-free.
//
//   const CudaLibrary& cuda = cuda_library();          // opened on first use, kept for the process
//   if (!cuda.devices.empty()) install_attention_backend(at::kCUDA, cuda.attention());
//   else log_info(cuda.problem);

#include <cstdint>
#include <string>
#include <vector>

namespace elastic::engine {

class AttentionBackend;  // engine/attention/attention_backend.h
struct StepKernels;      // engine/device/step_kernels.h

struct CudaDevice {
  std::string name, pci;     // address on the bus: "0000:17:00.0"
  int major = 0, minor = 0;  // compute capability
  std::int64_t total_bytes = 0, free_bytes = 0;
};

struct CudaLibrary {
  std::vector<CudaDevice> devices;  // empty where no GPU can be used
  std::string problem;              // then: why, and what to do about it
  bool broken = false;              // a driver is there, and still this program cannot use it
  /// The library's attention, kept for the process, and its other kernels; null without devices.
  const AttentionBackend* (*attention)() = nullptr;
  void (*step)(StepKernels& table) = nullptr;
};

/// Thread-safe; never throws. Once it returned devices, ATen operations
/// on CUDA tensors work in this process.
const CudaLibrary& cuda_library();

}  // namespace elastic::engine
