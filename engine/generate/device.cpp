#include "engine/generate/device.h"

#include <ATen/Context.h>
#include <fmt/format.h>

#include "base/error.h"

namespace elastic::engine {

c10::Device resolve_device(const std::string& name) {
  if (name == "cpu") return c10::kCPU;
  if (name != "cuda" && name != "auto") {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("device `{}`; known: auto, cpu, cuda", name));
  }
  if (at::globalContext().hasCUDA()) return {c10::kCUDA, 0};
  if (name == "auto") return c10::kCPU;
  throw Error(ErrorKind::kDevice, "device `cuda`: no GPU is available to this program");
}

std::string describe_accelerator() { return at::globalContext().hasCUDA() ? "cuda:0" : "none"; }

}  // namespace elastic::engine
