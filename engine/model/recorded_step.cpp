#include "engine/model/recorded_step.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/stack.h>

#include <bit>
#include <vector>

#include "base/error.h"
#include "engine/attention/page_bounds.h"
#include "engine/device/step_kernels.h"
#include "engine/kernels/kv_slot.h"
#include "engine/model/layer_ops.h"
#include "engine/model/norm.h"

namespace elastic::engine {
namespace {

// Rows of the recording that a batch takes, the next power of two: sequences that come and go need
// few recordings.
std::int64_t recorded_rows(std::size_t batch) {
  return static_cast<std::int64_t>(std::bit_ceil(batch));
}

// Whether a step of the mode's heads reads all of the cache, or pages that a device can choose.
bool reads_slots(const HeadMode* mode) {
  if (mode == nullptr) return true;
  const ModePlaces places = mode->places();
  const auto page = static_cast<std::uint32_t>(mode->page_rule().page);
  const bool fits = page >= kLeastPage && page <= kMostPage && std::has_single_bit(page);
  return !places.kernel_loop && (!places.decode_selection || fits);
}

const HeadMode& mode_of(const AttentionPlan& plan, std::uint8_t sparse) {
  return sparse != 0 ? *plan.sparse : *plan.retrieval;
}

// The rule of a plan's pages; a page of 0 where it has none.
PageRule pages_of(const AttentionPlan& plan) {
  for (const HeadMode* mode : {plan.retrieval.get(), plan.sparse.get()}) {
    if (mode != nullptr && mode->page_rule().page > 0) return mode->page_rule();
  }
  return {};
}

// The rule of each KV head of a layer into its slot, and where its bounds lie.
void add_pages(const StepRow& row, std::int64_t layer, std::span<KvSlot> slots) {
  const std::vector<at::Tensor>& bounds =
      row.sequence->states[static_cast<std::size_t>(layer)].tensors;
  const HeadDecision& decision = row.sequence->decisions[static_cast<std::size_t>(layer)];
  for (std::size_t head = 0; head < slots.size(); ++head) {
    slots[head].pages = mode_of(*row.plan, decision.is_sparse[head]).page_rule();
    if (slots[head].pages.page == 0) continue;
    slots[head].low = bounds[0][static_cast<std::int64_t>(head)].data_ptr();
    slots[head].high = bounds[1][static_cast<std::int64_t>(head)].data_ptr();
  }
}

}  // namespace

bool RecordedStep::takes(const AttentionPlan& plan) const {
  const ModelConfig& c = decoder_.config();
  return reads_slots(plan.retrieval.get()) && reads_slots(plan.sparse.get()) &&
         step_kernels_take(decoder_.weights().embedding, c.head_dim) &&
         c.heads_q <= kMostStepGroup * c.heads_kv && c.hidden % kStepInner == 0 &&
         c.intermediate % kStepInner == 0;
}

// The caches' places into device memory, where they are not those that lie there.
void RecordedStep::place(Recording& recording, std::span<const StepRow> batch) const {
  const ModelConfig& c = decoder_.config();
  const auto heads = static_cast<std::size_t>(c.heads_kv);
  const auto row_slots = static_cast<std::size_t>(recording.inputs.size(1)) * heads;
  std::vector<KvSlot> now(static_cast<std::size_t>(c.layers) * row_slots);
  for (std::int64_t layer = 0; layer < c.layers; ++layer) {
    KvSlot* next = now.data() + static_cast<std::size_t>(layer) * row_slots;
    for (const StepRow& row : batch) {
      row.sequence->cache.locate(layer, next);
      if (pages_of(*row.plan).page > 0) add_pages(row, layer, {next, heads});
      next += heads;
    }
  }
  if (recording.slots_host == now) return;
  recording.slots_host = std::move(now);
  recording.slots.copy_(
      at::from_blob(recording.slots_host.data(), recording.slots.sizes(), at::kByte), true);
}

// One step of the batch, from ids to choices.
void RecordedStep::compute(Recording& recording) const {
  const ModelConfig& c = decoder_.config();
  const DecoderWeights& weights = decoder_.weights();
  const StepKernels& kernels = step_kernels(decoder_.device().type());
  const RotaryTable& rotary = decoder_.rotary();
  at::Tensor x = weights.embedding.index_select(0, recording.inputs[0]);
  const auto rows = [&](std::int64_t width) { return at::empty({x.size(0), width}, x.options()); };
  const std::int64_t heads = c.heads_q * c.head_dim, kv_heads = c.heads_kv * c.head_dim;
  const at::Tensor normed = rows(c.hidden), qkv = rows(heads + 2 * kv_heads), q = rows(heads),
                   attended = rows(heads), gated = rows(c.intermediate);
  const auto by_head = [&](const at::Tensor& t) { return t.view({-1, c.heads_q, c.head_dim}); };
  for (std::int64_t layer = 0; layer < c.layers; ++layer) {
    const LayerWeights& w = weights.layers[static_cast<std::size_t>(layer)];
    StepLayer step{c.heads_q, c.heads_kv, recording.inputs[1], recording.slots[layer]};
    if (recording.pages.keys.defined()) {
      step.pages = {recording.pages.scores, recording.pages.bits, recording.pages.keys[layer]};
    }
    kernels.norm(x, w.input_norm, c.rms_eps, normed);
    kernels.linear(normed, w.qkv, w.qkv_bias, LinearEnd::kStore, qkv);
    kernels.append(step, qkv, w.q_norm, w.k_norm, c.rms_eps, rotary.cos(), rotary.sin(),
                   by_head(q));
    kernels.attend(step, by_head(q), by_head(attended));
    kernels.linear(attended, w.o, w.o_bias, LinearEnd::kAdd, x);
    kernels.norm(x, w.post_norm, c.rms_eps, normed);
    kernels.linear(normed, w.gate_up, w.gate_up_bias, LinearEnd::kGate, gated);
    kernels.linear(gated, w.down, w.down_bias, LinearEnd::kAdd, x);
  }
  kernels.norm(x, weights.final_norm, c.rms_eps, normed);
  kernels.linear(normed, weights.lm_head, {}, LinearEnd::kStore, recording.logits);
  const at::Tensor finite = at::isfinite(recording.logits.sum(1, false, at::kFloat));
  recording.choices.copy_(at::stack({at::argmax(recording.logits, 1), finite.to(at::kLong)}));
}

// Of the pages of all positions that the step is recorded for.
void RecordedStep::make_room_for_pages(Recording& recording) const {
  const ModelConfig& c = decoder_.config();
  constexpr std::int64_t kWord = 32;
  const std::int64_t rows = recording.inputs.size(1),
                     words = decoder_.rotary().cos().size(0) / (kLeastPage * kWord) + 1;
  const auto there = [&](at::ScalarType type) {
    return at::TensorOptions(type).device(decoder_.device());
  };
  recording.pages = {at::empty({rows, c.heads_q, words * kWord}, there(at::kFloat)),
                     at::empty({rows, c.heads_q, words}, there(at::kInt)),
                     at::empty({c.layers, rows, c.heads_kv}, there(at::kInt))};
}

RecordedStep::Recording& RecordedStep::recording_of(std::int64_t rows, bool pages) {
  Recording& recording = recordings_[{rows, pages}];
  if (recording.inputs.defined()) return recording;
  const ModelConfig& c = decoder_.config();
  const auto there = [&](at::ScalarType type) {
    return at::TensorOptions(type).device(decoder_.device());
  };
  recording.inputs = at::empty({2, rows}, there(at::kInt));
  recording.slots = at::empty(
      {c.layers, rows * c.heads_kv * static_cast<std::int64_t>(sizeof(KvSlot))}, there(at::kByte));
  recording.logits = at::empty({rows, c.vocab}, there(decoder_.dtype()));
  recording.choices = at::empty({2, rows}, there(at::kLong));
  return recording;
}

// What the step has stored and read.
void RecordedStep::end_step(const Recording& recording, std::span<const StepRow> batch) const {
  const ModelConfig& c = decoder_.config();
  const at::Tensor counts =
      recording.pages.keys.defined() ? recording.pages.keys.to(at::kCPU) : at::Tensor();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto& [sequence, id, plan] = batch[i];
    const PageRule rule = pages_of(*plan);
    if (rule.page == 0) {
      end_whole_step(*sequence);
      continue;
    }
    const std::int64_t tokens = ++sequence->tokens, row = static_cast<std::int64_t>(i),
                       pages = tokens > rule.budget ? (tokens + rule.page - 1) / rule.page : 0;
    std::int64_t vectors = 0;  // keys, values, and two bounds of each page where heads choose
    for (std::int64_t layer = 0; layer < c.layers; ++layer) {
      const auto at = static_cast<std::size_t>(layer);
      const std::int32_t* keys = counts[layer][row].const_data_ptr<std::int32_t>();
      for (const std::uint8_t sparse : sequence->decisions[at].is_sparse) {
        const bool chooses = mode_of(*plan, sparse).page_rule().page > 0;
        vectors += 2 * (*keys++ + (chooses ? pages : 0));
      }
      sequence->states[at].tokens = tokens;
    }
    const std::int64_t bytes = c.head_dim * decoder_.weights().embedding.element_size();
    sequence->reads.add(static_cast<double>(bytes * vectors),
                        static_cast<double>(bytes * 2 * c.layers * c.heads_kv * tokens));
  }
}

