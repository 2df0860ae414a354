// The router kernel beside the maps of engine/router in float64 and as ATen rounds them: prompts
// shorter than both windows, chunks, strided keys, sizes of routers and heads.

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <string>

#include "engine/device/step_kernels.h"
#include "engine/model/layer_router.h"
#include "engine/router/router.h"
#include "tests/engine/gpu.h"

namespace elastic::engine {
namespace {

class OneRouter final : public HeadPolicy {
 public:
  explicit OneRouter(const RouterWeights& weights) : weights_(weights) {}
  std::string describe() const override { return {}; }
  bool needs_keys() const override { return true; }
  HeadDecision decide(std::int64_t, const at::Tensor&) const override {
    ADD_FAILURE() << "the kernel decides";
    return {};
  }
  const RouterWeights* router(std::int64_t) const override { return &weights_; }

 private:
  const RouterWeights& weights_;
};

class Gpu_Router : public elastic::testing::GpuSuite {
 protected:
  at::TensorOptions bf16() const { return at::TensorOptions(at::kBFloat16).device(device_); }

  // Outputs of every map about as large as its inputs; biases matter, and logits come out near.
  RouterWeights random_router(std::int64_t dim, std::int64_t expansion, bool two) const {
    RouterWeights router;
    for (const RouterLinear& linear : kRouterLinears) {
      auto shape = router_linear_shape(linear, dim, expansion);
      if (!two && linear.weight == &RouterWeights::logits) shape[0] = 1;
      const double size = 1.7 / std::sqrt(static_cast<double>(shape[1]));
      router.*linear.weight = at::randn(shape, bf16()).mul(size);
      router.*linear.bias = at::randn({shape[0]}, bf16()).mul(0.3);
    }
    return router;
  }

