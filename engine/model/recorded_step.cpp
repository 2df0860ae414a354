#include "engine/model/recorded_step.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/stack.h>

#include <cstring>

#include "base/error.h"
#include "engine/device/step_kernels.h"
#include "engine/model/layer_ops.h"
#include "engine/model/norm.h"

namespace elastic::engine {
namespace {

constexpr std::int64_t kMostGroup = 16;  // query heads a KV head: rows of one tensor-core tile

}  // namespace

bool RecordedStep::takes(const AttentionPlan& plan) const {
  const ModelConfig& c = decoder_.config();
  return !plan.selects_in_decode() && step_kernels_take(decoder_.weights().embedding, c.head_dim) &&
         c.heads_q <= kMostGroup * c.heads_kv;
}

// The caches' places into device memory, where they are not those that lie there.
void RecordedStep::place(Recording& recording, std::span<Sequence* const> sequences) {
  const ModelConfig& c = decoder_.config();
  const auto heads = static_cast<std::size_t>(c.heads_kv);
  std::vector<KvSlot> now(static_cast<std::size_t>(c.layers) * sequences.size() * heads);
  KvSlot* next = now.data();
  for (std::int64_t layer = 0; layer < c.layers; ++layer) {
    for (const Sequence* sequence : sequences) {
      sequence->cache.locate(layer, next);
      next += heads;
    }
  }
  const std::size_t bytes = now.size() * sizeof(KvSlot);
  if (recording.slots_host.size() == now.size() &&
      std::memcmp(recording.slots_host.data(), now.data(), bytes) == 0) {
    return;
  }
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
  const std::int64_t batch = x.size(0);
  const at::Tensor q = at::empty({batch, c.heads_q, c.head_dim}, x.options());
  const at::Tensor attended = at::empty({batch, c.heads_q * c.head_dim}, x.options());
  for (std::int64_t layer = 0; layer < c.layers; ++layer) {
    const LayerWeights& w = weights.layers[static_cast<std::size_t>(layer)];
    const StepLayer step{c.heads_q, c.heads_kv, recording.inputs[1], recording.slots[layer]};
    const at::Tensor qkv = at::linear(rms_norm(x, w.input_norm, c.rms_eps), w.qkv, w.qkv_bias);
    kernels.append(step, qkv, w.q_norm, w.k_norm, c.rms_eps, rotary.cos(), rotary.sin(), q);
    kernels.attend(step, q, attended.view(q.sizes()));
    add_linear(x, attended, w.o, w.o_bias);
    add_mlp(w, c, x);
  }
  recording.logits.copy_(decoder_.logits(x));
  const at::Tensor finite = at::isfinite(recording.logits.sum(1, false, at::kFloat));
  recording.choices.copy_(at::stack({at::argmax(recording.logits, 1), finite.to(at::kLong)}));
}

StepResult RecordedStep::run(std::span<Sequence* const> sequences,
                             std::span<const std::int32_t> ids, const AttentionPlan& plan) {
  check(sequences.size() == ids.size(), "one token for each sequence");
  const ModelConfig& c = decoder_.config();
  const auto batch = static_cast<std::int64_t>(ids.size());
  std::vector<std::int32_t> inputs(ids.begin(), ids.end());
  for (Sequence* sequence : sequences) {
    decoder_.reserve_positions(sequence->tokens + 1);
    for (std::int64_t layer = 0; layer < c.layers; ++layer) {
      cut_cache(*sequence, layer, plan, sequence->tokens);
      sequence->cache.reserve(layer, sequence->tokens + 1);
    }
    inputs.push_back(static_cast<std::int32_t>(sequence->tokens));
  }
  Recording& recording = recordings_[ids.size()];
  if (!recording.inputs.defined()) {
    const auto there = [&](at::ScalarType type) {
      return at::TensorOptions(type).device(decoder_.device());
    };
    recording.inputs = at::empty({2, batch}, there(at::kInt));
    recording.slots =
        at::empty({c.layers, batch * c.heads_kv * static_cast<std::int64_t>(sizeof(KvSlot))},
                  there(at::kByte));
    recording.logits = at::empty({batch, c.vocab}, there(decoder_.dtype()));
    recording.choices = at::empty({2, batch}, there(at::kLong));
  }
  recording.inputs.copy_(at::from_blob(inputs.data(), {2, batch}, at::kInt), true);
  place(recording, sequences);
  if (recording.rotary != decoder_.rotary().cos().const_data_ptr()) {
    recording.rotary = decoder_.rotary().cos().const_data_ptr();
    recording.replay = step_kernels(decoder_.device().type()).record([&] { compute(recording); });
  }
  recording.replay();
  for (Sequence* sequence : sequences) ++sequence->tokens;
  const at::Tensor choices = recording.choices.to(at::kCPU);
  const std::int64_t* choice = choices.const_data_ptr<std::int64_t>();
  StepResult result{{}, {}, recording.logits};
  for (std::int64_t row = 0; row < batch; ++row) {
    result.greedy.push_back(static_cast<std::int32_t>(choice[row]));
    result.finite.push_back(choice[batch + row] != 0);
  }
  return result;
}

}  // namespace elastic::engine
