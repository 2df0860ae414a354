// Recorded steps on the CPU, over kernels composed of ATen operations that find keys and values by
// their slots alone, as those of a GPU do.

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>

#include "engine/device/step_kernels.h"
#include "engine/kernels/kv_slot.h"
#include "engine/model/norm.h"
#include "tests/engine/recorded_steps.h"

namespace elastic::engine {
namespace {

const KvSlot& slot_of(const StepLayer& layer, std::int64_t row, std::int64_t kv_head) {
  return static_cast<const KvSlot*>(layer.slots.const_data_ptr())[row * layer.heads_kv + kv_head];
}

at::Tensor rows_at(void* first, std::int64_t rows, std::int64_t dim) {
  return at::from_blob(first, {rows, dim}, at::kBFloat16);
}

at::Tensor turned(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
  return at::cat({a * cos - b * sin, b * cos + a * sin}, -1);
}

void widen(const KvSlot& slot, std::int64_t row, const at::Tensor& key) {
  const std::int64_t page = row / slot.pages.page;
  const auto bound = [&](void* first) { return rows_at(first, page + 1, key.size(0))[page]; };
  const bool opens = row % slot.pages.page == 0;
  bound(slot.low).copy_(opens ? key : at::minimum(bound(slot.low), key));
  bound(slot.high).copy_(opens ? key : at::maximum(bound(slot.high), key));
}

void append(const StepLayer& layer, const at::Tensor& qkv, const at::Tensor& q_norm,
            const at::Tensor& k_norm, double eps, const at::Tensor& cos, const at::Tensor& sin,
            const at::Tensor& q) {
  const std::int64_t dim = q.size(2), heads = layer.heads_q, kv_heads = layer.heads_kv;
  const at::Tensor by_head = qkv.view({-1, heads + 2 * kv_heads, dim});
  for (std::int64_t row = 0; row < q.size(0); ++row) {
    const auto position = layer.positions[row].item<std::int64_t>();
    if (position < 0) continue;
    at::Tensor queries = by_head[row].narrow(0, 0, heads),
               keys = by_head[row].narrow(0, heads, kv_heads);
    if (q_norm.defined()) {
      queries = rms_norm(queries, q_norm, eps);
      keys = rms_norm(keys, k_norm, eps);
    }
    q[row].copy_(turned(queries, cos[position], sin[position]));
    const at::Tensor new_keys = turned(keys, cos[position], sin[position]);
    for (std::int64_t head = 0; head < kv_heads; ++head) {
      const KvSlot& slot = slot_of(layer, row, head);
      const std::int64_t at = slot.local > 0 && position >= slot.sink
                                  ? slot.sink + (position - slot.sink) % slot.local
                                  : position - slot.gone;
      rows_at(slot.k, at + 1, dim)[at].copy_(new_keys[head]);
      rows_at(slot.v, at + 1, dim)[at].copy_(by_head[row][heads + kv_heads + head]);
      if (slot.pages.page > 0) widen(slot, at, new_keys[head]);
    }
  }
}

// The rows of a head's cache that its query q [dim] does not read, bool [rows]: all pages but the
// best by their bounds.
at::Tensor left_out(const KvSlot& slot, std::int64_t rows, const at::Tensor& q) {
  const std::int64_t page = slot.pages.page, pages = (rows + page - 1) / page;
  const at::Tensor query = q.to(at::kFloat);
  at::Tensor scores = at::maximum(query * rows_at(slot.low, pages, q.size(0)).to(at::kFloat),
                                  query * rows_at(slot.high, pages, q.size(0)).to(at::kFloat))
                          .sum(1);
  scores[pages - 1].fill_(INFINITY);
  const at::Tensor best = std::get<0>(scores.sort(true, 0, true)).narrow(0, 0, slot.pages.count);
  return (scores < best.min()).repeat_interleave(page).narrow(0, 0, rows);
}

void attend(const StepLayer& layer, const at::Tensor& q, const at::Tensor& out) {
  const std::int64_t dim = q.size(2), group = layer.heads_q / layer.heads_kv;
  for (std::int64_t row = 0; row < q.size(0); ++row) {
    const auto stored = layer.positions[row].item<std::int64_t>() + 1;
    if (stored == 0) {
      out[row].zero_();
      continue;
    }
    at::Tensor unread;  // by all heads of the group
    for (std::int64_t head = 0; head < layer.heads_q; ++head) {
      const KvSlot& slot = slot_of(layer, row, head / group);
      const std::int64_t rows = slot.local > 0
                                    ? std::min<std::int64_t>(stored, slot.sink + slot.local)
                                    : stored - slot.gone;
      at::Tensor scores =
          at::matmul(rows_at(slot.k, rows, dim).to(at::kFloat), q[row][head].to(at::kFloat)) /
          std::sqrt(static_cast<double>(dim));
      if (head % group == 0) unread = at::zeros({rows}, at::kBool);
      if (slot.pages.page > 0 && stored > slot.pages.budget) {
        const at::Tensor own = left_out(slot, rows, q[row][head]);
        scores = scores.masked_fill(own, -INFINITY);
        unread = head % group == 0 ? own : unread & own;
      }
      if (layer.pages.keys.defined()) {
        layer.pages.keys[row][head / group].fill_(rows - unread.sum().item<std::int64_t>());
      }
      out[row][head].copy_(
          at::matmul(at::softmax(scores, 0), rows_at(slot.v, rows, dim).to(at::kFloat)));
    }
  }
}

void linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, LinearEnd end,
            const at::Tensor& y) {
  const at::Tensor product = bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
  if (end == LinearEnd::kGate) {
    const at::Tensor gate = product.narrow(1, 0, y.size(1)).to(at::kFloat);
    y.copy_(gate.sigmoid() * gate * product.narrow(1, y.size(1), y.size(1)));
  } else {
    y.copy_(end == LinearEnd::kAdd ? y + product : product);
  }
}

// The table of the CPU, for as long as a test runs.
class RecordedSteps : public ::testing::Test {
 protected:
  RecordedSteps() {
    StepKernels& table = step_kernels(at::kCPU);
    table.linear = linear;
    table.norm = [](const at::Tensor& x, const at::Tensor& weight, double eps,
                    const at::Tensor& out) { out.copy_(rms_norm(x, weight, eps)); };
    table.append = append;
    table.attend = attend;
    table.record = [](const std::function<void()>& work) { return work; };
  }
  ~RecordedSteps() override { step_kernels(at::kCPU) = {}; }
};

TEST_F(RecordedSteps, EqualComposedOnesWhateverCachesKeep) {
  const c10::InferenceMode no_gradients;
  for (const char* mode : {"fa", "ssa:sink=128,local=256,decode=sparse", "snapkv:budget=200",
                           "snapkv:budget=200,adakv=0.2", "streamingllm:budget=150",
                           "tova:ratio=0.5", "expected-attention:ratio=0.5",
                           "quest:page=16,budget=256", "quest:page=8,budget=400,dense=1"}) {
    Decoder decoder(random_weights(elastic::testing::step_config(true), at::kBFloat16, at::kCPU, 5),
                    0);
    elastic::testing::expect_recorded_as_composed(decoder, mode);
  }
}

TEST_F(RecordedSteps, TakeWhatReadsAllThatItsCachesHoldOrPages) {
  Decoder decoder(random_weights(elastic::testing::step_config(false), at::kBFloat16, at::kCPU, 5),
                  0);
  const RecordedStep recorded(decoder);
  const auto takes = [&](const char* mode) {
    return recorded.takes(elastic::testing::plan_of(decoder, mode));
  };
  EXPECT_TRUE(takes("snapkv") && takes("fa") && takes("quest"));
  EXPECT_FALSE(takes("oracle-topk") || takes("skip")) << "they choose keys by their scores";
  EXPECT_FALSE(takes("quest:page=24") || takes("quest:page=4")) << "such pages fill no tile";
}

}  // namespace
}  // namespace elastic::engine
