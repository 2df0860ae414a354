// Stands for libelastic_cuda.so and for the NVIDIA driver where there is no GPU: says of devices
// what FAKE_CUDA_VERSION and FAKE_CUDA_DEVICES say (a negative count: that CUDA error).

#include <cstdlib>
#include <cstring>

#include "engine/device/cuda_interface.h"

namespace {

int variable(const char* name, int otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::atoi(value);
}

}  // namespace

namespace elastic::engine {

int elastic_cuda_version() { return variable("FAKE_CUDA_VERSION", kCudaInterfaceVersion); }

int elastic_cuda_devices(CudaDeviceInfo* devices, int capacity, const char** problem) {
  const int count = variable("FAKE_CUDA_DEVICES", 1);
  *problem = "made up";
  for (int i = 0; i < count && i < capacity; ++i) {
    std::strcpy(devices[i].name, "Fake GPU");
    devices[i].major = 9, devices[i].minor = i;
    devices[i].total_bytes = std::int64_t{80} << 30;
    devices[i].free_bytes = std::int64_t{79} << 30;
  }
  return count;
}

const AttentionBackend* elastic_cuda_attention() { return nullptr; }

void elastic_cuda_step(StepKernels&) {}

}  // namespace elastic::engine
