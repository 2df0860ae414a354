#include "engine/model/norm.h"

#include <gtest/gtest.h>

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include <cmath>
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

}  // namespace
}  // namespace elastic::engine
