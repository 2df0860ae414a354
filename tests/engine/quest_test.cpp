// Quest's decode steps against pages chosen by plain loops, and against the stored ones.

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/attention/attention_backend.h"
#include "engine/attention/reference.h"
#include "engine/io/safetensors.h"
#include "tests/engine/all_heads.h"
#include "tests/engine/golden_counts.h"
#include "tests/engine/modes.h"
#include "tests/engine/step_keys.h"
#include "tests/engine/stored_tensors.h"
#include "tests/testing/folders.h"
#include "tests/testing/tolerance.h"

namespace elastic::engine {
namespace {

using testing::units_read;

struct QuestSetting {
  std::int64_t page = 16, budget = 64;
  bool all = false, group_sum = false;

  std::string text() const {
    return fmt::format("quest:page={},budget={},rule={},share={}", page, budget,
                       all ? "all" : "current", group_sum ? "group_sum" : "head");
  }
};

// Scores of the pages of one query head, value by value.
std::vector<double> scores_by_definition(const AttentionInput& input, std::int64_t h,
                                         std::int64_t page) {
  const at::Tensor q = input.q.to(at::kDouble).contiguous(),
                   k = input.k.to(at::kDouble).contiguous();
  const std::int64_t tokens = k.size(1), dim = k.size(2), kv = h / (q.size(0) / k.size(0));
  const double* row = q.const_data_ptr<double>() + h * dim;
  std::vector<double> scores;
  for (std::int64_t begin = 0; begin < tokens; begin += page) {
    double score = 0;
    for (std::int64_t c = 0; c < dim; ++c) {
      double low = INFINITY, high = -INFINITY;
      for (std::int64_t j = begin; j < std::min(begin + page, tokens); ++j) {
        const double value = k.const_data_ptr<double>()[(kv * tokens + j) * dim + c];
        low = std::min(low, value);
        high = std::max(high, value);
      }
      score += std::max(row[c] * low, row[c] * high);
    }
    scores.push_back(score);
  }
  return scores;
}

std::set<std::int64_t> pages_by_definition(const AttentionInput& input, std::int64_t h,
                                           const QuestSetting& s) {
  const std::int64_t group = input.q.size(0) / input.k.size(0), tokens = input.k.size(1);
  std::vector<double> scores = scores_by_definition(input, h, s.page);
  if (s.group_sum) {
    std::fill(scores.begin(), scores.end(), 0);
    for (std::int64_t g = h / group * group; g < (h / group + 1) * group; ++g) {
      const std::vector<double> one = scores_by_definition(input, g, s.page);
      for (std::size_t i = 0; i < one.size(); ++i) scores[i] += one[i];
    }
  }
  const auto pages = static_cast<std::int64_t>(scores.size());
  std::vector<std::int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  if (tokens <= s.budget || (!s.all && pages <= s.budget / s.page))
    return {order.begin(), order.end()};
  std::set<std::int64_t> chosen;
  std::int64_t room = std::min(pages, std::max<std::int64_t>(3, s.budget / s.page));
  if (!s.all) {
    chosen.insert(pages - 1);
    order.pop_back();
    room = s.budget / s.page - 1;
  }
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
  });
  chosen.insert(order.begin(), order.begin() + room);
  return chosen;
}

TEST(Quest, StepsReadThePagesOfTheDefinition) {
  const QuestSetting settings[] = {{16, 64},   {16, 64, true}, {16, 64, false, true},
                                   {8, 8},     {8, 17, true},  {5, 31, false, true},
                                   {16, 1000}, {16, 120},      {32, 64, true, true}};
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(3);
  for (const QuestSetting& s : settings) {
    const auto mode = testing::mode_of(s.text());
    HeadState state;  // one sequence: the bounds grow from step to step
    const at::Tensor k = at::randn({2, 200, 24}), v = at::randn({2, 200, 24});
    for (const std::int64_t tokens : {90, 91, 96, 97, 130, 200}) {
      const AttentionInput input =
          testing::input_of(at::randn({6, 1, 24}), k.narrow(1, 0, tokens), v.narrow(1, 0, tokens));
      testing::expect_step(
          input, mode->decode_mask(input, testing::all_heads(input), state), s.page,
          [&](std::int64_t h) { return pages_by_definition(input, h, s); }, s.text());
    }
  }
}

// Heads of a subset read what they read among all.
TEST(Quest, SubsetsOfHeadsReadTheirOwnPages) {
  const QuestSetting s{16, 48};
  const auto mode = testing::mode_of(s.text());
  const AttentionInput input =
      testing::input_of(at::randn({6, 1, 16}), at::randn({3, 150, 16}), at::randn({3, 150, 16}));
  HeadState one, other;
  const BlockMask all = mode->decode_mask(input, std::vector<int>{0, 1, 2}, one);
  const BlockMask some = mode->decode_mask(input, std::vector<int>{2, 0}, other);
  for (const auto& [mine, theirs] : {std::pair(0, 4), {1, 5}, {2, 0}, {3, 1}}) {
    EXPECT_EQ(units_read(some, mine, 150, 16), units_read(all, theirs, 150, 16));
  }
}

// Step i of the file has N_k - steps + i + 1 keys.
void check_stored_steps(const SafetensorsFile& file, const Json& params, const std::string& suffix,
                        const Json& variant) {
  const QuestSetting s{params.at("page"), params.at("token_budget"), variant.at("rule") == "all",
                       variant.at("share") == "group_sum"};
  const auto mode = testing::mode_of(s.text());
  const at::Tensor q = testing::floats(file, "q"), k = testing::floats(file, "k"),
                   v = testing::floats(file, "v");
  const at::Tensor wanted = testing::floats(file, "out" + suffix);
  const std::vector<std::int64_t> pages = testing::integers(file.at("pages" + suffix));
  const std::int64_t steps = q.size(1), most = (k.size(1) + s.page - 1) / s.page;
  HeadState state;
  for (std::int64_t i = 0; i < steps; ++i) {
    const std::int64_t tokens = k.size(1) - steps + i + 1;
    const AttentionInput input =
        testing::input_of(q.narrow(1, i, 1), k.narrow(1, 0, tokens), v.narrow(1, 0, tokens));
    const std::vector<int> heads = testing::all_heads(input);
    const BlockMask mask = mode->decode_mask(input, heads, state);
    at::Tensor out = at::empty(input.q.sizes());
    masked_attention(input, heads, mask, out);
    EXPECT_LT((out - wanted.narrow(1, i, 1)).abs().max().item<double>(), 2e-5) << s.text();
    for (std::int64_t h = 0; h < q.size(0); ++h) {
      std::set<std::int64_t> chosen;
      for (std::int64_t p = 0; p < most; ++p) {
        if (pages[static_cast<std::size_t>((h * steps + i) * most + p)] != 0) chosen.insert(p);
      }
      EXPECT_EQ(units_read(mask, h, tokens, s.page), chosen) << s.text() << " head " << h;
    }
  }
}

int check_quest(const SafetensorsFile& file, const Json& entry) {
  int ran = 0;
  for (const auto& [suffix, variant] : entry.at("params").at("variants").items()) {
    check_stored_steps(file, entry.at("params"), suffix, variant);
    ++ran;
  }
  return ran;
}

TEST(Golden_attention2, QuestSteps) {
  testing::check_golden("attention2", {{"quest", check_quest}});
}

}  // namespace
}  // namespace elastic::engine
