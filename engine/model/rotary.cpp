#include "engine/model/rotary.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <c10/util/BFloat16.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "engine/device/step_kernels.h"

namespace elastic::engine {
namespace {

// theta^(2i/d) in fp32, i = 0 .. d/2-1: the arithmetic that checkpoints were trained with.
at::Tensor wavelengths_over_2pi(double theta, std::int64_t head_dim) {
  const at::Tensor exponents =
      at::arange(0, head_dim, 2, at::TensorOptions().dtype(at::kLong)).to(at::kFloat) / head_dim;
  return at::pow(theta, exponents);
}

at::Tensor llama3_frequencies(const RopeConfig& config, const at::Tensor& plain) {
  const auto original = static_cast<double>(config.original_max_positions);
  const at::Tensor wavelength = 2 * std::numbers::pi / plain;
  const at::Tensor scaled = plain / config.factor;
  const at::Tensor smooth = (original / wavelength - config.low_freq_factor) /
                            (config.high_freq_factor - config.low_freq_factor);
  const at::Tensor blended = (1 - smooth) * scaled + smooth * plain;
  const at::Tensor low = at::where(wavelength > original / config.low_freq_factor, scaled, blended);
  return at::where(wavelength < original / config.high_freq_factor, plain, low);
}

at::Tensor yarn_frequencies(const RopeConfig& config, std::int64_t head_dim,
                            const at::Tensor& powers) {
  const auto dim = static_cast<double>(head_dim);
  const auto correction = [&](double rotations) {
    return dim *
           std::log(static_cast<double>(config.original_max_positions) /
                    (rotations * 2 * std::numbers::pi)) /
           (2 * std::log(config.theta));
  };
  double low = correction(config.beta_fast), high = correction(config.beta_slow);
  if (config.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1);
  if (low == high) high += 0.001;
  const at::Tensor dims = at::arange(head_dim / 2, at::TensorOptions().dtype(at::kFloat));
  const at::Tensor ramp = at::clamp((dims - low) / (high - low), 0, 1);
  const at::Tensor keep = 1 - ramp;
  return 1.0 / (config.factor * powers) * (1 - keep) + 1.0 / powers * keep;
}

template <typename T>
void rotate_rows(const at::Tensor& x, const T* cos, const T* sin, at::Tensor& out) {
  const std::int64_t rows = x.size(0), heads = x.size(1), half = x.size(2) / 2;
  const T* source = x.const_data_ptr<T>();
  T* target = out.data_ptr<T>();
  const std::int64_t xr = x.stride(0), xh = x.stride(1), oh = out.stride(0), orow = out.stride(1);
  constexpr std::int64_t kGrainElements = 1 << 15;
  const std::int64_t grain = std::max<std::int64_t>(1, kGrainElements / (2 * half * heads));
  at::parallel_for(0, rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* c = cos + row * half;
      const T* s = sin + row * half;
      for (std::int64_t head = 0; head < heads; ++head) {
        const T* in = source + row * xr + head * xh;
        T* o = target + head * oh + row * orow;
        for (std::int64_t i = 0; i < half; ++i) {
          const auto a = static_cast<float>(in[i]), b = static_cast<float>(in[i + half]);
          const auto ci = static_cast<float>(c[i]), si = static_cast<float>(s[i]);
          o[i] = static_cast<T>(a * ci - b * si);
          o[i + half] = static_cast<T>(b * ci + a * si);
        }
      }
    }
  });
}

}  // namespace

at::Tensor rope_frequencies(const RopeConfig& config, std::int64_t head_dim) {
  const at::Tensor powers = wavelengths_over_2pi(config.theta, head_dim);
  const at::Tensor plain = 1.0 / powers;
  switch (config.type) {
    case RopeType::kDefault:
      return plain;
    case RopeType::kLinear:
      return plain / config.factor;
    case RopeType::kLlama3:
      return llama3_frequencies(config, plain);
    case RopeType::kYarn:
      return yarn_frequencies(config, head_dim, powers);
    case RopeType::kFactors:
      return plain / at::tensor(config.factors, at::kFloat);
  }
  return plain;
}

RotaryTable::RotaryTable(const RopeConfig& config, std::int64_t head_dim, at::ScalarType dtype,
                         at::Device device)
    : frequencies_(rope_frequencies(config, head_dim).to(device)),
      attention_factor_(config.attention_factor),
      dtype_(dtype),
      device_(device) {}

void RotaryTable::reserve(std::int64_t positions) {
  const std::int64_t have = cos_.defined() ? cos_.size(0) : 0;
  if (positions <= have) return;
  const std::int64_t size = std::max({positions, have * 2, std::int64_t{2048}});
  const at::Tensor index = at::arange(size, at::TensorOptions().dtype(at::kLong).device(device_))
                               .to(at::kFloat)
                               .unsqueeze(1);
  const at::Tensor angles = index * frequencies_;  // [positions, head_dim / 2]
  cos_ = (at::cos(angles) * attention_factor_).to(dtype_);
  sin_ = (at::sin(angles) * attention_factor_).to(dtype_);
}

void RotaryTable::rotate(const at::Tensor& x, std::int64_t start, at::Tensor out) const {
  const std::int64_t rows = x.size(0), half = x.size(2) / 2;
  check(start + rows <= cos_.size(0), "rotary positions are reserved");
  const at::Tensor c = cos_.narrow(0, start, rows), s = sin_.narrow(0, start, rows);
  if (x.is_cpu() && x.scalar_type() == at::kFloat) {
    rotate_rows<float>(x, c.const_data_ptr<float>(), s.const_data_ptr<float>(), out);
  } else if (x.is_cpu() && x.scalar_type() == at::kBFloat16) {
    rotate_rows<at::BFloat16>(x, c.const_data_ptr<at::BFloat16>(), s.const_data_ptr<at::BFloat16>(),
                              out);
  } else if (const auto kernel = step_kernels(x.device().type()).rotate;
             kernel != nullptr && x.scalar_type() == at::kBFloat16 && half % 8 == 0) {
    kernel(x, c, s, out);
  } else {
    const at::Tensor by_head = x.transpose(0, 1);  // [heads, rows, head_dim]
    const at::Tensor a = by_head.narrow(2, 0, half), b = by_head.narrow(2, half, half);
    at::Tensor first = out.narrow(2, 0, half), second = out.narrow(2, half, half);
    at::mul_out(first, a, c).addcmul_(b, s, -1);
    at::mul_out(second, b, c).addcmul_(a, s);
  }
}

}  // namespace elastic::engine
