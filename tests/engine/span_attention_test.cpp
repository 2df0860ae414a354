#include "engine/train/span_attention.h"

#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

#include "tests/engine/modes.h"
#include "tests/engine/relative_error.h"
#include "tests/engine/train_model.h"

namespace elastic::engine {
namespace {

struct Leaves {
  at::Tensor q, k, v;
};

at::Tensor leaf(const at::Tensor& values) {
  return values.detach().clone().set_requires_grad(true);
}

// Streams are worked on in pieces; what stands behind the first piece
// is what it is alone, forward and backward.
TEST(SpanAttention, APieceOfALongStreamIsWhatItIsAlone) {
  constexpr std::int64_t kFirst = 16384, kSecond = 384;
  const auto mode = testing::mode_of("ssa:local=128");
  at::Tensor q = at::empty({kFirst + kSecond, 2, 4}), k = at::empty({kFirst + kSecond, 1, 4}),
             v = at::empty({kFirst + kSecond, 1, 4}), grad = at::empty({kSecond, 2, 4});
  for (at::Tensor* tensor : {&q, &k, &v, &grad}) tensor->normal_();
  const auto run = [&](std::int64_t before, const LayoutPtr& layout, Leaves& leaves) {
    const std::int64_t start = kFirst - before;
    leaves = {leaf(q.narrow(0, start, before + kSecond)),
              leaf(k.narrow(0, start, before + kSecond)),
              leaf(v.narrow(0, start, before + kSecond))};
    const at::Tensor out = sparse_attention(leaves.q, leaves.k, leaves.v, layout, *mode, 0, 0.5);
    const at::Tensor rows = out.narrow(0, before, kSecond);
    (rows * grad).sum().backward();
    return rows.detach();
  };
  Leaves whole, alone;
  const at::Tensor a =
      run(kFirst, make_layout({0, kFirst, kFirst + kSecond}, {kFirst, kSecond}, mode.get()), whole);
  const at::Tensor b = run(0, make_layout({0, kSecond}, {kSecond}, mode.get()), alone);
  EXPECT_LT(testing::relative_error(a, b), 1e-6);
  const auto behind = [](const at::Tensor& t) { return t.grad().narrow(0, kFirst, kSecond); };
  EXPECT_LT(testing::relative_error(behind(whole.q), alone.q.grad()), 1e-6);
  EXPECT_LT(testing::relative_error(behind(whole.k), alone.k.grad()), 1e-6);
  EXPECT_LT(testing::relative_error(behind(whole.v), alone.v.grad()), 1e-6);
  EXPECT_EQ(whole.k.grad().narrow(0, 0, kFirst).abs().max().item<double>(), 0);
}

}  // namespace
}  // namespace elastic::engine
