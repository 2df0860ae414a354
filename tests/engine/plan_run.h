#pragma once

// A prompt and one step after it through a small model of random weights.

#include <c10/core/InferenceMode.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/attention/attention_plan.h"
#include "engine/device/stage_clock.h"
#include "engine/model/decoder.h"
#include "tests/engine/golden_run.h"
#include "tests/engine/small_config.h"

namespace elastic::testing {

struct PlanRun {
  engine::Trace trace;      // its sparsity
  at::Tensor prompt, step;  // activations of the prompt, and of one token after it
  std::int64_t cache_bytes = 0;
};

/// Whether activations differ in rounding alone.
inline bool same(const at::Tensor& a, const at::Tensor& b) { return a.allclose(b, 1e-4, 1e-5); }

/// The first `tokens` of 301 in chunks of 128, and one more, two layers. Of random weights scores
/// hardly differ.
inline PlanRun run_plan(const std::string& mode, std::int64_t tokens = 300) {
  const c10::InferenceMode no_gradients;
  const engine::ModelConfig config = small_config(2);
  engine::Decoder decoder(engine::random_weights(config, at::kFloat, at::kCPU, 9), 128);
  const engine::AttentionPlan plan = engine::make_attention_plan(
      mode, {.layers = 2, .heads_q = config.heads_q, .heads_kv = config.heads_kv});
  const std::vector<std::int32_t> ids = some_ids(tokens + 1, 7);
  engine::Sequence sequence = decoder.start(tokens + 1);
  engine::StageClock clock(decoder.device());
  PlanRun run;
  run.prompt = decoder.prefill(sequence, std::span(ids).first(ids.size() - 1), plan, clock).clone();
  sequence.sparsity.fill(run.trace);
  std::vector<engine::Sequence*> batch = {&sequence};
  run.step = decoder.step(batch, std::span(ids).last(1), plan);
  run.cache_bytes = sequence.cache.bytes(sequence.tokens);
  return run;
}

}  // namespace elastic::testing
