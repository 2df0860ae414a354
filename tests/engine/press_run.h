#pragma once

// Presses as tests run them: over a prompt in calls of some rows, and decode steps after that.

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/registry.h"
#include "engine/attention/attention_backend.h"
#include "engine/attention/press.h"
#include "engine/attention/registry.h"
#include "engine/model/kv_cache.h"
#include "tests/engine/all_heads.h"
#include "tests/engine/press_visibility.h"

namespace elastic::testing {

/// A press of a model whose RoPE turns by `frequencies`, fp32 [head_dim / 2].
inline std::unique_ptr<engine::HeadMode> press_of(const std::string& text,
                                                  const at::Tensor& frequencies = {}) {
  engine::ModeOptions options(text);
  auto mode = find_entry(engine::head_modes(), "mode", options.name())
                  .make(options, {.layers = 1, .rope = {frequencies}});
  options.finish();
  return mode;
}

/// What the mode keeps of a prompt that comes in calls of `step` rows.
inline engine::KeptKeys keep_of(const engine::HeadMode& mode, const engine::AttentionInput& prompt,
                                std::int64_t step) {
  engine::HeadState state;
  engine::KeptKeys kept;
  for (std::int64_t start = 0; start < prompt.q.size(1); start += step) {
    EXPECT_TRUE(kept.empty()) << "the last rows say it";
    engine::AttentionInput rows = prompt;
    const std::int64_t count = std::min(step, prompt.q.size(1) - start);
    rows.q = prompt.q.narrow(1, start, count);
    if (prompt.plain_q.defined()) rows.plain_q = prompt.plain_q.narrow(1, start, count);
    rows.q_start = start;
    kept = mode.keep_keys(rows, state);
  }
  EXPECT_TRUE(state.tensors.empty()) << "nothing stays behind";
  return kept;
}

/// As sets; those of a prompt of which everything is kept too.
inline KeptSets sets_of(const engine::KeptKeys& kept, const engine::AttentionInput& prompt) {
  KeptSets sets(static_cast<std::size_t>(prompt.k.size(0)));
  for (std::size_t head = 0; head < sets.size(); ++head) {
    if (kept.empty()) {
      for (std::int64_t j = 0; j < prompt.k.size(1); ++j) sets[head].insert(j);
      continue;
    }
    const at::Tensor positions = kept[head].contiguous();
    const std::int64_t* p = positions.const_data_ptr<std::int64_t>();
    EXPECT_TRUE(std::is_sorted(p, p + positions.numel()));
    sets[head].insert(p, p + positions.numel());
    EXPECT_EQ(static_cast<std::int64_t>(sets[head].size()), positions.numel());
  }
  return sets;
}

/// A cache of one layer that holds the prompt, with room for no more.
inline engine::KvCache cache_of(const engine::AttentionInput& prompt) {
  engine::KvCache cache({.layers = 1,
                         .heads = prompt.k.size(0),
                         .head_dim = prompt.k.size(2),
                         .dtype = prompt.k.scalar_type()},
                        prompt.k.size(1));
  const engine::KvView room = cache.write_rows(0, 0, prompt.k.size(1));
  room.k.copy_(prompt.k);
  room.v.copy_(prompt.v);
  return cache;
}

struct Attended {
  at::Tensor out, lse;  // [heads_q, 1, head_dim], [heads_q, 1]
};

/// One query over what the cache holds of `tokens` positions.
inline Attended attend_cache(const engine::KvCache& cache, const at::Tensor& q, double scale,
                             std::int64_t tokens, std::int64_t heads_kv) {
  Attended all{at::empty_like(q), at::empty({q.size(0), 1}, at::kFloat)};
  const std::int64_t group = q.size(0) / heads_kv;
  for (const engine::KvView& view : cache.read_step(0, tokens)) {
    for (std::int64_t i = 0; i < view.k.size(0); ++i) {
      const std::int64_t head = view.heads.defined() ? view.heads[i].item<std::int64_t>() : i;
      const engine::AttentionInput one{q.narrow(0, head * group, group), view.k.narrow(0, i, 1),
                                       view.v.narrow(0, i, 1), view.k.size(1) - 1, scale};
      at::Tensor out = all.out.narrow(0, head * group, group);
      at::Tensor lse = at::empty({group, 1}, at::kFloat);
      engine::masked_attention(one, all_heads(one), dense_mask(one.span()), out, &lse);
      all.lse.narrow(0, head * group, group).copy_(lse);
    }
  }
  return all;
}

}  // namespace elastic::testing
