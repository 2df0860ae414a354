#include "engine/device/step_kernels.h"

#include <array>

namespace elastic::engine {

StepKernels& step_kernels(at::DeviceType type) {
  static std::array<StepKernels, at::COMPILE_TIME_MAX_DEVICE_TYPES> tables;
  return tables[static_cast<std::size_t>(type)];
}

}  // namespace elastic::engine
