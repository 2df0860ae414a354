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
          {}};
}

at::Tensor Decoder::embed(std::span<const std::int32_t> ids) const {
  const at::Tensor index = at::tensor(at::ArrayRef<std::int32_t>(ids.data(), ids.size()),
                                      at::TensorOptions().dtype(at::kInt));
  return weights_.embedding.index_select(0, index.to(device()));
}

at::Tensor Decoder::begin_prefill(Sequence& sequence, std::span<const std::int32_t> ids) {
  check(sequence.tokens == 0 && !ids.empty(), "prefill starts an empty sequence with a prompt");
  sequence.tokens = static_cast<std::int64_t>(ids.size());
  rotary_.reserve(sequence.tokens);
  return embed(ids);
}

at::Tensor Decoder::prefill(Sequence& sequence, std::span<const std::int32_t> ids,
                            const AttentionPlan& plan, StageClock& clock,
                            const HiddenObserver& observe) {
  at::Tensor x = begin_prefill(sequence, ids);
  for (std::int64_t layer = 0; layer < config().layers; ++layer) {
    if (observe) observe(layer, x);
    run_layer(sequence, layer, x, plan, clock);
  }
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
  at::Tensor x = begin_prefill(sequence, ids);
  for (std::int64_t layer = 0; layer + 1 < layers; ++layer) {
    run_layer(sequence, layer, x, plan, clock);
  }
  sequence.decisions.push_back(decide_ahead(layers - 1, x, plan, clock));
  read_decisions(sequence.decisions);
  return std::move(sequence.decisions);
}

LayerRouter Decoder::router_of(std::int64_t layer, std::int64_t tokens, const AttentionPlan& plan,
                               StageClock& clock) const {
  const std::int64_t pool_rows = config().routing.pooling_rows.value_or(kPoolRows);
  return {*plan.policy, layer, {tokens, pool_rows == 0 ? tokens : pool_rows}, clock};
}

// The heads of a layer by the keys of the router's windows alone, before any row of it has run.
HeadDecision Decoder::decide_ahead(std::int64_t layer, const at::Tensor& x,
                                   const AttentionPlan& plan, StageClock& clock) const {
  const ModelConfig& c = config();
  const LayerWeights& w = weights_.layers[static_cast<std::size_t>(layer)];
  const std::int64_t q_rows = c.heads_q * c.head_dim, kv_rows = c.heads_kv * c.head_dim;
  LayerRouter router = router_of(layer, x.size(0), plan, clock);
  for (const auto& [begin, end] : router.windows()) {
    for (std::int64_t start = begin; start < end; start += chunk_rows_) {
      const at::Tensor rows = x.narrow(0, start, std::min(chunk_rows_, end - start));
      const at::Tensor k =
          linear_rows(rms_norm(rows, w.input_norm, c.rms_eps), w.qkv.narrow(0, q_rows, kv_rows),
                      bias_rows(w.qkv_bias, q_rows, kv_rows));
      router.add(split_heads(k, c.heads_kv, w.k_norm, c.rms_eps), start);
    }
  }
  return router.decide();
}

// A prompt whose rows all run at once is projected before its heads are decided. Of a longer one
// the router's windows are, and then each chunk, which has only the keys before its end. A mode
// that sees a whole prompt takes the rows of a chunk's attention for all of it; the MLP, which
// takes more a row, stays in chunks.
void Decoder::run_layer(Sequence& sequence, std::int64_t layer, at::Tensor& x,
                        const AttentionPlan& plan, StageClock& clock) {
  const std::int64_t tokens = x.size(0),
                     step = plan.asks(&ModePlaces::whole_prompt) ? tokens : chunk_rows_;
  const bool last_apart = plan.asks(&ModePlaces::last_row_apart),
             at_once = tokens <= step && !last_apart;
  if (!at_once) sequence.decisions.push_back(decide_ahead(layer, x, plan, clock));
  for (std::int64_t start = 0, rows = 0; start < tokens; start += rows) {
    rows = std::min(step, tokens - start);
    if (last_apart && rows > 1 && start + rows == tokens) --rows;
    at::Tensor part = x.narrow(0, start, rows);
    {
      LayerRouter router = router_of(layer, tokens, plan, clock);
      const AttentionInput input =
          project(sequence, {layer, start}, part, plan, at_once ? &router : nullptr);
      if (at_once) sequence.decisions.push_back(router.decide());
      attend_chunk(sequence, input, part, plan, clock);
    }
    for (at::Tensor& few : part.split(chunk_rows_)) {
      add_mlp(weights_.layers[static_cast<std::size_t>(layer)], config(), few);
    }
  }
  cut_cache(sequence, layer, plan, tokens);
}

