#include "engine/device/device.h"

#include <fmt/format.h>

#include "base/error.h"
#include "engine/attention/attention_backend.h"
#include "engine/device/cuda_library.h"
#include "engine/device/memory_meter.h"
#include "engine/device/step_kernels.h"

namespace elastic::engine {

c10::Device resolve_device(const std::string& name) {
  count_cpu_memory();
  if (name == "cpu") return c10::kCPU;
  if (name != "cuda" && name != "auto") {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("device `{}`; known: auto, cpu, cuda", name));
  }
  const CudaLibrary& cuda = cuda_library();
  if (!cuda.devices.empty()) {
    install_attention_backend(at::kCUDA, cuda.attention());
    cuda.step(step_kernels(at::kCUDA));
    return {c10::kCUDA, 0};
  }
  if (name == "auto") return c10::kCPU;
  throw Error(ErrorKind::kDevice, fmt::format("device `cuda`: {}", cuda.problem));
}

std::string describe_accelerator() {
  const CudaLibrary& cuda = cuda_library();
  if (cuda.devices.empty()) return fmt::format("none ({})", cuda.problem);
  const CudaDevice& device = cuda.devices.front();
  return fmt::format("{}, compute capability {}.{}", device.name, device.major, device.minor);
}

}  // namespace elastic::engine
