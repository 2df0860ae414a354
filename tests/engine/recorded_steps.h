#pragma once

// A recorded step beside one made of ATen operations, over ragged batches whose caches grow, are
// cut or are thinned on the way; for any device that brings step kernels.

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "engine/device/stage_clock.h"
#include "engine/generate/torch_generator.h"
#include "engine/model/recorded_step.h"
#include "tests/engine/relative_error.h"
#include "tests/engine/small_config.h"

namespace elastic::testing {

inline engine::ModelConfig step_config(bool qk_norm) {
  engine::ModelConfig config = small_config(3);
  config.qk_norm = qk_norm;
  return config;
}

inline engine::AttentionPlan plan_of(const engine::Decoder& decoder, const char* mode) {
  engine::PlanContext context = engine::plan_context(decoder.config());
  context.routers = decoder.weights().routers;
  return engine::make_attention_plan(mode, context);
}

inline void expect_recorded_as_composed(engine::Decoder& decoder, const char* mode) {
  const engine::AttentionPlan plan = plan_of(decoder, mode);
  engine::RecordedStep recorded(decoder);
  ASSERT_TRUE(recorded.takes(plan)) << mode;
  // Where pages are chosen, those of nearly equal scores may change places.
  const double most = plan.selects_in_decode() ? 1e-1 : 2e-2,
               most_reads = plan.selects_in_decode() ? 5e-3 : 0;
  // 381 and 384 reach the window of the cut on the way, 130 outgrows what its cache began with.
  std::vector<engine::Sequence> a, b;
  for (const std::int64_t tokens : {381, 384, 1111, 130, 1}) {
    std::vector<std::int32_t> ids;
    for (std::int64_t i = 0; i < tokens; ++i) ids.push_back(static_cast<std::int32_t>(i * 7 % 500));
    for (std::vector<engine::Sequence>* to : {&a, &b}) {
      to->push_back(decoder.start(tokens + 2));
      engine::StageClock clock(decoder.device());
      decoder.prefill(to->back(), ids, plan, clock);
    }
  }
  for (int step = 0; step < 70; ++step) {
    // Sequences drop out as answers end: other batches, other recordings.
    const std::size_t batch = step < 20 ? a.size() : a.size() - 2;
    std::vector<engine::Sequence*> first;
    std::vector<engine::StepRow> second;
    std::vector<std::int32_t> ids;
    for (std::size_t i = 0; i < batch; ++i) {
      first.push_back(&a[i]);
      ids.push_back((step * 31 + static_cast<std::int32_t>(i) * 17) % 500);
      second.push_back({&b[i], ids.back(), &plan});
    }
    const at::Tensor wanted = decoder.logits(decoder.step(first, ids, plan));
    const engine::StepResult got = recorded.run(second);
    ASSERT_LT(relative_error(got.logits, wanted), most) << mode << ", step " << step;
    const at::Tensor best = got.logits.argmax(1).cpu();
    for (std::size_t i = 0; i < batch; ++i) {
      EXPECT_EQ(got.greedy[i], best[static_cast<std::int64_t>(i)].item<std::int64_t>());
      EXPECT_TRUE(got.finite[i]);
    }
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].cache.bytes(a[i].tokens), b[i].cache.bytes(b[i].tokens)) << mode;
    EXPECT_NEAR(*a[i].reads.share(), *b[i].reads.share(), most_reads) << mode;
  }
}

}  // namespace elastic::testing
