#pragma once

// Keys and values of a prefill task as panels for vectors of W floats: 2 W keys, or 2 W value
// columns, wide.

#include "engine/kernels/cpu_attention.h"
#include "engine/kernels/simd.h"

namespace elastic::engine {
namespace {

template <int W>
struct Panels {
  using V = Simd<W>;
  static constexpr std::int64_t kPanel = 2 * W;

  // Keys [begin, begin + n) as panels [ceil(n / kPanel)][head_dim][kPanel], zeros behind the last
  // key.
  template <typename T>
  static void pack_keys(const PrefillTask& task, std::int64_t begin, std::int64_t n, float* out) {
    const T* keys = static_cast<const T*>(task.k.data) + begin * task.k.stride;
    const std::int64_t d = task.head_dim;
    for (std::int64_t p = 0; p < n; p += kPanel, out += d * kPanel) {
      std::int64_t i = 0;
      for (; i + 4 <= smaller(n - p, kPanel); i += 4) {
        transpose_4(keys + (p + i) * task.k.stride, task.k.stride, d, out + i);
      }
      for (; i < kPanel; ++i) {
        const T* key = keys + (p + i) * task.k.stride;
        for (std::int64_t c = 0; c < d; ++c) out[c * kPanel + i] = p + i < n ? widen(key[c]) : 0.0f;
      }
    }
  }

  // Four rows of d values into columns of a panel.
  template <typename T>
  static void transpose_4(const T* rows, std::int64_t stride, std::int64_t d, float* out) {
    using V4 = Simd<4>;
    std::int64_t c = 0;
    for (; c + 4 <= d; c += 4) {
      const auto a = V4::load(rows + c), b = V4::load(rows + stride + c);
      const auto e = V4::load(rows + 2 * stride + c), f = V4::load(rows + 3 * stride + c);
      const auto ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5);
      const auto ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
      const auto ef0 = __builtin_shufflevector(e, f, 0, 4, 1, 5);
      const auto ef1 = __builtin_shufflevector(e, f, 2, 6, 3, 7);
      V4::store(out + c * kPanel, __builtin_shufflevector(ab0, ef0, 0, 1, 4, 5));
      V4::store(out + (c + 1) * kPanel, __builtin_shufflevector(ab0, ef0, 2, 3, 6, 7));
      V4::store(out + (c + 2) * kPanel, __builtin_shufflevector(ab1, ef1, 0, 1, 4, 5));
      V4::store(out + (c + 3) * kPanel, __builtin_shufflevector(ab1, ef1, 2, 3, 6, 7));
    }
    for (; c < d; ++c) {
      for (std::int64_t i = 0; i < 4; ++i) out[c * kPanel + i] = widen(rows[i * stride + c]);
    }
  }

  // Values of the same keys as panels [padded(head_dim) / kPanel][n][kPanel], zeros behind
  // head_dim.
  template <typename T>
  static void pack_values(const PrefillTask& task, std::int64_t begin, std::int64_t n, float* out) {
    const T* values = static_cast<const T*>(task.v.data) + begin * task.v.stride;
    for (std::int64_t c = 0; c < task.head_dim; c += kPanel) {
      const std::int64_t width = smaller(kPanel, task.head_dim - c);
      for (std::int64_t i = 0; i < n; ++i, out += kPanel) {
        const T* row = values + i * task.v.stride + c;
        if (width == kPanel) {
          V::store(out, V::load(row));
          V::store(out + W, V::load(row + W));
          continue;
        }
        for (std::int64_t j = 0; j < kPanel; ++j) out[j] = j < width ? widen(row[j]) : 0.0f;
      }
    }
  }
};

}  // namespace
}  // namespace elastic::engine
