#include "base/python_number.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace elastic {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(PythonNumber, FloatsAsReprShowsThem) {
  EXPECT_EQ(python_float(57), "57.0");
  EXPECT_EQ(python_float(0.1), "0.1");
  EXPECT_EQ(python_float(-0.0), "-0.0");
  EXPECT_EQ(python_float(1e22), "1e+22");
  EXPECT_EQ(python_float(kInfinity), "inf");
  EXPECT_EQ(python_float(std::nan("")), "nan");
}

TEST(PythonNumber, RoundTakesTheExactValueAndTiesGoToEven) {
  EXPECT_EQ(python_round(2.675, 2), 2.67);  // a little below its decimal spelling
  EXPECT_EQ(python_round(0.5, 0), 0);
  EXPECT_EQ(python_round(1.5, 0), 2);
  EXPECT_EQ(python_round(2.5, 0), 2);
  EXPECT_EQ(python_round(-0.125, 2), -0.12);
  const double largest = std::numeric_limits<double>::max();
  EXPECT_EQ(python_round(largest, 2), largest);
  EXPECT_EQ(python_round(kInfinity, 2), kInfinity);
  EXPECT_TRUE(std::isnan(python_round(std::nan(""), 2)));
}

TEST(PythonNumber, NumpyRoundScalesFirst) {
  EXPECT_EQ(numpy_round(2.675, 2), 2.68);
  EXPECT_EQ(numpy_round(0.5, 0), 0);
  EXPECT_EQ(numpy_round(33.333333, 1), 33.3);
}

// Sums of small whole numbers are exact in any order.
TEST(PythonNumber, MeanCountsEveryValueOnce) {
  EXPECT_TRUE(std::isnan(numpy_mean({})));
  std::vector<double> values;
  for (int n = 1; n <= 300; ++n) {
    values.push_back(n);
    EXPECT_EQ(numpy_mean(values), (n + 1) / 2.0) << n;
  }
}

// Means of 1, 1/2, ..., 1/n, which tell the order of the sums from any other.
TEST(PythonNumber, MeanSumsPairwise) {
  const std::pair<int, double> expected[] = {
      {7, 0x1.7b4c470d956b9p-2},   {8, 0x1.5be2be2be2be2p-2},    {128, 0x1.5bb8ae9541ca7p-5},
      {129, 0x1.5984a742c4323p-5}, {1000, 0x1.ea915c8a8db3dp-8}, {1001, 0x1.ea24a532577cbp-8}};
  for (const auto& [n, mean] : expected) {
    std::vector<double> values;
    for (int i = 1; i <= n; ++i) values.push_back(1.0 / i);
    EXPECT_EQ(numpy_mean(values), mean) << n;
  }
}

}  // namespace
}  // namespace elastic
