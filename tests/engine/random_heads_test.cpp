// Heads drawn at random, as plans have them.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/attention/attention_plan.h"
#include "tests/engine/plan_context.h"

namespace elastic::engine {
namespace {

using namespace plan_tests;

// Of a model of 4 layers with 8 KV heads, layer by layer.
std::string routing_of(const std::string& mode) {
  const AttentionPlan plan = make_attention_plan(mode, {.layers = 4, .heads_q = 16, .heads_kv = 8});
  std::string heads;
  for (std::int64_t layer = 0; layer < 4; ++layer) {
    for (const std::uint8_t s : plan.policy->decide(layer, {}).is_sparse)
      heads += s != 0 ? '1' : '0';
  }
  return heads;
}

TEST(RandomHeads, AreThoseOfPythonsSample) {
  // random.Random(7).sample(range(32), 6) == [20, 30, 4, 12, 31, 1]
  std::string wanted(32, '0');
  for (const std::size_t head : {20, 30, 4, 12, 31, 1}) wanted[head] = '1';
  EXPECT_EQ(routing_of("fa-ssa:heads=random,sparsity=0.2,seed=7"), wanted);
}

TEST(RandomHeads, AreAsManyAsTheShareSays) {
  const auto sparse = [](const std::string& share) {
    const std::string heads = routing_of("fa-ssa:heads=random,sparsity=" + share);
    return std::count(heads.begin(), heads.end(), '1');
  };
  EXPECT_EQ(sparse("0"), 0);
  EXPECT_EQ(sparse("0.7"), 22);  // 22.4
  EXPECT_EQ(sparse("0.8"), 26);  // 25.6
  EXPECT_EQ(sparse("1"), 32);
  EXPECT_NE(routing_of("fa-ssa:heads=random,sparsity=0.5,seed=1"),
            routing_of("fa-ssa:heads=random,sparsity=0.5,seed=2"));
}

TEST(RandomHeads, DescriptionsParseBackAndFaultsAreNamed) {
  const AttentionPlan plan =
      make_attention_plan("fa-ssa:local=256,heads=random,sparsity=0.5", context());
  EXPECT_EQ(plan.describe(),
            "fa-ssa:sink=128,local=256,block=128,heads=random,sparsity=0.5,seed=42,decode=full");
  EXPECT_EQ(make_attention_plan(plan.describe(), context()).describe(), plan.describe());
  EXPECT_FALSE(plan.policy->needs_keys());
  for (const std::string options : {"heads=random", "heads=even,sparsity=0.5"}) {
    EXPECT_EQ(error_of("fa-ssa:" + options, context(), ErrorKind::kInvalidArgument),
              "mode `fa-ssa:" + options + "`: " + options.substr(0, options.find(',')) +
                  " has to be heads=random, with sparsity=0..1 (share of sparse heads)");
  }
}

}  // namespace
}  // namespace elastic::engine
