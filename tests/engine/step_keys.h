#pragma once

// What a decode step reads, as sets to compare.

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "engine/attention/attention_backend.h"
#include "engine/attention/reference.h"
#include "engine/kernels/block_mask.h"
#include "tests/engine/all_heads.h"
#include "tests/testing/tolerance.h"

namespace elastic::testing {

/// Units of `unit` keys of which the newest of `tokens` positions sees a key.
inline std::set<std::int64_t> units_read(const engine::BlockMask& mask, std::int64_t h,
                                         std::int64_t tokens, std::int64_t unit = 1) {
  std::set<std::int64_t> units;
  for (std::int64_t j = 0; j < tokens; ++j) {
    if (is_visible(mask, h, tokens - 1, j)) units.insert(j / unit);
  }
  return units;
}

/// A step of all heads under `mask` reads the units that `wanted(head)` says, and attends to no
/// other keys than these.
template <typename Wanted>
void expect_step(const engine::AttentionInput& input, const engine::BlockMask& mask,
                 std::int64_t unit, const Wanted& wanted, const std::string& what) {
  const std::int64_t tokens = input.k.size(1);
  for (std::int64_t h = 0; h < input.q.size(0); ++h) {
    EXPECT_EQ(units_read(mask, h, tokens, unit), wanted(h))
        << what << " head " << h << ", " << tokens << " keys";
  }
  const std::vector<int> heads = all_heads(input);
  at::Tensor out = at::full(input.q.sizes(), 7.0);
  engine::masked_attention(input, heads, mask, out);
  const at::Tensor truth = engine::reference_attention(input, heads, mask).out;
  EXPECT_LT((out.to(at::kDouble) - truth).abs().max().item<double>(), kAttentionFp32);
}

}  // namespace elastic::testing
