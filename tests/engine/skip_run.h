#pragma once

// Attention of calls whose loop over key tiles passes over some: results, and which tiles it were.

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/attention/attention_backend.h"
#include "engine/attention/skip_softmax.h"
#include "tests/engine/modes.h"

namespace elastic::testing {

/// Rows [heads, rows, d], and lse [heads, rows] in fp32.
struct Computed {
  at::Tensor out, lse;
};

inline Computed compute(const engine::AttentionInput& input, const engine::HeadGroups& groups) {
  Computed result{at::full(input.q.sizes(), 7.0, input.q.options()),
                  at::full({input.q.size(0), input.q.size(1)}, 7.0)};
  engine::attention_backend(at::kCPU).prefill(input, groups, result.out, &result.lse);
  return result;
}

/// As groups_of(), of a decode step.
inline engine::HeadGroups step_groups(const std::string& text,
                                      const engine::AttentionInput& input) {
  const engine::AttentionPlan plan = plan_of(text, input.k.size(0));
  engine::HeadState state;
  return select_step(plan, plan.policy->decide(0, {}), input, state);
}

/// bool [query heads, query tiles, key tiles]: tiles of `rows` x `keys` that add to any row. Values
/// tell key tiles apart: what a row puts out is its share of each.
inline at::Tensor tiles_seen(engine::AttentionInput input, const engine::HeadGroups& groups,
                             std::int64_t rows, std::int64_t keys) {
  const std::int64_t tokens = input.k.size(1), heads = input.q.size(0), all = input.q.size(1);
  const std::int64_t tiles = (tokens - 1) / keys + 1;
  input.v = at::zeros({input.k.size(0), tokens, tiles}, input.k.options());
  for (std::int64_t j = 0; j < tokens; ++j) input.v.select(1, j).select(1, j / keys).fill_(1);
  at::Tensor shares = at::zeros({heads, all, tiles});
  for (const engine::HeadGroup& group : groups.groups) {
    if (group.kv_heads.empty()) continue;
    engine::skip_softmax_attention(input, group.kv_heads, *group.skip, {}, shares, nullptr);
  }
  std::vector<at::Tensor> seen;
  for (std::int64_t first = 0; first < all; first += rows) {
    seen.push_back(shares.narrow(1, first, std::min(rows, all - first)).amax(1, true) > 0);
  }
  return at::cat(seen, 1);
}

}  // namespace elastic::testing
