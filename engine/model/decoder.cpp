#include "engine/model/decoder.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "engine/attention/attention_backend.h"
#include "engine/config/memory_estimate.h"
#include "engine/model/decode_attention.h"
#include "engine/model/layer_ops.h"
#include "engine/model/norm.h"

namespace elastic::engine {

void cut_cache(Sequence& sequence, std::int64_t layer, const AttentionPlan& plan,
               std::int64_t tokens) {
  const HeadDecision& decision = sequence.decisions[static_cast<std::size_t>(layer)];
  if (!plan.sparse_decode || plan.sparse == nullptr || !decision.on_host()) return;
  const HeadMode::DecodeWindow window = plan.sparse->decode_window();
  std::vector<std::int64_t> heads;
  for (std::size_t head = 0; head < decision.is_sparse.size(); ++head) {
    if (decision.is_sparse[head] != 0) heads.push_back(static_cast<std::int64_t>(head));
  }
  sequence.cache.cut(layer, heads, tokens, window.sink, window.local);
}

void end_whole_step(Sequence& sequence) {
  ++sequence.tokens;
  sequence.reads.add(static_cast<double>(sequence.cache.bytes(sequence.tokens)),
                     static_cast<double>(sequence.cache.bytes_full(sequence.tokens)));
}

namespace {

std::int64_t whole_blocks(std::int64_t rows) {
  return (rows + kMaskBlock - 1) / kMaskBlock * kMaskBlock;
}

}  // namespace

Decoder::Decoder(DecoderWeights weights, std::int64_t chunk_rows)
    : weights_(std::move(weights)),
      rotary_(weights_.config.rope, weights_.config.head_dim, weights_.embedding.scalar_type(),
              weights_.embedding.device()),
      chunk_rows_(chunk_rows > 0 ? whole_blocks(chunk_rows)
                                 : prefill_chunk_rows(prefill_shape(
                                       weights_.config, weights_.embedding.element_size(),
                                       weights_.embedding.is_cpu()))) {}

Sequence Decoder::start(std::int64_t expected_tokens) const {
  const KvShape shape{config().layers, config().heads_kv, config().head_dim, dtype(), device()};
  return {KvCache(shape, expected_tokens),
          0,
          {},
          std::vector<HeadState>(static_cast<std::size_t>(config().layers)),
          SparsityMeter(config().layers, config().heads_q / config().heads_kv),
          {},
          {}};
}

at::Tensor Decoder::embed(std::span<const std::int32_t> ids) const {
  const at::Tensor index = at::tensor(at::ArrayRef<std::int32_t>(ids.data(), ids.size()),
                                      at::TensorOptions().dtype(at::kInt));
  return weights_.embedding.index_select(0, index.to(device()));
}

at::Tensor Decoder::begin_prefill(Sequence& sequence, std::span<const std::int32_t> ids,
                                  const AttentionPlan& plan) {
  check(sequence.tokens == 0 && !ids.empty(), "prefill starts an empty sequence with a prompt");
  sequence.tokens = static_cast<std::int64_t>(ids.size());
  rotary_.reserve(sequence.tokens);
  keep_plain_keys(sequence, plan);
  return embed(ids);
}

at::Tensor Decoder::prefill(Sequence& sequence, std::span<const std::int32_t> ids,
                            const AttentionPlan& plan, StageClock& clock,
                            const HiddenObserver& observe) {
  at::Tensor x = begin_prefill(sequence, ids, plan);
  for (std::int64_t layer = 0; layer < config().layers; ++layer) {
    if (observe) observe(layer, x);
    route_layer(sequence, layer, x, plan, clock);
    run_layer(sequence, layer, x, plan, clock);
  }
  sequence.plain_keys.reset();
  read_decisions(sequence.decisions);  // the first that the host hears of them
  sequence.sparsity.settle(sequence.decisions);
  for (std::int64_t layer = 0; layer < config().layers; ++layer) {
    cut_cache(sequence, layer, plan, sequence.tokens);
  }
  return x;
}

std::vector<HeadDecision> Decoder::decide(std::span<const std::int32_t> ids,
                                          const AttentionPlan& plan, std::int64_t layers) {
  Sequence sequence = start(static_cast<std::int64_t>(ids.size()));
  StageClock clock(device());
  at::Tensor x = begin_prefill(sequence, ids, plan);
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    if (layer > 0) run_layer(sequence, layer - 1, x, plan, clock);
    route_layer(sequence, layer, x, plan, clock);
  }
  read_decisions(sequence.decisions);
  return std::move(sequence.decisions);
}

