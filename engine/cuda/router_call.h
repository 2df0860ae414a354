#pragma once

// What the router kernel of libelastic_cuda.so takes: pointers, strides and counts, no LibTorch.
// bf16 throughout, sums fp32.

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include <cstdint>

namespace elastic::engine {

/// A linear map: [out, in] and [out].
struct RouterMap {
  const __nv_bfloat16 *weight = nullptr, *bias = nullptr;
};

/// Keys before RoPE of rows from `first` on; strides in elements.
struct RouterChunk {
  const __nv_bfloat16* keys = nullptr;
  std::int64_t row_stride = 0, head_stride = 0;
  std::int64_t first = std::int64_t{1} << 62;  // behind every prompt: not used
};

/// The router of one layer over one prompt: pooling of both windows and all maps.
struct RouterCall {
  RouterChunk chunks[4];  // in ascending order
  std::int64_t tokens = 0;
  std::int32_t window = 0;  // rows pooled at each end
  std::int32_t heads_kv = 0, head_dim = 0, wide = 0, outputs = 0;
  RouterMap maps[5];                // d -> wide -> d -> wide -> d -> outputs
  __nv_bfloat16* pooled = nullptr;  // [heads_kv, head_dim]
  float* logits = nullptr;          // [heads_kv, 2]
  std::uint8_t* is_sparse = nullptr;
};

/// head_dim 64 or 128, `wide` a multiple of it.
cudaError_t route_heads(const RouterCall& call, cudaStream_t stream);

}  // namespace elastic::engine
