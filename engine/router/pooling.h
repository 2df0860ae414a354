#pragma once

// Boundary pooling (elastic_attention spec 1.3): the mean over the first n and the last n token
// rows of a layer's keys before RoPE. Token t has weight [t < min(n, T)] + [t >= max(T - n, 0)],
// over 2 min(n, T): tokens in both windows count twice.
// Sums are fp32, the mean has the keys' dtype.
//
//   KeyPool pool(tokens);
//   for (each chunk) pool.add(keys, first_row);   // [rows, heads_kv, head_dim], any chunking
//   const at::Tensor pooled = pool.mean();        // [heads_kv, head_dim]

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace elastic::engine {

/// Rows at each end, as all published routers were trained.
inline constexpr std::int64_t kPoolRows = 100;

class KeyPool {
 public:
  /// `tokens`: length T of the whole prompt, known before the first chunk.
  explicit KeyPool(std::int64_t tokens, std::int64_t boundary = kPoolRows)
      : tokens_(tokens), boundary_(boundary) {}

  /// Keys of rows [first_row, first_row + keys.size(0)); rows outside both windows are not read.
  void add(const at::Tensor& keys, std::int64_t first_row);

  at::Tensor mean() const;

 private:
  void add_rows(const at::Tensor& keys, std::int64_t begin, std::int64_t end);

  std::int64_t tokens_, boundary_;
  at::Tensor sum_;  // fp32 [heads_kv, head_dim]
  at::ScalarType dtype_ = at::ScalarType::Float;
};

}  // namespace elastic::engine
