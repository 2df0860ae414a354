#pragma once

// The decoder of engine/model/decoder.h as a differentiable function of a packed batch: same
// weights, same arithmetic, every document causal on its own. With routers every head runs full and
// sparse attention, and the routers' straight-through gates choose between the two
// (elastic_attention spec 4.1):
//   O_h = z_h O_full,h + (1 - z_h) O_sparse,h,   z = straight-through(softmax((logits + G)/tau))
//
//   const TrainingForward f = forward_packed(weights, rotary, batch, pass);
//   f.hidden  // [rows, hidden] before the final norm
//   f.gates   // [layers, documents, heads_kv], 1 = full

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "engine/model/rotary.h"
#include "engine/model/weights.h"
#include "engine/train/packed_batch.h"

namespace elastic::engine {

struct TrainingPass {
  at::ScalarType compute = at::kFloat;  // of products and attention; masters stay as they are
  bool recompute = true;                // per layer
  double tau = 1;
  at::Tensor noise;  // fp32 [layers, documents, heads_kv, 2], standard Gumbel; routers only
  const HeadMode* sparse = nullptr;  // of sparse heads, the batch's own; with gates only
  at::Tensor head_gates = {};        // fp32 [layers, heads_kv], leaf: the same for every document,
                                     // instead of routers
  bool keep_attention = true;        // with recompute: but for what full attention gave
};

struct TrainingForward {
  at::Tensor hidden;   // [rows, hidden]
  at::Tensor gates;    // [layers, documents, heads_kv], exactly 0 or 1; undefined without routers
  at::Tensor entropy;  // scalar: mean of -p log p of the full class; undefined without routers
};

/// `rotary` in the computation's dtype.
TrainingForward forward_packed(const DecoderWeights& weights, RotaryTable& rotary,
                               const PackedBatch& batch, const TrainingPass& pass);

/// Standard Gumbel noise of a place (layer, document, KV head, class) under a seed, on the CPU.
at::Tensor gumbel_noise(at::IntArrayRef shape, std::uint64_t seed);

/// Mean of the chosen keys of each document, rounded to the keys' dtype as KeyPool does:
/// [documents, heads_kv, head_dim] of keys [rows, heads_kv, head_dim] before RoPE.
at::Tensor pool_documents(const at::Tensor& keys, const PackedBatch& batch);

}  // namespace elastic::engine
