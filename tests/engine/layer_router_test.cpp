// A layer's router over the chunks of a prompt, where no kernel takes its keys: what the policy is
// told, and of which rows it hears.

#include "engine/model/layer_router.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace elastic::engine {
namespace {

class Echo final : public HeadPolicy {
 public:
  explicit Echo(bool needs_keys) : needs_keys_(needs_keys) {}
  std::string describe() const override { return {}; }
  bool needs_keys() const override { return needs_keys_; }
  HeadDecision decide(std::int64_t layer, const at::Tensor& pooled_keys) const override {
    HeadDecision decision;
    decision.is_sparse = {static_cast<std::uint8_t>(layer)};
    decision.pooled_keys = pooled_keys;
    return decision;
  }

 private:
  bool needs_keys_;
};

TEST(LayerRouter, TellsThePolicyTheMeanOfBothWindowsInAnyChunks) {
  const Echo policy(true);
  StageClock clock(at::kCPU);
  for (const std::int64_t tokens : {1, 5, 99, 300}) {
    const at::Tensor keys = at::randn({tokens, 2, 4});
    const std::int64_t n = std::min<std::int64_t>(10, tokens);
    const at::Tensor wanted = (keys.narrow(0, 0, n).sum(0) + keys.narrow(0, tokens - n, n).sum(0)) /
                              (2 * static_cast<double>(n));
    for (const std::int64_t chunk : {7, 64, 1000}) {
      LayerRouter router(policy, 3, {tokens, 10}, clock);
      for (std::int64_t first = 0; first < tokens; first += chunk) {
        const std::int64_t rows = std::min(chunk, tokens - first);
        EXPECT_EQ(router.reads(first, rows), first < 10 || first + rows > tokens - 10);
        if (router.reads(first, rows)) router.add(keys.narrow(0, first, rows), first);
      }
      const HeadDecision decision = router.decide();
      EXPECT_EQ(decision.is_sparse[0], 3);
      EXPECT_LT((decision.pooled_keys - wanted).abs().max().item<double>(), 1e-6);
    }
  }
}

TEST(LayerRouter, PoliciesThatReadNoKeysGetNone) {
  const Echo policy(false);
  StageClock clock(at::kCPU);
  LayerRouter router(policy, 1, {20, 10}, clock);
  EXPECT_FALSE(router.reads(0, 20));
  EXPECT_FALSE(router.decide().pooled_keys.defined());
}

}  // namespace
}  // namespace elastic::engine
