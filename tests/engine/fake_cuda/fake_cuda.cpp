// Stands for libelastic_cuda.so, the NVIDIA driver and its management library where there is no
// GPU: says of devices what FAKE_CUDA_VERSION and FAKE_CUDA_DEVICES say (a negative count: that
// CUDA error), and of the one at 0000:17:00.0 what FAKE_NVML_... say (a negative one: refused).

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
    std::strcpy(devices[i].pci, "0000:17:00.0");
    devices[i].major = 9, devices[i].minor = i;
    devices[i].total_bytes = std::int64_t{80} << 30;
    devices[i].free_bytes = std::int64_t{79} << 30;
  }
  return count;
}

const AttentionBackend* elastic_cuda_attention() { return nullptr; }

void elastic_cuda_step(StepKernels&) {}

}  // namespace elastic::engine

namespace {

template <typename Number>
int answer(const char* name, int otherwise, Number* value) {
  constexpr int kRefused = 3;
  const int said = variable(name, otherwise);
  if (said < 0) return kRefused;
  *value = static_cast<Number>(said);
  return 0;
}

}  // namespace

extern "C" {

int nvmlInit_v2() { return variable("FAKE_NVML_INIT", 0); }
int nvmlDeviceGetHandleByPciBusId_v2(const char* pci, void** device) {
  *device = nullptr;
  return std::strcmp(pci, "0000:17:00.0") == 0 ? 0 : 6;
}
int nvmlDeviceGetClockInfo(void*, int kind, unsigned* mhz) {
  return answer("FAKE_NVML_CLOCK", 1500 + kind, mhz);
}
int nvmlDeviceGetMaxClockInfo(void*, int kind, unsigned* mhz) {
  return answer("FAKE_NVML_MOST_CLOCK", 1980 + kind, mhz);
}
int nvmlDeviceGetPowerUsage(void*, unsigned* milliwatts) {
  return answer("FAKE_NVML_POWER", 690500, milliwatts);
}
int nvmlDeviceGetEnforcedPowerLimit(void*, unsigned* milliwatts) {
  return answer("FAKE_NVML_POWER_LIMIT", 700000, milliwatts);
}
int nvmlDeviceGetTemperature(void*, int, unsigned* celsius) {
  return answer("FAKE_NVML_TEMPERATURE", 64, celsius);
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void*, unsigned long long* bits) {
  return answer("FAKE_NVML_REASONS", 4, bits);
}
int nvmlDeviceGetTotalEnergyConsumption(void*, unsigned long long* millijoules) {
  return answer("FAKE_NVML_ENERGY", 123456, millijoules);
}
int nvmlDeviceGetComputeRunningProcesses_v3(void*, unsigned* count, void*) {
  return answer("FAKE_NVML_PROCESSES", 1, count);
}
}
