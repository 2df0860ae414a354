#include "engine/model/norm.h"

#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>

#include <cmath>
#include <stdexcept>
#include <vector>

namespace elastic::engine {
namespace {

at::Tensor row(const std::vector<float>& values) {
  return at::tensor(values).view({1, static_cast<std::int64_t>(values.size())});
}

// Rows of about the size of sqrt(eps), where leaving it out would change the result by half.
TEST(Norm, AddsEpsToTheMeanSquare) {
  constexpr double kEps = 1e-4;
  const std::vector<float> x = {0.01f, -0.02f, 0.03f};
  const std::vector<float> weight = {1, 2, -0.5f};
  const at::Tensor out = rms_norm(row(x), at::tensor(weight), kEps);
  const double factor = 1 / std::sqrt((1e-4 + 4e-4 + 9e-4) / 3 + kEps);
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_NEAR(out.const_data_ptr<float>()[i], x[i] * factor * weight[i], 1e-6);
  }
  const at::Tensor zero = rms_norm(row({0, 0, 0}), at::tensor(weight), kEps);
  EXPECT_EQ(zero.abs().max().item<float>(), 0);
}

// Widths beside a multiple of the lanes that are summed apart; every value counts once.
TEST(Norm, EveryValueCountsOnce) {
  for (const std::int64_t width : {1, 15, 16, 17, 40}) {
    SCOPED_TRACE(width);
    std::vector<float> x(static_cast<std::size_t>(width));
    double squares = 0;
    for (std::int64_t i = 0; i < width; ++i) {
      const double value = 0.25 * static_cast<double>(i % 7) - 0.5 + 0.125 * static_cast<double>(i);
      x[static_cast<std::size_t>(i)] = static_cast<float>(value);
      squares += value * value;
    }
    const at::Tensor ones = at::empty({width}).fill_(1);
    const at::Tensor out = rms_norm(row(x), ones, 0.5);
    const double factor = 1 / std::sqrt(squares / static_cast<double>(width) + 0.5);
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(out.const_data_ptr<float>()[i], x[i] * factor, 1e-5);
    }
  }
}

// Heads inside a row and rows that do not lie side by side are normed each by itself.
TEST(Norm, StridedRowsGiveTheRowsOfTheCopy) {
  const at::Tensor whole = at::empty({5, 3, 12});
  for (std::int64_t i = 0; i < whole.numel(); ++i) {
    whole.data_ptr<float>()[i] = static_cast<float>(i * 37 % 23) - 11;
  }
  const at::Tensor ones = at::empty({8}).fill_(1);
  const at::Tensor part = whole.narrow(2, 2, 8);
  EXPECT_TRUE(rms_norm(part, ones, 1e-6).equal(rms_norm(part.contiguous(), ones, 1e-6)));
  const at::Tensor rows = whole.select(1, 1).narrow(1, 4, 8);
  EXPECT_TRUE(rms_norm(rows, ones, 1e-6).equal(rms_norm(rows.contiguous(), ones, 1e-6)));
}

// bf16 is rounded before the weight and after it.
TEST(Norm, RoundsBeforeTheWeight) {
  const at::Tensor x = at::randn({7, 40}).to(at::kBFloat16);
  const at::Tensor weight = at::randn({40}).to(at::kBFloat16);
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor exact = wide / wide.pow(2).mean(1, true).add(1e-5).sqrt();
  const at::Tensor wanted = exact.to(at::kBFloat16).mul(weight);
  const at::Tensor out = rms_norm(x, weight, 1e-5);
  EXPECT_EQ(out.scalar_type(), at::kBFloat16);
  // The exact values may round otherwise where they lie between two of bf16: of 280 hardly one.
  EXPECT_LE(out.ne(wanted).sum().item<std::int64_t>(), 3);
}

TEST(Norm, RowsOfOneTwoOrThreeDimensions) {
  const at::Tensor ones = at::empty({8}).fill_(1);
  const at::Tensor x = at::randn({2, 3, 8}), out = rms_norm(x, ones, 1e-6);
  EXPECT_EQ(out.sizes(), x.sizes());
  EXPECT_TRUE(rms_norm(x.view({6, 8}), ones, 1e-6).view({2, 3, 8}).equal(out));
  EXPECT_TRUE(rms_norm(x[1][2], ones, 1e-6).equal(out[1][2]));
  EXPECT_THROW(rms_norm(x.view({2, 3, 1, 8}), ones, 1e-6), std::logic_error);
  EXPECT_THROW(rms_norm(x.transpose(1, 2), ones.narrow(0, 0, 3), 1e-6), std::logic_error);
  EXPECT_THROW(rms_norm(x.to(at::kHalf), ones.to(at::kHalf), 1e-6), std::logic_error);
}

TEST(Norm, NothingIsNormedToNothing) {
  EXPECT_EQ(rms_norm(at::empty({0, 8}), at::empty({8}), 1).numel(), 0);
  EXPECT_EQ(rms_norm(at::empty({3, 0}), at::empty({0}), 1).numel(), 0);
}

// Tensors of other devices are LibTorch's to norm.
TEST(Norm, OtherDevicesAreNotRead) {
  const at::TensorOptions there = at::TensorOptions(at::kFloat).device(at::kMeta);
  const at::Tensor out = rms_norm(at::empty({3, 8}, there), at::empty({8}, there), 1e-6);
  EXPECT_TRUE(out.is_meta());
  EXPECT_EQ(out.sizes(), (std::vector<std::int64_t>{3, 8}));
}

}  // namespace
}  // namespace elastic::engine
