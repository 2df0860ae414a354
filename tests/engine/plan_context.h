#pragma once

// A small model as plans see it, with routers that decide nothing; and what a refused mode says.

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/attention/attention_plan.h"

namespace elastic::engine::plan_tests {

inline constexpr std::int64_t kLayers = 2, kHeadsKv = 3, kHeadsQ = 6, kDim = 16;

inline std::vector<RouterWeights> zero_routers() {
  const auto weight = [](std::int64_t out, std::int64_t in) { return at::zeros({out, in}); };
  const RouterWeights zero{weight(64, kDim), at::zeros({64}), weight(kDim, 64), at::zeros({kDim}),
                           weight(64, kDim), at::zeros({64}), weight(kDim, 64), at::zeros({kDim}),
                           weight(2, kDim),  at::zeros({2})};
  return {static_cast<std::size_t>(kLayers), zero};
}

inline PlanContext context(std::span<const RouterWeights> routers = {}) {
  return {.layers = kLayers,
          .heads_q = kHeadsQ,
          .heads_kv = kHeadsKv,
          .sink = {},
          .local = {},
          .routers = routers};
}

inline std::string error_of(const std::string& mode, const PlanContext& with, ErrorKind kind) {
  try {
    make_attention_plan(mode, with);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "`" << mode << "` was accepted";
  return {};
}

}  // namespace elastic::engine::plan_tests
