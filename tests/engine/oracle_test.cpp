// The oracles' decode steps against keys chosen by plain loops, against the stored ones, and in a
// model.

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "engine/attention/attention_backend.h"
#include "engine/attention/attention_plan.h"
#include "engine/attention/reference.h"
#include "engine/io/safetensors.h"
#include "tests/engine/all_heads.h"
#include "tests/engine/golden_counts.h"
#include "tests/engine/golden_run.h"
#include "tests/engine/modes.h"
#include "tests/engine/plan_context.h"
#include "tests/engine/step_keys.h"
#include "tests/engine/stored_tensors.h"
#include "tests/testing/folders.h"
#include "tests/testing/tolerance.h"

namespace elastic::engine {
namespace {

using testing::units_read;

struct OracleSetting {
  std::int64_t topk = 0;  // 0: by mass
  double topp = 0;
  std::int64_t sink = 0, local = 0;

  std::string text() const {
    const std::string window = fmt::format("sink={},local={}", sink, local);
    return topk > 0 ? fmt::format("oracle-topk:k={},{}", topk, window)
                    : fmt::format("oracle-topp:p={},{}", topp, window);
  }
};

std::vector<double> weights_by_definition(const AttentionInput& input, std::int64_t h) {
  const at::Tensor q = input.q.to(at::kDouble).contiguous(),
                   k = input.k.to(at::kDouble).contiguous();
  const std::int64_t tokens = k.size(1), dim = k.size(2), kv = h / (q.size(0) / k.size(0));
  std::vector<double> weights;
  for (std::int64_t j = 0; j < tokens; ++j) {
    double score = 0;
    for (std::int64_t c = 0; c < dim; ++c) {
      score += q.const_data_ptr<double>()[h * dim + c] *
               k.const_data_ptr<double>()[(kv * tokens + j) * dim + c];
    }
    weights.push_back(std::exp(score * input.scale));
  }
  return weights;
}

std::set<std::int64_t> keys_by_definition(const AttentionInput& input, std::int64_t h,
                                          const OracleSetting& s) {
  const std::vector<double> weights = weights_by_definition(input, h);
  const auto tokens = static_cast<std::int64_t>(weights.size());
  std::set<std::int64_t> kept;
  std::vector<std::int64_t> rest;
  for (std::int64_t j = 0; j < tokens; ++j) {
    if (j < s.sink || j >= tokens - s.local || (s.topk > 0 && tokens <= s.topk)) {
      kept.insert(j);
    } else {
      rest.push_back(j);
    }
  }
  const auto weight = [&](std::int64_t j) { return weights[static_cast<std::size_t>(j)]; };
  std::stable_sort(rest.begin(), rest.end(),
                   [&](std::int64_t a, std::int64_t b) { return weight(a) > weight(b); });
  double total = 0, held = 0;
  for (const std::int64_t j : rest) total += weight(j);
  std::int64_t taken = 0;
  for (const std::int64_t j : rest) {
    if (s.topk > 0 ? taken == s.topk : held > s.topp * total) break;
    kept.insert(j);
    held += weight(j);
    ++taken;
  }
  return kept;
}

TEST(Oracle, StepsReadTheKeysOfTheDefinition) {
  const OracleSetting settings[] = {{12},         {12, 0, 4, 8}, {1, 0, 0, 1},    {89},
                                    {90},         {0, 0.7},      {0, 0.7, 4, 8},  {0, 0},
                                    {0, 1, 2, 2}, {0, 0.01, 5},  {40, 0, 60, 40}, {5, 0, 0, 130}};
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(4);
  for (const OracleSetting& s : settings) {
    const auto mode = testing::mode_of(s.text());
    HeadState state;
    for (const std::int64_t tokens : {1, 90, 131}) {
      const AttentionInput input = testing::input_of(
          at::randn({6, 1, 24}).mul(2), at::randn({2, tokens, 24}), at::randn({2, tokens, 24}));
      testing::expect_step(
          input, mode->decode_mask(input, testing::all_heads(input), state), 1,
          [&](std::int64_t h) { return keys_by_definition(input, h, s); }, s.text());
    }
  }
}

// The last of the equal ones is the one that crosses: all of them are read.
TEST(Oracle, EqualKeysAreReadTogetherByMassAndInOrderByCount) {
  const AttentionInput input =
      testing::input_of(at::full({1, 1, 8}, 1.0), at::full({1, 20, 8}, 0.5), at::randn({1, 20, 8}));
  HeadState state;
  const auto read = [&](const char* mode) {
    return units_read(testing::mode_of(mode)->decode_mask(input, std::vector<int>{0}, state), 0,
                      20);
  };
  EXPECT_EQ(read("oracle-topp:p=0.2").size(), 20u);
  EXPECT_EQ(read("oracle-topk:k=3"), (std::set<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(read("oracle-topk:k=0.17"), (std::set<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(read("oracle-topk:k=0.01"), (std::set<std::int64_t>{0})) << "one at least";
}

TEST(Oracle, OptionsAndWhatTheyMayBe) {
  using namespace plan_tests;
  const std::vector<std::pair<std::string, std::string>> texts = {
      {"oracle-topk", "oracle-topk:k=1024,sink=0,local=0"},
      {"oracle-topk:k=0.05,sink=4,local=2k", "oracle-topk:k=0.05,sink=4,local=2048"},
      {"oracle-topp", "oracle-topp:p=0.95,sink=0,local=0"}};
  for (const auto& [text, wanted] : texts) {
    const AttentionPlan plan = make_attention_plan(text, context());
    EXPECT_EQ(plan.describe(), wanted);
    EXPECT_EQ(make_attention_plan(wanted, context()).describe(), wanted);
    EXPECT_EQ(plan.note, "mode `" + text +
                             "`: an oracle reads every key to choose: a bound on quality, never a "
                             "row of speeds");
  }
  const std::vector<std::pair<std::string, std::string>> faults = {
      {"oracle-topk:k=0", "k=0 is not a whole number from 1 up"},
      {"oracle-topk:p=0.5",
       "unknown option of `oracle-topk` `p`; did you mean `k`? known: k, sink, local"},
      {"oracle-topp:p=2", "p=2 is not a number from 0 to 1"},
      {"oracle-topp:sink=-1", "sink=-1 is not a whole number from 0 up"},
      {"fa-oracle-topk", "oracle-topk is a method for all heads of a model; name it alone"}};
  for (const auto& [mode, wanted] : faults) {
    EXPECT_EQ(error_of(mode, context(), ErrorKind::kInvalidArgument),
              "mode `" + mode + "`: " + wanted);
  }
}

TEST(Oracle, ModelsAnswerAsDenseOnesWhereEveryKeyIsRead) {
  const auto generator = testing::cpu_generator(testing::fixture("models/llama_llama3_shards"));
  std::vector<Request> batch;
  for (const std::int64_t tokens : {130, 40, 7}) {
    batch.push_back(testing::request_of(testing::some_ids(tokens, 7), 12));
  }
  const std::vector<Result> dense = generator->generate(batch);
  for (const char* mode : {"oracle-topk:k=150", "oracle-topk:k=1,sink=100,local=50",
                           "oracle-topp:p=1", "oracle-topk:k=3", "oracle-topp:p=0.2,local=1"}) {
    generator->set_mode(mode);
    const std::vector<Result> together = generator->generate(batch);
    const bool all = std::string(mode).find("k=3") == std::string::npos &&
                     std::string(mode).find("p=0.2") == std::string::npos;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      EXPECT_EQ(generator->generate(batch[i]).ids, together[i].ids) << mode;
    }
    for (std::size_t i = 0; all && i < batch.size(); ++i) {
      EXPECT_EQ(together[i].ids, dense[i].ids) << mode;
    }
    EXPECT_EQ(together[0].ids == dense[0].ids, all) << mode;
  }
}

// Step i of the file has N_k - steps + i + 1 keys.
void check_oracle_steps(const SafetensorsFile& file, const std::string& suffix,
                        const OracleSetting& s, double tolerance) {
  const auto mode = testing::mode_of(s.text());
  const at::Tensor q = testing::floats(file, "q"), k = testing::floats(file, "k"),
                   v = testing::floats(file, "v");
  const at::Tensor wanted = testing::floats(file, "out" + suffix);
  const std::vector<std::int64_t> stored = testing::integers(file.at("tokens" + suffix));
  const std::int64_t steps = q.size(1), most = k.size(1);
  HeadState state;
  for (std::int64_t i = 0; i < steps; ++i) {
    const std::int64_t tokens = most - steps + i + 1;
    const AttentionInput input =
        testing::input_of(q.narrow(1, i, 1), k.narrow(1, 0, tokens), v.narrow(1, 0, tokens));
    const std::vector<int> heads = testing::all_heads(input);
    const BlockMask mask = mode->decode_mask(input, heads, state);
    at::Tensor out = at::empty(input.q.sizes());
    masked_attention(input, heads, mask, out);
    EXPECT_LT((out - wanted.narrow(1, i, 1)).abs().max().item<double>(), tolerance) << s.text();
    for (std::int64_t h = 0; h < q.size(0); ++h) {
      std::set<std::int64_t> chosen;
      for (std::int64_t j = 0; j < most; ++j) {
        if (stored[static_cast<std::size_t>((h * steps + i) * most + j)] != 0) chosen.insert(j);
      }
      EXPECT_EQ(units_read(mask, h, tokens), chosen) << s.text() << " head " << h;
    }
  }
}

int check_oracle(const SafetensorsFile& file, const Json& entry) {
  int ran = 0;
  for (const auto& [suffix, variant] : entry.at("params").at("variants").items()) {
    const OracleSetting s{variant.value("topk", std::int64_t{0}), variant.value("topp", 0.0),
                          variant.at("sink"), variant.at("local")};
    check_oracle_steps(file, suffix, s, entry.at("tolerance").at("fp32_abs").get<double>());
    ++ran;
  }
  return ran;
}

const testing::Checks kOracleChecks = {{"oracle", check_oracle}};

TEST(Golden_attention2, OracleSteps) { testing::check_golden("attention2", kOracleChecks); }

TEST(Oracle, OwnFolder) {
  const testing::Counts wanted = {{"oracle", 4}};
  EXPECT_EQ(testing::check_listed(testing::fixture("attention2"), kOracleChecks), wanted);
}

}  // namespace
}  // namespace elastic::engine
