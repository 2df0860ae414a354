#pragma once

// The pre-norm grouped-query decoder that all families share:
//   x += o(attention(norm(x)));  x += down(silu(gate(norm(x))) * up(norm(x)))
// Prefill is layer-major: one layer over the whole prompt, row-chunked inside, then the next. So a
// head policy sees the real first and last keys at any length (of a prompt in chunks they are made
// ahead), each row is normed and projected once, and peak memory is K/V, one activation of the
// prompt and the temporaries of one chunk, or of the attention of all rows where a mode asks for
// whole prompts. Works on any ATen device.
//
//   Decoder decoder(std::move(weights), 0);
//   Sequence sequence = decoder.start(ids.size() + 32);
//   at::Tensor hidden = decoder.prefill(sequence, ids, attention, clock);
//   at::Tensor logits = decoder.logits(hidden.narrow(0, hidden.size(0) - 1, 1));

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/attention/attention_plan.h"
#include "engine/attention/decode_reads.h"
#include "engine/attention/sparsity.h"
#include "engine/device/stage_clock.h"
#include "engine/model/kv_cache.h"
#include "engine/model/layer_router.h"
#include "engine/model/rotary.h"
#include "engine/model/weights.h"

namespace elastic::engine {

/// One request's state.
struct Sequence {
  KvCache cache;
  std::int64_t tokens = 0;              // positions stored so far (in prefill: the whole prompt)
  std::vector<HeadDecision> decisions;  // one a layer, taken in prefill
  std::vector<HeadState> states;        // one a layer, of modes that keep something
  SparsityMeter sparsity;               // of the prefill
  DecodeReads reads;                    // of the steps after it
};

/// Where rows of a prompt stand.
struct LayerPlace {
  std::int64_t layer = 0, start = 0;  // position of the first row
};

/// Cuts the cache of the heads in the sparse mode once it holds their decode window. Nothing where
/// the plan keeps caches whole, or only the device knows which heads these are.
void cut_cache(Sequence& sequence, std::int64_t layer, const AttentionPlan& plan,
               std::int64_t tokens);

/// A step that read all that the sequence's caches hold is over.
void end_whole_step(Sequence& sequence);

/// Called in prefill with the activations [tokens, hidden] before layer `layer` (0 = the
/// embedding).
using HiddenObserver = std::function<void(std::int64_t layer, const at::Tensor& x)>;

class Decoder {
 public:
  /// `chunk_rows`: rows of a prefill chunk, rounded up to kMaskBlock; 0 = as many as keep a chunk's
  /// temporaries near 512 MiB (2 GiB on a GPU).
  Decoder(DecoderWeights weights, std::int64_t chunk_rows);

  const ModelConfig& config() const { return weights_.config; }
  const DecoderWeights& weights() const { return weights_; }
  const RotaryTable& rotary() const { return rotary_; }
  void reserve_positions(std::int64_t positions) { rotary_.reserve(positions); }
  at::Device device() const { return weights_.embedding.device(); }
  at::ScalarType dtype() const { return weights_.embedding.scalar_type(); }

  /// An empty sequence whose cache starts with room for `expected_tokens`.
  Sequence start(std::int64_t expected_tokens) const;

  /// Runs the prompt through all layers; returns the activations [tokens, hidden] before the final
  /// norm.
  at::Tensor prefill(Sequence& sequence, std::span<const std::int32_t> ids,
                     const AttentionPlan& plan, StageClock& clock,
                     const HiddenObserver& observe = {});

  /// The first `layers` layers of a prefill without the attention of the last of them: what their
  /// policies decided.
  std::vector<HeadDecision> decide(std::span<const std::int32_t> ids, const AttentionPlan& plan,
                                   std::int64_t layers);

  /// What rows [start, start + rows) of a prompt ask of a layer that holds all of its keys; `part`
  /// [rows, hidden]: the activations before that layer.
  AttentionInput attention_input(const Sequence& sequence, std::int64_t layer, std::int64_t start,
                                 const at::Tensor& part) const;

  /// Appends one token to each sequence (weights are read once for all of them); activations
  /// [sequences, hidden] before the final norm. Every head attends to all its cache holds.
  at::Tensor step(std::span<Sequence* const> sequences, std::span<const std::int32_t> ids,
                  const AttentionPlan& plan);

  /// Final norm, rows [n, hidden].
  at::Tensor final_norm(const at::Tensor& x) const;
  /// Final norm and output head: [n, vocab] in the model's dtype.
  at::Tensor logits(const at::Tensor& x) const;

 private:
  at::Tensor embed(std::span<const std::int32_t> ids) const;
  at::Tensor begin_prefill(Sequence& sequence, std::span<const std::int32_t> ids);
  LayerRouter router_of(std::int64_t layer, std::int64_t tokens, const AttentionPlan& plan,
                        StageClock& clock) const;
  HeadDecision decide_ahead(std::int64_t layer, const at::Tensor& x, const AttentionPlan& plan,
                            StageClock& clock) const;
  void run_layer(Sequence& sequence, std::int64_t layer, at::Tensor& x, const AttentionPlan& plan,
                 StageClock& clock);
  AttentionInput input_at(const LayerPlace& place, const at::Tensor& rows,
                          const KvView& cached) const;
  AttentionInput project(Sequence& sequence, const LayerPlace& place, const at::Tensor& part,
                         const AttentionPlan& plan, LayerRouter* router) const;
  void attend_chunk(Sequence& sequence, const AttentionInput& input, at::Tensor& part,
                    const AttentionPlan& plan, StageClock& clock);
  void evict(Sequence& sequence, const AttentionInput& rows, const AttentionPlan& plan,
             StageClock& clock) const;
  void select_and_attend(Sequence& sequence, AttentionInput input, const at::Tensor& out,
                         const AttentionPlan& plan) const;
  void step_layer(std::span<Sequence* const> sequences, std::int64_t layer, at::Tensor& x,
                  const AttentionPlan& plan);

  DecoderWeights weights_;
  RotaryTable rotary_;
  std::int64_t chunk_rows_;
};

}  // namespace elastic::engine
