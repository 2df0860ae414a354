#include "engine/model/norm.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/rms_norm.h>
#include <c10/util/BFloat16.h>

#include <cmath>

#include "base/error.h"

namespace elastic::engine {
namespace {

constexpr int kLanes =
    16;  // independent partial sums, so that the compiler can use vector registers

template <typename T>
float mean_square(const T* x, std::int64_t n) {
  float lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const auto value = static_cast<float>(x[i + lane]);
      lanes[lane] += value * value;
    }
  }
  float sum = 0;
  for (; i < n; ++i) sum += static_cast<float>(x[i]) * static_cast<float>(x[i]);
  for (const float lane : lanes) sum += lane;
  return sum / static_cast<float>(n);
}

template <typename T>
void norm_rows(const at::Tensor& x, const at::Tensor& weight, float eps, at::Tensor& out) {
  const std::int64_t n = x.size(-1);
  const std::int64_t inner = x.dim() > 2 ? x.size(1) : 1;
  const std::int64_t rows = x.numel() / n;
  const T* source = x.const_data_ptr<T>();
  const T* scale = weight.const_data_ptr<T>();
  T* target = out.data_ptr<T>();
  const std::int64_t outer_stride = x.dim() > 1 ? x.stride(0) : 0;
  const std::int64_t inner_stride = x.dim() > 2 ? x.stride(1) : 0;
  constexpr std::int64_t kGrainElements = 1 << 15;
  at::parallel_for(
      0, rows, std::max<std::int64_t>(1, kGrainElements / n),
      [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          const T* in = source + (row / inner) * outer_stride + (row % inner) * inner_stride;
          T* o = target + row * n;
          const float factor = 1.0f / std::sqrt(mean_square(in, n) + eps);
          for (std::int64_t i = 0; i < n; ++i) {
            const T rounded = static_cast<T>(static_cast<float>(in[i]) * factor);
            o[i] = static_cast<T>(static_cast<float>(rounded) * static_cast<float>(scale[i]));
          }
        }
      });
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  check(x.dim() <= 3 && x.stride(-1) == 1,
        "rms_norm: at most three dimensions, last one contiguous");
  if (!x.is_cpu()) {
    // One fused kernel: fp32 inside, rounded once (the CPU path rounds before the weight as well).
    return at::rms_norm(x, weight.sizes(), weight, eps);
  }
  at::Tensor out = at::empty(x.sizes(), x.options());
  if (x.numel() == 0) return out;
  if (x.scalar_type() == at::kFloat) {
    norm_rows<float>(x, weight, static_cast<float>(eps), out);
  } else {
    check(x.scalar_type() == at::kBFloat16, "rms_norm: fp32 or bf16");
    norm_rows<at::BFloat16>(x, weight, static_cast<float>(eps), out);
  }
  return out;
}

}  // namespace elastic::engine