// Room for a layer's keys before RoPE, for modes that read them.
void Decoder::keep_plain_keys(Sequence& sequence, const AttentionPlan& plan) const {
  if (!plan.asks(&ModePlaces::plain_keys)) return;
  sequence.plain_keys = at::empty({config().heads_kv, sequence.tokens, config().head_dim},
                                  at::TensorOptions(dtype()).device(device()));
}

// K and V of all rows into the cache; the keys before RoPE also to the router, where it reads them.
void Decoder::fill_cache(Sequence& sequence, std::int64_t layer, const at::Tensor& x,
                         LayerRouter& router) {
  const ModelConfig& c = config();
  const LayerWeights& w = weights_.layers[static_cast<std::size_t>(layer)];
  const std::int64_t tokens = x.size(0), q_rows = c.heads_q * c.head_dim,
                     kv_rows = c.heads_kv * c.head_dim;
  const at::Tensor weight = w.qkv.narrow(0, q_rows, 2 * kv_rows);
  const at::Tensor bias = bias_rows(w.qkv_bias, q_rows, 2 * kv_rows);
  for (std::int64_t start = 0; start < tokens; start += chunk_rows_) {
    const std::int64_t rows = std::min(chunk_rows_, tokens - start);
    const at::Tensor h = rms_norm(x.narrow(0, start, rows), w.input_norm, c.rms_eps);
    const at::Tensor kv = at::linear(h, weight, bias);
    const at::Tensor k = split_heads(kv.narrow(1, 0, kv_rows), c.heads_kv, w.k_norm, c.rms_eps);
    const at::Tensor v = split_heads(kv.narrow(1, kv_rows, kv_rows), c.heads_kv, {}, 0);
    if (router.reads(start, rows)) router.add(k, start);
    if (sequence.plain_keys.defined()) {
      sequence.plain_keys.narrow(1, start, rows).copy_(k.transpose(0, 1));
    }
    const KvView target = sequence.cache.write_rows(layer, start, rows);
    rotary_.rotate(k, start, target.k);
    target.v.copy_(v.transpose(0, 1));
  }
}

// The cache of the layer filled, its heads' modes decided.
void Decoder::route_layer(Sequence& sequence, std::int64_t layer, const at::Tensor& x,
                          const AttentionPlan& plan, StageClock& clock) {
  const std::int64_t tokens = x.size(0);
  const std::int64_t pool_rows = config().routing.pooling_rows.value_or(kPoolRows);
  LayerRouter router(*plan.policy, layer, {tokens, pool_rows == 0 ? tokens : pool_rows}, clock);
  fill_cache(sequence, layer, x, router);
  sequence.decisions.push_back(router.decide());
}

// Attention and MLP of a layer whose heads are decided. A mode that sees a whole prompt takes the
// rows of a chunk's attention for all of it, (hidden + 3 * query width) * tokens elements; the MLP,
// which takes more a row, stays in chunks.
void Decoder::run_layer(Sequence& sequence, std::int64_t layer, at::Tensor& x,
                        const AttentionPlan& plan, StageClock& clock) {
  const std::int64_t tokens = x.size(0),
                     step = plan.asks(&ModePlaces::whole_prompt) ? tokens : chunk_rows_;
  const bool last_apart = plan.asks(&ModePlaces::last_row_apart);
  for (std::int64_t start = 0, rows = 0; start < tokens; start += rows) {
    rows = std::min(step, tokens - start);
    if (last_apart && rows > 1 && start + rows == tokens) --rows;
    at::Tensor part = x.narrow(0, start, rows);
    attend_chunk(sequence, layer, start, part, plan, clock);
    for (at::Tensor& few : part.split(chunk_rows_)) {
      add_mlp(weights_.layers[static_cast<std::size_t>(layer)], config(), few);
    }
  }
  cut_cache(sequence, layer, plan, tokens);
}

