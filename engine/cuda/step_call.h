#pragma once

// What the kernels of a decode step take: pointers and counts, no LibTorch. Every number that
// changes from token to token is read from device memory. bf16 throughout, head_dim 64 or 128.

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include <cstdint>

#include "engine/kernels/kv_slot.h"

namespace elastic::engine {

struct StepShape {
  std::int32_t batch = 0, heads_q = 0, heads_kv = 0, head_dim = 0;
  const std::int32_t* positions = nullptr;  // [batch]
  const KvSlot* slots = nullptr;            // [batch, heads_kv]
};

/// Norms and rotates, appends to the cache (StepKernels::append). Null norms: none.
struct AppendCall {
  StepShape shape;
  const __nv_bfloat16* qkv = nullptr;  // [batch, (heads_q + 2 heads_kv) head_dim]
  const __nv_bfloat16 *q_norm = nullptr, *k_norm = nullptr;  // [head_dim]
  const __nv_bfloat16 *cos = nullptr, *sin = nullptr;        // [positions, head_dim / 2]
  __nv_bfloat16* q = nullptr;                                // [batch, heads_q, head_dim]
  float eps = 0;
};
cudaError_t append_step(const AppendCall& call, cudaStream_t stream);

/// Attention of the new rows over their caches, the keys of a head split over `splits` blocks.
struct DecodeCall {
  StepShape shape;
  const __nv_bfloat16* q = nullptr;  // [batch, heads_q, head_dim]
  __nv_bfloat16* out = nullptr;      // the same
  float* partials = nullptr;         // partial_floats() of them
  std::int32_t splits = 1;
  float scale = 0;
};
/// Blocks a KV head that keep `processors` multiprocessors busy.
std::int32_t decode_splits(const StepShape& shape, std::int32_t processors);
std::int64_t partial_floats(const DecodeCall& call);
cudaError_t decode_step(const DecodeCall& call, cudaStream_t stream);

/// out[r, i] = silu(x[r, i]) * x[r, n + i]; n a multiple of 8.
cudaError_t gate_rows(const __nv_bfloat16* x, __nv_bfloat16* out, std::int64_t rows, std::int64_t n,
                      cudaStream_t stream);

/// x [rows, heads, head_dim] -> out [heads, rows, head_dim], rotated; strides in elements.
struct RotateCall {
  const __nv_bfloat16* x = nullptr;
  std::int64_t x_row = 0, x_head = 0;
  __nv_bfloat16* out = nullptr;
  std::int64_t out_row = 0, out_head = 0;
  const __nv_bfloat16 *cos = nullptr, *sin = nullptr;  // [rows, head_dim / 2]
  std::int64_t rows = 0;
  std::int32_t heads = 0, head_dim = 0;
};
cudaError_t rotate_rows(const RotateCall& call, cudaStream_t stream);

}  // namespace elastic::engine
