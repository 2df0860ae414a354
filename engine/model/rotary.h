#pragma once

// Rotary position embedding in the half-split layout: dimension i is paired with i + d/2, and
//   out_i = x_i cos(p f_i) - x_{i+d/2} sin(p f_i),   out_{i+d/2} = x_{i+d/2} cos(p f_i) + x_i sin(p
//   f_i).
// Frequencies of the default, linear, llama3 and YaRN rules. Angles, cosines and sines are fp32,
// then rounded to the model's dtype.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "engine/config/model_config.h"

namespace elastic::engine {

/// f_i, fp32 [head_dim / 2], on the CPU.
at::Tensor rope_frequencies(const RopeConfig& config, std::int64_t head_dim);

/// cos and sin of all positions up to a bound that grows on demand.
class RotaryTable {
 public:
  RotaryTable(const RopeConfig& config, std::int64_t head_dim, at::ScalarType dtype,
              at::Device device);

  /// Makes positions [0, positions) available.
  void reserve(std::int64_t positions);

  /// [positions, head_dim / 2] in the model's dtype.
  const at::Tensor& cos() const { return cos_; }
  const at::Tensor& sin() const { return sin_; }

  /// Rotates x [rows, heads, head_dim], row r at position start + r, into out [heads, rows,
  /// head_dim]. Both contiguous in the last dimension, any other strides. Positions must be
  /// reserved.
  void rotate(const at::Tensor& x, std::int64_t start, at::Tensor out) const;

 private:
  at::Tensor frequencies_;
  double attention_factor_;
  at::ScalarType dtype_;
  at::Device device_;
  at::Tensor cos_, sin_;
};

}  // namespace elastic::engine