AttentionInput Decoder::attention_input(const Sequence& sequence, std::int64_t layer,
                                        std::int64_t start, const at::Tensor& part) const {
  const ModelConfig& c = config();
  const LayerWeights& w = weights_.layers[static_cast<std::size_t>(layer)];
  const std::int64_t rows = part.size(0), q_rows = c.heads_q * c.head_dim;
  const at::Tensor h = rms_norm(part, w.input_norm, c.rms_eps);
  const at::Tensor projected =
      at::linear(h, w.qkv.narrow(0, 0, q_rows), bias_rows(w.qkv_bias, 0, q_rows));
  const KvView cached = sequence.cache.read_all(layer, sequence.tokens);
  AttentionInput input{
      at::empty({c.heads_q, rows, c.head_dim}, part.options()), cached.k, cached.v, start,
      1.0 / std::sqrt(static_cast<double>(c.head_dim)),         layer};
  const at::Tensor q = split_heads(projected, c.heads_q, w.q_norm, c.rms_eps);
  rotary_.rotate(q, start, input.q);
  input.hidden = h;
  input.plain_q = q.transpose(0, 1);
  input.plain_k = sequence.plain_keys;
  input.rotary_cos = rotary_.cos();
  input.rotary_sin = rotary_.sin();
  return input;
}

// part += o(attention(norm(part))) for rows [start, start + rows) of the prompt; part [rows,
// hidden].
void Decoder::attend_chunk(Sequence& sequence, std::int64_t layer, std::int64_t start,
                           at::Tensor& part, const AttentionPlan& plan, StageClock& clock) {
  const ModelConfig& c = config();
  const LayerWeights& w = weights_.layers[static_cast<std::size_t>(layer)];
  const std::int64_t rows = part.size(0);
  const AttentionInput input = attention_input(sequence, layer, start, part);
  const at::Tensor attended = at::empty({rows, c.heads_q * c.head_dim}, part.options());
  at::Tensor by_head = attended.view({rows, c.heads_q, c.head_dim}).transpose(0, 1);
  HeadGroups groups;
  clock.time(Stage::kSelect, [&] {
    const auto index = static_cast<std::size_t>(layer);
    groups = select_heads(plan, sequence.decisions[index], input, sequence.states[index]);
  });
  sequence.sparsity.add(layer, groups, input.span());
  clock.time(Stage::kAttention, [&] { attend(input, groups, by_head); });
  if (plan.evicts()) evict(sequence, input, plan, clock);
  add_linear(part, attended, w.o, w.o_bias);
}

// Rows of a prompt that have attended: after the last of the layer its cache keeps what the mode
// says.
void Decoder::evict(Sequence& sequence, const AttentionInput& rows, const AttentionPlan& plan,
                    StageClock& clock) const {
  clock.time(Stage::kSelect, [&] {
    const KeptKeys kept =
        plan.sparse->keep_keys(rows, sequence.states[static_cast<std::size_t>(rows.layer)]);
    if (!kept.empty()) sequence.cache.keep(rows.layer, kept, sequence.tokens);
  });
}

at::Tensor Decoder::step(std::span<Sequence* const> sequences, std::span<const std::int32_t> ids,
                         const AttentionPlan& plan) {
  check(sequences.size() == ids.size(), "one token for each sequence");
  for (const Sequence* sequence : sequences) rotary_.reserve(sequence->tokens + 1);
  at::Tensor x = embed(ids);
  for (std::int64_t layer = 0; layer < config().layers; ++layer)
    step_layer(sequences, layer, x, plan);
  for (Sequence* sequence : sequences) {
    if (plan.selects_in_decode()) {
      ++sequence->tokens;
    } else {
      end_whole_step(*sequence);
    }
  }
  return x;
}