  // Keys as a view into a wider projection, as Llama's are.
  at::Tensor random_keys(std::int64_t tokens, std::int64_t heads, std::int64_t dim) const {
    return at::randn({tokens, 2 * heads * dim}, bf16())
        .narrow(1, 0, heads * dim)
        .view({tokens, heads, dim});
  }
};

HeadDecision decide(const RouterWeights& router, const at::Tensor& keys, std::int64_t window,
                    std::int64_t chunk) {
  const OneRouter policy(router);
  const std::int64_t tokens = keys.size(0);
  StageClock clock(keys.device());
  LayerRouter layer(policy, 0, {tokens, window}, clock);
  for (std::int64_t first = 0; first < tokens; first += chunk) {
    const std::int64_t rows = std::min(chunk, tokens - first);
    if (layer.reads(first, rows)) layer.add(keys.narrow(0, first, rows), first);
  }
  return layer.decide();
}

// The mean that the specification defines, float64.
at::Tensor pooled_of(const at::Tensor& keys, std::int64_t window) {
  const std::int64_t n = std::min(window, keys.size(0));
  const at::Tensor wide = keys.to(at::kDouble);
  return (wide.narrow(0, 0, n).sum(0) + wide.narrow(0, keys.size(0) - n, n).sum(0)) / (2.0 * n);
}

at::Tensor wide_logits(const RouterWeights& router, const at::Tensor& pooled) {
  at::Tensor x = pooled.to(at::kDouble);
  for (const RouterLinear& linear : kRouterLinears) {
    x = at::linear(x, (router.*linear.weight).to(at::kDouble),
                   (router.*linear.bias).to(at::kDouble));
    const bool plain = linear.weight == &RouterWeights::task_down;
    if (!plain && linear.weight != &RouterWeights::logits) x = at::silu(x);
  }
  return x.size(1) == 2 ? x : at::cat({at::zeros({x.size(0), 1}, x.options()), x}, 1);
}

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

TEST_F(Gpu_Router, EqualsFloat64AtAnyLengthAndSize) {
  struct Case {
    std::int64_t heads, dim, expansion;
    bool two;
  };
  for (const Case& c : {Case{8, 128, 4, true},
                        {8, 128, 4, false},
                        {3, 64, 4, true},
                        {1, 64, 1, true},
                        {4, 128, 1, true},
                        {4, 128, 2, false},
                        {2, 128, 6, true},
                        {5, 128, 8, true},
                        {9, 64, 8, false},
                        {16, 64, 2, true},
                        {2, 128, 16, true}}) {
    const RouterWeights router = random_router(c.dim, c.expansion, c.two);
    for (const std::int64_t tokens : {1, 50, 100, 101, 150, 199, 200, 201, 1000}) {
      const std::string what = std::to_string(tokens) + " tokens, d" + std::to_string(c.dim) +
                               ", m " + std::to_string(c.expansion);
      const at::Tensor keys = random_keys(tokens, c.heads, c.dim);
      const HeadDecision got = decide(router, keys, kPoolRows, tokens);
      const at::Tensor mean = pooled_of(keys, kPoolRows);
      EXPECT_LE(largest(got.pooled_keys.to(at::kDouble) - mean), largest(mean) / 256) << what;
      const at::Tensor wanted = wide_logits(router, got.pooled_keys);
      EXPECT_LT(largest(got.device_logits.to(at::kDouble) - wanted), 0.02 * largest(wanted) + 0.02)
          << what;
      EXPECT_TRUE(got.device_sparse.equal(sparse_heads(got.device_logits))) << what;
      if (!c.two) {
        EXPECT_EQ(largest(got.device_logits.select(1, 0)), 0) << what;
      }
      EXPECT_FALSE(got.on_host());
    }
  }
}

TEST_F(Gpu_Router, ChunksGiveTheSameBits) {
  const RouterWeights router = random_router(128, 4, true);
  for (const std::int64_t tokens : {129, 150, 199, 256, 300, 1000, 1030}) {
    for (const std::int64_t window : {1, 100, 128}) {
      const at::Tensor keys = random_keys(tokens, 8, 128);
      const HeadDecision whole = decide(router, keys, window, tokens);
      for (const std::int64_t chunk : {128, 256, 1024}) {
        const HeadDecision parts = decide(router, keys, window, chunk);
        const std::string what = std::to_string(tokens) + " tokens in chunks of " +
                                 std::to_string(chunk) + ", window " + std::to_string(window);
        EXPECT_TRUE(parts.pooled_keys.equal(whole.pooled_keys)) << what;
        EXPECT_TRUE(parts.device_logits.equal(whole.device_logits)) << what;
        EXPECT_TRUE(parts.device_sparse.equal(whole.device_sparse)) << what;
      }
    }
  }
}

TEST_F(Gpu_Router, DecidesAsAtenDoes) {
  constexpr std::int64_t kHeads = 1000;
  for (const std::int64_t dim : {64, 128}) {
    const RouterWeights router = random_router(dim, 4, true);
    const at::Tensor keys = random_keys(1, kHeads, dim);
    const HeadDecision got = decide(router, keys, kPoolRows, 1);
    ASSERT_TRUE(got.pooled_keys.equal(keys[0])) << "the mean of one key is that key";
    const at::Tensor wanted = router_logits(router, got.pooled_keys);
    const at::Tensor differs = got.device_sparse.ne(sparse_heads(wanted));
    const at::Tensor gap = (wanted.select(1, 1) - wanted.select(1, 0)).abs();
    const double share = 1 - differs.sum().item<double>() / kHeads;
    const double widest = largest(gap.mul(differs));
    std::cout << "d " << dim << ": equal decisions " << share << ", equal logits "
              << got.device_logits.eq(wanted).all(1).sum().item<double>() / kHeads
              << ", largest gap of the others " << widest << ", mean gap "
              << gap.mean().item<double>() << "\n";
    EXPECT_GE(share, 0.99);
    EXPECT_LE(widest, 0.03 * gap.mean().item<double>());
  }
}

TEST_F(Gpu_Router, RepeatsAndReplaysGiveTheSameBits) {
  const RouterWeights router = random_router(128, 4, true);
  const at::Tensor keys = random_keys(512, 8, 128);
  const HeadDecision first = decide(router, keys, kPoolRows, 512);
  const at::Tensor pooled = at::full({8, 128}, 7.0, bf16());
  const at::Tensor logits = at::full({8, 2}, 7.0, bf16().dtype(at::kFloat));
  const at::Tensor is_sparse = at::full({8}, 7, bf16().dtype(at::kByte));
  const StepKernels& kernels = step_kernels(at::kCUDA);
  const auto replay = kernels.record([&] {
    kernels.route(router, {{{keys, 0}}, 512, kPoolRows}, pooled, logits, is_sparse);
  });
  for (int i = 0; i < 20; ++i) {
    logits.fill_(7);
    pooled.fill_(7);
    is_sparse.fill_(7);
    replay();
    EXPECT_TRUE(pooled.equal(first.pooled_keys));
    EXPECT_TRUE(logits.equal(first.device_logits));
    EXPECT_TRUE(is_sparse.equal(first.device_sparse));
  }
}

}  // namespace
}  // namespace elastic::engine
