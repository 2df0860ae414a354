#pragma once

// Tensors of stored expectations, and the attention input that their q, k, v are.

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/attention/head_mode.h"
#include "engine/io/safetensors.h"

namespace elastic::testing {

inline at::Tensor floats(const engine::SafetensorsFile& file, const std::string& name) {
  const engine::TensorView& view = file.at(name);
  const std::vector<float> values = engine::float_values(view);
  at::Tensor tensor = at::empty(view.shape, at::kFloat);
  if (!values.empty()) {
    std::memcpy(tensor.mutable_data_ptr<float>(), values.data(), values.size() * sizeof(float));
  }
  return tensor;
}

template <typename Stored>
std::vector<std::int64_t> integers_as(const engine::TensorView& view) {
  std::vector<Stored> values(view.bytes.size() / sizeof(Stored));
  if (!values.empty()) std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
  return {values.begin(), values.end()};
}

inline std::vector<std::int64_t> integers(const engine::TensorView& view) {
  switch (engine::item_size(view.type)) {
    case 8:
      return integers_as<std::int64_t>(view);
    case 4:
      return integers_as<std::int32_t>(view);
    case 1:
      return integers_as<std::uint8_t>(view);
    default:
      throw std::runtime_error(view.name + ": not stored as these integers");
  }
}

/// Query rows at the end of the keys, scale 1/sqrt(d).
inline engine::AttentionInput input_of(const at::Tensor& q, const at::Tensor& k,
                                       const at::Tensor& v) {
  return {q, k, v, k.size(1) - q.size(1), 1 / std::sqrt(static_cast<double>(q.size(2)))};
}

}  // namespace elastic::testing