// The newest row of a sequence under a mode that selects what it reads; `input` without the cache,
// out [heads_q * head_dim].
void Decoder::select_and_attend(Sequence& sequence, AttentionInput input, const at::Tensor& out,
                                const AttentionPlan& plan) const {
  const ModelConfig& c = config();
  const auto index = static_cast<std::size_t>(input.layer);
  const KvView cached = sequence.cache.read_all(input.layer, sequence.tokens + 1);
  input.k = cached.k;
  input.v = cached.v;
  input.q_start = sequence.tokens;
  input.scale = 1.0 / std::sqrt(static_cast<double>(c.head_dim));
  input.rotary_cos = rotary_.cos();
  input.rotary_sin = rotary_.sin();
  at::Tensor by_head = out.view({c.heads_q, 1, c.head_dim});
  HeadState& state = sequence.states[index];
  const HeadGroups groups = select_step(plan, sequence.decisions[index], input, state);
  attend(input, groups, by_head);
  count_step(sequence.reads, groups, input, state);
}

void Decoder::step_layer(std::span<Sequence* const> sequences, std::int64_t layer, at::Tensor& x,
                         const AttentionPlan& plan) {
  const ModelConfig& c = config();
  const LayerWeights& w = weights_.layers[static_cast<std::size_t>(layer)];
  const std::int64_t q_rows = c.heads_q * c.head_dim, kv_rows = c.heads_kv * c.head_dim;
  const auto count = static_cast<std::int64_t>(sequences.size());
  const at::Tensor h = rms_norm(x, w.input_norm, c.rms_eps);
  const at::Tensor qkv = at::linear(h, w.qkv, w.qkv_bias);
  const at::Tensor q = split_heads(qkv.narrow(1, 0, q_rows), c.heads_q, w.q_norm, c.rms_eps);
  const at::Tensor k = split_heads(qkv.narrow(1, q_rows, kv_rows), c.heads_kv, w.k_norm, c.rms_eps);
  const at::Tensor v = split_heads(qkv.narrow(1, q_rows + kv_rows, kv_rows), c.heads_kv, {}, 0);
  const bool selects = plan.selects_in_decode();
  const at::Tensor attended = at::empty({count, q_rows}, x.options());
  std::vector<DecodeRead> reads;
  at::Tensor k_rotated = at::empty({c.heads_kv, 1, c.head_dim}, x.options());
  for (std::int64_t row = 0; row < count; ++row) {
    Sequence& sequence = *sequences[static_cast<std::size_t>(row)];
    const std::int64_t position = sequence.tokens;
    at::Tensor q_rotated = at::empty({c.heads_q, 1, c.head_dim}, x.options());
    rotary_.rotate(q.narrow(0, row, 1), position, q_rotated);
    rotary_.rotate(k.narrow(0, row, 1), position, k_rotated);
    cut_cache(sequence, layer, plan, position);
    sequence.cache.append(layer, position, k_rotated, v.narrow(0, row, 1).transpose(0, 1));
    if (selects) {
      AttentionInput input{.q = q_rotated, .k = {}, .v = {}, .layer = layer};
      input.hidden = h.narrow(0, row, 1);
      input.plain_q = q.narrow(0, row, 1).transpose(0, 1);
      input.plain_k = k.narrow(0, row, 1).transpose(0, 1);
      select_and_attend(sequence, std::move(input), attended[row], plan);
    } else {
      const std::array<std::int64_t, 3> by_kv_head = {c.heads_kv, c.heads_q / c.heads_kv,
                                                      c.head_dim};
      reads.push_back({q_rotated.view(by_kv_head), sequence.cache.read_step(layer, position + 1),
                       attended[row].view(by_kv_head)});
    }
  }
  decode_attention(reads);
  add_linear(x, attended, w.o, w.o_bias);
  add_mlp(w, c, x);
}

at::Tensor Decoder::final_norm(const at::Tensor& x) const {
  return rms_norm(x, weights_.final_norm, config().rms_eps);
}

at::Tensor Decoder::logits(const at::Tensor& x) const {
  return at::linear(final_norm(x), weights_.lm_head);
}

}  // namespace elastic::engine
