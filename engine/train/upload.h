#pragma once

// A tensor of the host on its way to the device, without waiting for it.

#include <ATen/core/Tensor.h>

namespace elastic::engine {

inline at::Tensor upload(const at::Tensor& host, at::Device device) {
  if (!host.defined() || device.is_cpu()) return host;
  return host.pin_memory().to(device, true);
}

}  // namespace elastic::engine