StepResult RecordedStep::run(std::span<const StepRow> batch) {
  check(!batch.empty() && batch.size() <= kMostRows, "rows of a step");
  const std::int64_t rows = recorded_rows(batch.size());
  std::vector<std::int32_t> inputs(static_cast<std::size_t>(2 * rows), 0);  // ids, positions
  std::fill(inputs.begin() + rows, inputs.end(), -1);
  bool pages = false;
  for (std::size_t row = 0; row < batch.size(); ++row) {
    const auto& [sequence, id, plan] = batch[row];
    decoder_.reserve_positions(sequence->tokens + 1);
    const PageRule rule = pages_of(*plan);
    pages = pages || rule.page > 0;
    for (std::int64_t layer = 0; layer < decoder_.config().layers; ++layer) {
      cut_cache(*sequence, layer, *plan, sequence->tokens);
      if (rule.page > 0) {
        hold_bounds(sequence->cache.read_all(layer, sequence->tokens).k, rule.page,
                    sequence->states[static_cast<std::size_t>(layer)]);
      }
      sequence->cache.reserve(layer, sequence->tokens + 1);
    }
    inputs[row] = id;
    inputs[static_cast<std::size_t>(rows) + row] = static_cast<std::int32_t>(sequence->tokens);
  }
  Recording& recording = recording_of(rows, pages);
  recording.inputs.copy_(at::from_blob(inputs.data(), {2, rows}, at::kInt), true);
  place(recording, batch);
  if (recording.rotary != decoder_.rotary().cos().const_data_ptr()) {
    recording.rotary = decoder_.rotary().cos().const_data_ptr();
    if (pages) make_room_for_pages(recording);
    recording.replay = step_kernels(decoder_.device().type()).record([&] { compute(recording); });
  }
  recording.replay();
  end_step(recording, batch);
  const at::Tensor choices = recording.choices.to(at::kCPU);
  const std::int64_t* choice = choices.const_data_ptr<std::int64_t>();
  StepResult result{{}, {}, recording.logits.narrow(0, 0, std::ssize(batch))};
  for (std::int64_t row = 0; row < std::ssize(batch); ++row) {
    result.greedy.push_back(static_cast<std::int32_t>(choice[row]));
    result.finite.push_back(choice[rows + row] != 0);
  }
  return result;
}

}  // namespace elastic::engine