// Room for the queries of rows that stand at a place of a sequence, over the keys of its cache.
AttentionInput Decoder::input_at(const LayerPlace& place, const at::Tensor& rows,
                                 const KvView& cached) const {
  const ModelConfig& c = config();
  AttentionInput input{at::empty({c.heads_q, rows.size(0), c.head_dim}, rows.options()),
                       cached.k,
                       cached.v,
                       place.start,
                       1.0 / std::sqrt(static_cast<double>(c.head_dim)),
                       place.layer};
  input.rotary_cos = rotary_.cos();
  input.rotary_sin = rotary_.sin();
  return input;
}

AttentionInput Decoder::attention_input(const Sequence& sequence, std::int64_t layer,
                                        std::int64_t start, const at::Tensor& part) const {
  const ModelConfig& c = config();
  const LayerWeights& w = weights_.layers[static_cast<std::size_t>(layer)];
  const std::int64_t q_rows = c.heads_q * c.head_dim;
  const at::Tensor h = rms_norm(part, w.input_norm, c.rms_eps);
  const at::Tensor q = linear_rows(h, w.qkv.narrow(0, 0, q_rows), bias_rows(w.qkv_bias, 0, q_rows));
  AttentionInput input =
      input_at({layer, start}, part, sequence.cache.read_all(layer, sequence.tokens));
  rotary_.rotate(split_heads(q, c.heads_q, w.q_norm, c.rms_eps), start, input.q);
  return input;
}

// One norm and one product a row: keys and values into the cache, rotated queries for attention,
// keys before RoPE to the router. Of a whole prompt in chunks, so that only queries are kept.
AttentionInput Decoder::project(Sequence& sequence, const LayerPlace& place, const at::Tensor& part,
                                const AttentionPlan& plan, LayerRouter* router) const {
  const ModelConfig& c = config();
  const LayerWeights& w = weights_.layers[static_cast<std::size_t>(place.layer)];
  const std::int64_t rows = part.size(0);
  const bool keep = plan.asks(&ModePlaces::plain_inputs);
  const std::int64_t step = keep ? rows : chunk_rows_;
  AttentionInput input =
      input_at(place, part, sequence.cache.write_rows(place.layer, 0, sequence.tokens));
  for (std::int64_t first = 0; first < rows; first += step) {
    const std::int64_t count = std::min(step, rows - first), start = place.start + first;
    const at::Tensor h = rms_norm(part.narrow(0, first, count), w.input_norm, c.rms_eps);
    const auto [q, k, v] = project_heads(h, w, c);
    if (router != nullptr && router->reads(start, count)) router->add(k, start);
    rotary_.rotate(k, start, input.k.narrow(1, start, count));
    input.v.narrow(1, start, count).copy_(v.transpose(0, 1));
    rotary_.rotate(q, start, input.q.narrow(1, first, count));
    if (keep) {
      input.hidden = h;
      input.plain_q = q.transpose(0, 1);
      input.plain_k = k.transpose(0, 1);
    }
  }
  return input;
}

// part += o(attention(norm(part))) of rows that are projected; part [rows, hidden].
void Decoder::attend_chunk(Sequence& sequence, const AttentionInput& input, at::Tensor& part,
                           const AttentionPlan& plan, StageClock& clock) {
  const ModelConfig& c = config();
  const auto layer = static_cast<std::size_t>(input.layer);
  const LayerWeights& w = weights_.layers[layer];
  const at::Tensor attended = at::empty({part.size(0), c.heads_q * c.head_dim}, part.options());
  at::Tensor by_head = attended.view({part.size(0), c.heads_q, c.head_dim}).transpose(0, 1);
  HeadGroups groups;
  clock.time(Stage::kSelect, [&] {
    groups = select_heads(plan, sequence.decisions[layer], input, sequence.states[layer]);
  });
  sequence.sparsity.add(input.layer, groups, input.span());
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
  const auto count = static_cast<std::int64_t>(sequences.size());
  const at::Tensor h = rms_norm(x, w.input_norm, c.rms_eps);
  const auto [q, k, v] = project_heads(h, w, c);
  const bool selects = plan.selects_in_decode();
  const at::Tensor attended = at::empty({count, c.heads_q * c.head_dim}, x.options());
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
