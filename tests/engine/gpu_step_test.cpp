// Kernels of a decode step on the GPU beside their definitions in float64, and a recorded step
// beside one made of ATen operations: ragged batches, caches that grow or are cut on the way.

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "engine/attention/page_bounds.h"
#include "engine/device/stage_clock.h"
#include "engine/device/step_kernels.h"
#include "engine/kernels/kv_slot.h"
#include "engine/kernels/step_linear.h"
#include "engine/model/recorded_step.h"
#include "tests/engine/gpu.h"
#include "tests/engine/recorded_steps.h"
#include "tests/engine/relative_error.h"
#include "tests/testing/tolerance.h"

namespace elastic::engine {
namespace {

using elastic::testing::plan_of;
using elastic::testing::relative_error;
using elastic::testing::step_config;

class Gpu_Step : public elastic::testing::GpuSuite {
 protected:
  const StepKernels& kernels() const { return step_kernels(at::kCUDA); }
  at::TensorOptions bf16() const { return at::TensorOptions(at::kBFloat16).device(device_); }
  at::Tensor there(const std::vector<std::int32_t>& values) const {
    return at::tensor(values, at::kInt).to(device_);
  }
  at::Tensor there(const std::vector<KvSlot>& slots) const {
    return at::from_blob(const_cast<KvSlot*>(slots.data()),
                         {static_cast<std::int64_t>(slots.size() * sizeof(KvSlot))}, at::kByte)
        .to(device_);
  }
};

TEST_F(Gpu_Step, AttendEqualsFloat64AtAnyNumberOfKeysInRingsAndAfterEvictions) {
  struct Case {
    std::int64_t heads_kv, group, dim;
  };
  for (const Case& c : {Case{3, 1, 64}, {2, 4, 128}, {1, 16, 64}, {8, 4, 128}, {3, 2, 64}}) {
    const std::vector<std::int32_t> positions = {0, 1, 62, 63, 64, 300, 4096, 20000};
    const auto batch = static_cast<std::int64_t>(positions.size());
    std::vector<at::Tensor> held;
    std::vector<KvSlot> slots;
    for (const std::int32_t position : positions) {
      for (std::int64_t head = 0; head < c.heads_kv; ++head) {
        const bool ring = head % 3 == 1 && position >= 300;          // 40 sinks and the last 200
        const std::int32_t gone = head % 3 == 2 ? position / 3 : 0;  // evicted
        const std::int64_t rows = ring ? 240 : position + 1 - gone;
        at::Tensor k = at::full({rows + 5, c.dim}, NAN, bf16()), v = k.clone();
        k.narrow(0, 0, rows).copy_(at::randn({rows, c.dim}, bf16()));
        v.narrow(0, 0, rows).copy_(at::randn({rows, c.dim}, bf16()));
        slots.push_back({k.data_ptr(), v.data_ptr(), ring ? 40 : 0, ring ? 200 : 0, gone});
        held.insert(held.end(), {k.narrow(0, 0, rows), v.narrow(0, 0, rows)});
      }
    }
    const StepLayer layer{c.heads_kv * c.group, c.heads_kv, there(positions), there(slots)};
    const at::Tensor q = at::randn({batch, layer.heads_q, c.dim}, bf16());
    const at::Tensor out = at::full(q.sizes(), 7.0, q.options());
    kernels().attend(layer, q, out);
    for (std::int64_t b = 0; b < batch; ++b) {
      for (std::int64_t head = 0; head < layer.heads_q; ++head) {
        const auto at = static_cast<std::size_t>(2 * (b * c.heads_kv + head / c.group));
        const at::Tensor scores = at::matmul(held[at].to(at::kDouble), q[b][head].to(at::kDouble));
        const at::Tensor weights =
            at::softmax(scores.div(std::sqrt(static_cast<double>(c.dim))), 0);
        EXPECT_LT(relative_error(out[b][head], at::matmul(weights, held[at + 1].to(at::kDouble))),
                  elastic::testing::kHeadBf16)
            << positions[static_cast<std::size_t>(b)] << " head " << head << " d" << c.dim;
      }
    }
    const at::Tensor again = at::full(q.sizes(), 8.0, q.options());
    kernels().attend(layer, q, again);
    EXPECT_TRUE(out.equal(again)) << "the same inputs give the same bits";
  }
}

// bool [keys]: the pages that a query [dim] reads of keys [n, dim], in float64.
at::Tensor pages_read(const PageRule& rule, const at::Tensor& q, const at::Tensor& low,
                      const at::Tensor& high, std::int64_t keys) {
  at::Tensor scores = at::maximum(q * low, q * high).sum(-1);  // [pages] or [group, pages]
  if (rule.group) scores = scores.sum(0);
  if (rule.newest) scores[-1].fill_(INFINITY);
  const std::int64_t count = std::min<std::int64_t>(rule.count, scores.size(0));
  const at::Tensor last = std::get<0>(scores.sort(true, 0, true))[count - 1];
  return (scores >= last).repeat_interleave(rule.page).narrow(0, 0, keys);
}

TEST_F(Gpu_Step, AttendReadsThePagesOfTheBestBounds) {
  constexpr std::int64_t kRoom = 4096;  // pages
  for (const PageRule& rule : {PageRule{16, 64, 4, true, false},
                               {8, 100, 12, true, true},
                               {32, 256, 8, false, false},
                               {64, 1024, 16, true, false}}) {
    for (const std::array<std::int64_t, 3>& sizes :
         {std::array<std::int64_t, 3>{2, 4, 128}, {3, 1, 64}, {1, 16, 64}}) {
      const std::int64_t heads_kv = sizes[0], group = sizes[1], dim = sizes[2];
      const std::vector<std::int32_t> positions = {0, 62, 99, 100, 255, 1023, 1024, 5000, 30001};
      const auto batch = static_cast<std::int64_t>(positions.size());
      std::vector<at::Tensor> held;
      std::vector<KvSlot> slots;
      for (const std::int32_t position : positions) {
        for (std::int64_t head = 0; head < heads_kv; ++head) {
          const at::Tensor k = at::randn({1, position + 1, dim}, bf16()),
                           v = at::randn({position + 1, dim}, bf16());
          const at::Tensor low = page_bounds(k, rule.page, false),
                           high = page_bounds(k, rule.page, true);
          KvSlot slot{k.data_ptr(), v.data_ptr()};
          if (head < 2) slot.pages = rule;  // a third head reads all
          slot.low = low.data_ptr();
          slot.high = high.data_ptr();
          slots.push_back(slot);
          held.insert(held.end(), {k[0], v, low[0], high[0]});
        }
      }
      StepLayer layer{heads_kv * group, heads_kv, there(positions), there(slots)};
      layer.pages = {
          at::empty({batch, layer.heads_q, kRoom}, at::TensorOptions(at::kFloat).device(device_)),
          at::empty({batch, layer.heads_q, kRoom / 32},
                    at::TensorOptions(at::kInt).device(device_)),
          at::empty({batch, heads_kv}, at::TensorOptions(at::kInt).device(device_))};
      const at::Tensor q = at::randn({batch, heads_kv, group, dim}, bf16());
      const at::Tensor out = at::full(q.sizes(), 7.0, q.options());
      const auto by_head = [&](const at::Tensor& x) { return x.view({batch, layer.heads_q, dim}); };
      kernels().attend(layer, by_head(q), by_head(out));
      for (std::int64_t b = 0; b < batch; ++b) {
        const std::int64_t keys = positions[static_cast<std::size_t>(b)] + 1;
        for (std::int64_t head = 0; head < heads_kv; ++head) {
          const at::Tensor* own = held.data() + 4 * (b * heads_kv + head);
          const auto wide = [&](int which) { return own[which].to(at::kDouble); };
          const bool chooses = head < 2 && keys > rule.budget;
          at::Tensor read = at::zeros({keys}, at::kBool).to(device_);
          for (std::int64_t g = 0; g < group; ++g) {
            const at::Tensor query = q[b][head].to(at::kDouble);  // [group, dim]
            const at::Tensor pages =
                chooses ? pages_read(rule, rule.group ? query.unsqueeze(1) : query[g], wide(2),
                                     wide(3), keys)
                        : at::ones({keys}, at::kBool).to(device_);
            read = read | pages;
            const at::Tensor scores = at::matmul(wide(0), query[g])
                                          .div(std::sqrt(static_cast<double>(dim)))
                                          .masked_fill(~pages, -INFINITY);
            EXPECT_LT(relative_error(out[b][head][g], at::matmul(at::softmax(scores, 0), wide(1))),
                      elastic::testing::kHeadBf16)
                << keys << " keys, head " << head << "." << g << ", pages of " << rule.page;
          }
          EXPECT_EQ(layer.pages.keys[b][head].item<std::int64_t>(),
                    read.sum().item<std::int64_t>());
        }
      }
      const at::Tensor again = at::full(q.sizes(), 8.0, q.options());
      kernels().attend(layer, by_head(q), by_head(again));
      EXPECT_TRUE(out.equal(again)) << "the same inputs give the same bits";
    }
  }
}

TEST_F(Gpu_Step, GateAndRotateEqualTheirDefinitions) {
  for (const std::int64_t rows : {1, 3, 1000}) {
    constexpr std::int64_t kWide = 344;
    const at::Tensor x = at::randn({rows, 2 * kWide}, bf16()).mul(3);
    const at::Tensor out = at::full({rows, kWide}, 7.0, bf16());
    kernels().gate(x, out);
    const at::Tensor gate = x.narrow(1, 0, kWide).to(at::kDouble);
    EXPECT_LT(
        relative_error(out, gate / (1 + (-gate).exp()) * x.narrow(1, kWide, kWide).to(at::kDouble)),
        5e-3);
    for (const std::int64_t dim : {64, 128}) {
      const at::Tensor wide = at::randn({rows, 5, dim + 8}, bf16());
      const at::Tensor heads = wide.narrow(1, 1, 3).narrow(2, 0, dim);
      const at::Tensor cos = at::rand({rows, dim / 2}, bf16()),
                       sin = at::rand({rows, dim / 2}, bf16());
      const at::Tensor turned = at::full({3, rows + 2, dim}, 7.0, bf16()).narrow(1, 1, rows);
      kernels().rotate(heads, cos, sin, turned);
      const at::Tensor a = heads.narrow(2, 0, dim / 2).to(at::kDouble),
                       b = heads.narrow(2, dim / 2, dim / 2).to(at::kDouble);
      const at::Tensor c = cos.unsqueeze(1).to(at::kDouble), s = sin.unsqueeze(1).to(at::kDouble);
      EXPECT_LT(relative_error(turned.transpose(0, 1), at::cat({a * c - b * s, b * c + a * s}, 2)),
                5e-3);
    }
  }
}

at::Tensor library_end(const at::Tensor& product, LinearEnd end, const at::Tensor& y) {
  if (end == LinearEnd::kStore) return product;
  if (end == LinearEnd::kAdd) return product + y.to(at::kDouble);
  const std::int64_t n = product.size(1) / 2;
  const at::Tensor gate = product.narrow(1, 0, n);
  return gate / (1 + (-gate).exp()) * product.narrow(1, n, n);
}

TEST_F(Gpu_Step, LinearEqualsFloat64AndEachRowIsTheSameBitsAlone) {
  struct Case {
    std::int64_t in, out;
    bool bias;
  };
  for (const Case& c : {Case{32, 8, true},
                        {576, 960, false},
                        {4096, 1000, true},
                        {1536, 13, false},
                        {14336, 512, false},
                        {4128, 2000, true},
                        {576, 9000, false}}) {
    for (const LinearEnd end : {LinearEnd::kStore, LinearEnd::kAdd, LinearEnd::kGate}) {
      const std::int64_t outputs = end == LinearEnd::kGate ? 2 * c.out : c.out;
      const at::Tensor weight = at::randn({outputs, c.in}, bf16()).mul(.05);
      const at::Tensor bias = c.bias ? at::randn({outputs}, bf16()) : at::Tensor();
      const at::Tensor all_x = at::randn({kStepRows, c.in}, bf16());
      const at::Tensor all_y = at::randn({kStepRows, c.out}, bf16());
      at::Tensor alone;  // of row 0
      for (const std::int64_t rows : {1, 2, 8, 9, 16, 17, 32, 33, 64}) {
        const at::Tensor x = all_x.narrow(0, 0, rows), y = all_y.narrow(0, 0, rows).clone();
        at::Tensor product = at::matmul(x.to(at::kDouble), weight.to(at::kDouble).t());
        if (c.bias) product = product + bias.to(at::kDouble);
        const at::Tensor wanted = library_end(product, end, y);
        kernels().linear(x, weight, bias, end, y);
        EXPECT_LT(relative_error(y, wanted), 1e-2) << c.in << " -> " << c.out << ", rows " << rows;
        if (rows == 1) alone = y[0].clone();
        EXPECT_TRUE(y[0].equal(alone)) << c.in << " -> " << c.out << ", rows " << rows;
      }
    }
  }
}

TEST_F(Gpu_Step, NormEqualsItsDefinition) {
  for (const std::int64_t width : {32, 576, 4096, 8200}) {
    const at::Tensor x = at::randn({5, width}, bf16()).mul(3), weight = at::rand({width}, bf16());
    const at::Tensor out = at::full(x.sizes(), 7.0, bf16());
    kernels().norm(x, weight, 1e-5, out);
    const at::Tensor wide = x.to(at::kDouble);
    const at::Tensor wanted = wide / (wide.pow(2).mean(1, true) + 1e-5).sqrt();
    EXPECT_LT(relative_error(out, wanted * weight.to(at::kDouble)), 5e-3) << width;
  }
}

TEST_F(Gpu_Step, ARecordedStepEqualsOneOfAtenOperations) {
  const c10::InferenceMode no_gradients;
  for (const bool qk_norm : {false, true}) {
    for (const char* mode :
         {"fa", "fa-ssa:sink=128,local=256,decode=sparse", "ssa:decode=full", "snapkv:budget=200",
          "snapkv:budget=200,adakv=0.2", "streamingllm:budget=150", "tova:ratio=0.5",
          "expected-attention:ratio=0.5", "quest:page=16,budget=256", "quest:page=8,budget=400",
          "quest:page=64,budget=256,share=group_sum", "quest:page=32,budget=200,rule=all"}) {
      Decoder decoder(random_weights(step_config(qk_norm), at::kBFloat16, device_, 5), 0);
      elastic::testing::expect_recorded_as_composed(decoder, mode);
    }
  }
}

// Tokens of greedy answers of `steps` tokens, and the logits of the last step, of sequences that
// begin and end at different steps: `batch` of them at most take a step together.
struct Spoken {
  std::vector<std::vector<std::int32_t>> ids;
  std::vector<at::Tensor> logits;
};

Spoken speak(Decoder& decoder, const AttentionPlan& plan, std::size_t batch, std::size_t steps) {
  constexpr std::int64_t kPromptTokens[] = {700, 129,  1,  2000, 256, 64,
                                            333, 1500, 90, 4097, 31,  1024};
  RecordedStep recorded(decoder);
  Spoken spoken;
  std::vector<Sequence> sequences;
  sequences.reserve(std::size(kPromptTokens));
  std::vector<std::size_t> running;
  std::size_t next = 0;
  while (next < std::size(kPromptTokens) || !running.empty()) {
    if (next < std::size(kPromptTokens) && running.size() < batch) {
      std::vector<std::int32_t> ids;
      for (std::int64_t i = 0; i < kPromptTokens[next]; ++i) {
        ids.push_back(static_cast<std::int32_t>((i * 13 + kPromptTokens[next]) % 500));
      }
      sequences.push_back(decoder.start(kPromptTokens[next] + 3));
      StageClock clock(decoder.device());
      decoder.prefill(sequences.back(), ids, plan, clock);
      spoken.ids.push_back({7});
      spoken.logits.emplace_back();
      running.push_back(next++);
    }
    std::vector<StepRow> rows;
    rows.reserve(running.size());
    for (const std::size_t i : running) {
      rows.push_back({&sequences[i], spoken.ids[i].back(), &plan});
    }
    const StepResult step = recorded.run(rows);
    for (std::size_t row = 0; row < running.size(); ++row) {
      spoken.ids[running[row]].push_back(step.greedy[row]);
      spoken.logits[running[row]] = step.logits[static_cast<std::int64_t>(row)].clone();
    }
    std::erase_if(running, [&](std::size_t i) { return spoken.ids[i].size() > steps; });
  }
  return spoken;
}

TEST_F(Gpu_Step, ASequenceIsTheSameBitsAloneAndInAnyBatch) {
  const c10::InferenceMode no_gradients;
  for (const char* mode :
       {"fa", "fa-ssa:sink=128,local=256,decode=sparse", "snapkv:budget=200,adakv=0.2",
        "streamingllm:budget=150", "quest:page=16,budget=256"}) {
    Decoder decoder(random_weights(step_config(true), at::kBFloat16, device_, 6), 0);
    const AttentionPlan plan = plan_of(decoder, mode);
    const Spoken alone = speak(decoder, plan, 1, 40);
    for (const std::size_t batch : {2, 3, 7, 12}) {
      const Spoken together = speak(decoder, plan, batch, 40);
      EXPECT_EQ(together.ids, alone.ids) << mode << ", batch " << batch;
      for (std::size_t i = 0; i < alone.logits.size(); ++i) {
        EXPECT_TRUE(together.logits[i].equal(alone.logits[i])) << mode << ", batch " << batch;
      }
    }
  }
}

TEST_F(Gpu_Step, RowsThatAreNoNumbersAreSeen) {
  const c10::InferenceMode no_gradients;
  DecoderWeights weights = random_weights(step_config(false), at::kBFloat16, device_, 5);
  weights.final_norm.fill_(NAN);
  Decoder decoder(std::move(weights), 0);
  const AttentionPlan plan = make_attention_plan("fa", {.layers = 3, .heads_q = 8, .heads_kv = 4});
  Sequence sequence = decoder.start(8);
  StageClock clock(device_);
  decoder.prefill(sequence, std::vector<std::int32_t>{1, 2, 3}, plan, clock);
  RecordedStep recorded(decoder);
  const StepRow row{&sequence, 4, &plan};
  EXPECT_FALSE(recorded.run({&row, 1}).finite[0]);
}

}  // namespace
}  // namespace elastic::engine
