#include "engine/generate/bench_device.h"

#include <fmt/format.h>

#include "base/error.h"
#include "engine/device/device.h"

namespace elastic::engine {

BenchDevice bench_device(const std::string& device, const std::string& dtype) {
  const at::Device where = resolve_device(device);
  const bool wide = dtype == "fp32" || (dtype == "auto" && where.is_cpu());
  if (!wide && dtype != "bf16" && dtype != "auto") {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("dtype `{}`; known: auto, fp32, bf16", dtype));
  }
  return {where, wide ? at::kFloat : at::kBFloat16};
}

}  // namespace elastic::engine
