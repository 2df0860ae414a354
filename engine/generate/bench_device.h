#pragma once

// Where a bench of one part runs, and in which dtype.

#include <ATen/core/Tensor.h>

#include <string>

namespace elastic::engine {

struct BenchDevice {
  at::Device device = at::kCPU;
  at::ScalarType type = at::kFloat;

  std::string name() const { return device.is_cpu() ? "cpu" : device.str(); }
  std::string dtype() const { return type == at::kFloat ? "fp32" : "bf16"; }
  at::TensorOptions tensors() const { return at::TensorOptions(type).device(device); }
};

/// auto: fp32 on the CPU, bf16 on a GPU. kInvalidArgument for another dtype than these two, and as
/// resolve_device().
BenchDevice bench_device(const std::string& device, const std::string& dtype);

}  // namespace elastic::engine
