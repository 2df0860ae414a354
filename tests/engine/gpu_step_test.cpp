// Kernels of a decode step on the GPU beside their definitions in float64, and a recorded step
// beside one made of ATen operations: ragged batches, caches that grow or are cut on the way.

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <string>
#include <vector>

#include "engine/device/stage_clock.h"
#include "engine/device/step_kernels.h"
#include "engine/kernels/kv_slot.h"
#include "engine/model/recorded_step.h"
#include "tests/engine/gpu.h"
#include "tests/engine/small_config.h"
#include "tests/testing/tolerance.h"

namespace elastic::engine {
namespace {

double relative(const at::Tensor& got, const at::Tensor& wanted) {
  const at::Tensor truth = wanted.to(at::kDouble);
  return ((got.to(at::kDouble) - truth).norm() / truth.norm()).item<double>();
}

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

TEST_F(Gpu_Step, AttendEqualsFloat64AtAnyNumberOfKeysAndInRings) {
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
        const bool ring = head % 3 == 1 && position >= 300;  // 40 sinks and the last 200
        const std::int64_t rows = ring ? 240 : position + 1;
        at::Tensor k = at::full({rows + 5, c.dim}, NAN, bf16()), v = k.clone();
        k.narrow(0, 0, rows).copy_(at::randn({rows, c.dim}, bf16()));
        v.narrow(0, 0, rows).copy_(at::randn({rows, c.dim}, bf16()));
        slots.push_back({k.data_ptr(), v.data_ptr(), ring ? 40 : 0, ring ? 200 : 0});
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
        EXPECT_LT(relative(out[b][head], at::matmul(weights, held[at + 1].to(at::kDouble))),
                  elastic::testing::kHeadBf16)
            << positions[static_cast<std::size_t>(b)] << " head " << head << " d" << c.dim;
      }
    }
    const at::Tensor again = at::full(q.sizes(), 8.0, q.options());
    kernels().attend(layer, q, again);
    EXPECT_TRUE(out.equal(again)) << "the same inputs give the same bits";
  }
}

TEST_F(Gpu_Step, GateAndRotateEqualTheirDefinitions) {
  for (const std::int64_t rows : {1, 3, 1000}) {
    constexpr std::int64_t kWide = 344;
    const at::Tensor x = at::randn({rows, 2 * kWide}, bf16()).mul(3);
    const at::Tensor out = at::full({rows, kWide}, 7.0, bf16());
    kernels().gate(x, out);
    const at::Tensor gate = x.narrow(1, 0, kWide).to(at::kDouble);
    EXPECT_LT(relative(out, gate / (1 + (-gate).exp()) * x.narrow(1, kWide, kWide).to(at::kDouble)),
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
      EXPECT_LT(relative(turned.transpose(0, 1), at::cat({a * c - b * s, b * c + a * s}, 2)), 5e-3);
    }
  }
}

ModelConfig step_config(bool qk_norm) {
  ModelConfig config = elastic::testing::small_config(3);
  config.qk_norm = qk_norm;
  return config;
}

TEST_F(Gpu_Step, ARecordedStepEqualsOneOfAtenOperations) {
  const c10::InferenceMode no_gradients;
  for (const bool qk_norm : {false, true}) {
    for (const char* mode : {"fa", "fa-ssa:sink=128,local=256,decode=sparse", "ssa:decode=full"}) {
      Decoder decoder(random_weights(step_config(qk_norm), at::kBFloat16, device_, 5), 0);
      PlanContext context;
      context.layers = 3;
      context.heads_q = 8;
      context.heads_kv = 4;
      context.routers = decoder.weights().routers;
      const AttentionPlan plan = make_attention_plan(mode, context);
      RecordedStep recorded(decoder);
      ASSERT_TRUE(recorded.takes(plan));
      // 381 and 384 reach the window of the cut on the way, 130 outgrows what its cache began with.
      std::vector<Sequence> a, b;
      for (const std::int64_t tokens : {381, 384, 1111, 130, 1}) {
        std::vector<std::int32_t> ids;
        for (std::int64_t i = 0; i < tokens; ++i)
          ids.push_back(static_cast<std::int32_t>(i * 7 % 500));
        for (std::vector<Sequence>* to : {&a, &b}) {
          to->push_back(decoder.start(tokens + 2));
          StageClock clock(device_);
          decoder.prefill(to->back(), ids, plan, clock);
        }
      }
      for (int step = 0; step < 70; ++step) {
        // Sequences drop out as answers end: other batches, other recordings.
        const std::size_t batch = step < 20 ? a.size() : a.size() - 2;
        std::vector<Sequence*> first, second;
        std::vector<std::int32_t> ids;
        for (std::size_t i = 0; i < batch; ++i) {
          first.push_back(&a[i]);
          second.push_back(&b[i]);
          ids.push_back((step * 31 + static_cast<std::int32_t>(i) * 17) % 500);
        }
        const at::Tensor wanted = decoder.logits(decoder.step(first, ids, plan));
        const StepResult got = recorded.run(second, ids, plan);
        ASSERT_LT(relative(got.logits, wanted), 2e-2) << mode << ", step " << step;
        const at::Tensor best = got.logits.argmax(1).cpu();
        for (std::size_t i = 0; i < batch; ++i) {
          EXPECT_EQ(got.greedy[i], best[static_cast<std::int64_t>(i)].item<std::int64_t>());
          EXPECT_TRUE(got.finite[i]);
        }
      }
      for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_EQ(a[i].cache.bytes(a[i].tokens), b[i].cache.bytes(b[i].tokens));
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
  Sequence* one = &sequence;
  EXPECT_FALSE(recorded.run({&one, 1}, std::vector<std::int32_t>{4}, plan).finite[0]);
}

}  // namespace
}  // namespace elastic::engine
