#pragma once

// What the kernels of a decode step take: pointers and counts, no LibTorch. Every number that
// changes from token to token is read from device memory. bf16 throughout, head_dim 64 or 128.

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include <cstdint>

#include "engine/kernels/kv_slot.h"
#include "engine/kernels/step_linear.h"

namespace elastic::engine {

struct StepShape {
  std::int32_t batch = 0, heads_q = 0, heads_kv = 0, head_dim = 0;
  const std::int32_t* positions = nullptr;  // [batch]; negative: a row without a sequence
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

/// Where steps choose pages (KvSlot::pages).
struct PageSpace {
  std::int32_t room = 0;          // pages of a cache at most, a multiple of 32; 0: no head chooses
  float* scores = nullptr;        // [batch, heads_q, room]
  std::uint32_t* bits = nullptr;  // [batch, heads_q, room / 32]: bit b of word w is page 32 w + b
  std::int32_t* keys = nullptr;   // [batch, heads_kv]: how many a KV head reads, out
};

/// The pages that each query head reads, by q and the bounds, into `bits`: the best scores, of
/// equal ones the first.
struct PageCall {
  StepShape shape;
  const __nv_bfloat16* q = nullptr;  // [batch, heads_q, head_dim]
  PageSpace pages;
};
cudaError_t choose_pages(const PageCall& call, cudaStream_t stream);

/// Attention of the new rows over their caches, or the pages chosen of them. How the keys of a head
/// are split depends on their number alone, so that a sequence's result does not depend on the rest
/// of the batch.
struct DecodeCall {
  StepShape shape;
  const __nv_bfloat16* q = nullptr;  // [batch, heads_q, head_dim]
  __nv_bfloat16* out = nullptr;      // the same
  float* partials = nullptr;         // partial_floats() of them
  float scale = 0;
  PageSpace pages;
};
std::int64_t partial_floats(const DecodeCall& call);
cudaError_t decode_step(const DecodeCall& call, cudaStream_t stream);

/// A product of a step; at most kStepRows rows, `in` a multiple of kStepInner.
struct LinearCall {
  const __nv_bfloat16* x = nullptr;       // [rows, in]
  const __nv_bfloat16* weight = nullptr;  // [out, in]; kGate: [2 out, in]
  const __nv_bfloat16* bias = nullptr;    // of every output, or null
  __nv_bfloat16* y = nullptr;             // [rows, out]
  std::int32_t rows = 0, in = 0, out = 0;
  LinearEnd end = LinearEnd::kStore;
};
cudaError_t linear_step(const LinearCall& call, cudaStream_t stream);

/// The same for Hopper and weights of at least so many elements (kGate: of either half); below, its
/// start costs more than it brings.
inline constexpr std::int64_t kLeastHopperWeight = std::int64_t{1} << 21;
cudaError_t linear_hopper(const LinearCall& call, cudaStream_t stream);

/// out = weight * x / rms(x), fp32 inside, of rows [rows, width]; width a multiple of 8.
struct NormCall {
  const __nv_bfloat16 *x = nullptr, *weight = nullptr;
  __nv_bfloat16* out = nullptr;
  std::int32_t rows = 0, width = 0;
  float eps = 0;
};
cudaError_t norm_step(const NormCall& call, cudaStream_t stream);

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
