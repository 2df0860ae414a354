#include "engine/model/rotary.h"

#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randn.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <stdexcept>

#include "base/json.h"
#include "engine/config/rope_config.h"
#include "tests/engine/golden_run.h"
#include "tests/engine/stored_tensors.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

using elastic::testing::golden_folder;

RopeConfig config_of(const Json& variant) {
  const Json config = {{"rope_theta", variant["theta"]}, {"rope_scaling", variant["scaling"]}};
  return parse_rope_config({config, "variant"},
                           variant["max_position_embeddings"].get<std::int64_t>());
}

// At position p an fp32 angle is off by up to about p * 2^-24: the last bit of a power or product.
double angle_tolerance(std::int64_t position) {
  return 2e-6 + static_cast<double>(position) * 1.2e-7;
}

int check_variant(const std::string& name, const Json& variant, const SafetensorsFile& file) {
  SCOPED_TRACE(name);
  const auto head_dim = variant["head_dim"].get<std::int64_t>();
  const RopeConfig config = config_of(variant);
  const std::vector<float> frequencies = float_values(file.at(name + ".inv_freq"));
  const at::Tensor ours = rope_frequencies(config, head_dim);
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const float value = ours.const_data_ptr<float>()[i];
    EXPECT_NEAR(value, frequencies[i], 2e-7 * std::abs(frequencies[i])) << "frequency " << i;
  }
  EXPECT_NEAR(config.attention_factor, float_values(file.at(name + ".attention_scaling"))[0], 1e-6);
  const std::vector<std::int64_t> positions = testing::integers(file.at("positions"));
  const std::vector<float> cos = float_values(file.at(name + ".cos"));
  const std::vector<float> sin = float_values(file.at(name + ".sin"));
  RotaryTable table(config, head_dim, at::kFloat, at::kCPU);
  int cases = 0;
  for (std::size_t row = 0; row < positions.size(); ++row) {
    table.reserve(positions[row] + 1);
    const float* c = table.cos()[positions[row]].const_data_ptr<float>();
    const float* s = table.sin()[positions[row]].const_data_ptr<float>();
    for (std::int64_t i = 0; i < head_dim; ++i) {
      const std::size_t at = row * static_cast<std::size_t>(head_dim) + static_cast<std::size_t>(i);
      EXPECT_NEAR(c[i % (head_dim / 2)], cos[at], angle_tolerance(positions[row]));
      EXPECT_NEAR(s[i % (head_dim / 2)], sin[at], angle_tolerance(positions[row]));
    }
    ++cases;
  }
  return cases;
}

TEST(Golden_models, RopeTables) {
  const auto folder = golden_folder("models");
  if (folder.empty()) GTEST_SKIP() << "golden folder absent: models";
  const SafetensorsFile file(folder / "rope.safetensors");
  const Json manifest = read_json(folder / "manifest.json");
  int cases = 0, stored = 0;
  for (const auto& [name, variant] : manifest["rope"]["variants"].items()) {
    cases += check_variant(name, variant, file);
  }
  for (const TensorView& tensor : file.tensors()) {
    if (tensor.name.ends_with(".cos")) stored += static_cast<int>(tensor.shape[0]);
  }
  std::cout << cases << " cases ran\n";
  EXPECT_GT(cases, 0);
  EXPECT_EQ(cases, stored);  // every row of every table
}

TEST(Rotary, RotatesPairsByTheAngleOfTheirPosition) {
  RopeConfig config;
  config.theta = 100;
  RotaryTable table(config, 4, at::kFloat, at::kCPU);
  table.reserve(8);
  const at::Tensor x = at::arange(1, 9, at::TensorOptions().dtype(at::kFloat)).view({2, 1, 4});
  at::Tensor out = at::empty({1, 2, 4}, at::TensorOptions().dtype(at::kFloat));
  table.rotate(x, 3, out);
  // Row 1 stands at position 4; pair (x1, x3) turns by 4 * 100^(-1/2) = 0.4.
  const float* row = out.const_data_ptr<float>() + 4;
  EXPECT_NEAR(row[0], 5 * std::cos(4.0) - 7 * std::sin(4.0), 1e-5);
  EXPECT_NEAR(row[2], 7 * std::cos(4.0) + 5 * std::sin(4.0), 1e-5);
  EXPECT_NEAR(row[1], 6 * std::cos(0.4) - 8 * std::sin(0.4), 1e-5);
  EXPECT_NEAR(row[3], 8 * std::cos(0.4) + 6 * std::sin(0.4), 1e-5);
}

// Wavelengths that turn 32 times and once in 4096 positions lie at 10.47 and 22.51 of 32
// frequencies; YaRN widens the ramp between them to whole ones unless told not to.
TEST(Rotary, YarnBlendsBetweenWholeFrequencies) {
  RopeConfig config;
  config.type = RopeType::kYarn;
  config.theta = 1e4;
  config.factor = 4;
  config.original_max_positions = 4096;
  config.beta_fast = 32;
  config.beta_slow = 1;
  const auto expect = [&](double low, double high) {
    const at::Tensor frequencies = rope_frequencies(config, 64);
    for (int i = 0; i < 32; ++i) {
      const double plain = std::pow(1e4, -i / 32.0);
      const double ramp = std::clamp((i - low) / (high - low), 0.0, 1.0);
      EXPECT_NEAR(frequencies.const_data_ptr<float>()[i] / plain, 1 - ramp + ramp / 4, 1e-5)
          << "frequency " << i;
    }
  };
  config.truncate = true;
  expect(10, 23);
  config.truncate = false;
  expect(64 * std::log(4096 / (32 * 2 * M_PI)) / (2 * std::log(1e4)),
         64 * std::log(4096 / (2 * M_PI)) / (2 * std::log(1e4)));
}

TEST(Rotary, TheTableGrowsAndKeepsItsRows) {
  RotaryTable table({}, 8, at::kFloat, at::kCPU);
  table.reserve(10);
  const at::Tensor before = table.cos().narrow(0, 0, 10).clone();
  table.reserve(5000);
  ASSERT_GE(table.cos().size(0), 5000);
  EXPECT_TRUE(table.cos().narrow(0, 0, 10).equal(before));
  EXPECT_NEAR(table.cos()[4999][0].item<double>(), std::cos(4999.0), 1e-6);
}

TEST(Rotary, LinearDividesFrequencies) {
  RopeConfig config;
  config.type = RopeType::kLinear;
  config.factor = 4;
  const at::Tensor frequencies = rope_frequencies(config, 8);
  EXPECT_FLOAT_EQ(frequencies.const_data_ptr<float>()[0], 0.25f);
  EXPECT_FLOAT_EQ(frequencies.const_data_ptr<float>()[1], 0.025f);
}

double plain_frequency(const RopeConfig& config, int i, std::int64_t dim) {
  return std::pow(config.theta, -2.0 * i / static_cast<double>(dim));
}

// Llama 3's scaling, given as what each frequency is divided by, is Llama 3's scaling.
TEST(Rotary, FactorsDivide) {
  RopeConfig config;
  config.type = RopeType::kLlama3;
  config.theta = 5e5;
  config.factor = 8;
  config.original_max_positions = 8192;
  const at::Tensor wanted = rope_frequencies(config, 128);
  config.type = RopeType::kFactors;
  for (int i = 0; i < 64; ++i) {
    config.factors.push_back(plain_frequency(config, i, 128) / wanted.const_data_ptr<float>()[i]);
  }
  EXPECT_DOUBLE_EQ(std::round(config.factors.back()), 8);
  const at::Tensor frequencies = rope_frequencies(config, 128);
  for (int i = 0; i < 64; ++i) {
    EXPECT_NEAR(frequencies.const_data_ptr<float>()[i] / wanted.const_data_ptr<float>()[i], 1,
                1e-5);
  }
}

// Waves longer than the original positions are stretched, short ones stay, those between are
// blended by how often they turn.
TEST(Rotary, Llama3BlendsByWavelength) {
  RopeConfig config;
  config.type = RopeType::kLlama3;
  config.theta = 5e5;
  config.factor = 8;
  config.low_freq_factor = 1.5;
  config.high_freq_factor = 4;
  config.original_max_positions = 8192;
  const at::Tensor frequencies = rope_frequencies(config, 128);
  ASSERT_EQ(frequencies.numel(), 64);
  int stretched = 0, blended = 0;
  for (int i = 0; i < 64; ++i) {
    const double plain = plain_frequency(config, i, 128);
    const double turns = 8192 * plain / (2 * M_PI);
    const double keep = std::clamp((turns - 1.5) / (4 - 1.5), 0.0, 1.0);
    const double wanted = keep * plain + (1 - keep) * plain / 8;
    EXPECT_NEAR(frequencies.const_data_ptr<float>()[i] / wanted, 1, 1e-5) << "frequency " << i;
    stretched += keep == 0 ? 1 : 0;
    blended += keep > 0 && keep < 1 ? 1 : 0;
  }
  EXPECT_GT(stretched, 5);
  EXPECT_GT(blended, 2);
}

// The ramp begins at 0 at the least, ends at d - 1 at the most, and is never without a slope.
TEST(Rotary, YarnRampsStayWithinTheHead) {
  struct Row {
    std::int64_t original;
    double beta_fast, beta_slow, low, high;
  };
  constexpr std::int64_t kSize = 16;
  const auto bound = [](const Row& row, double rotations) {
    return kSize * std::log(static_cast<double>(row.original) / (rotations * 2 * M_PI)) /
           (2 * std::log(1e4));
  };
  for (const Row& row : {Row{64, 32, 1, 0, 3}, Row{64, 4, 1e-8, 0, 15},
                         Row{4096, 1e-3, 1e-6, 11, 15}, Row{16, 32, 4, 0, 0.001}}) {
    RopeConfig config;
    config.type = RopeType::kYarn;
    config.factor = 4;
    config.original_max_positions = row.original;
    config.beta_fast = row.beta_fast;
    config.beta_slow = row.beta_slow;
    EXPECT_EQ(std::max(std::floor(bound(row, row.beta_fast)), 0.0), row.low);
    const at::Tensor frequencies = rope_frequencies(config, kSize);
    ASSERT_EQ(frequencies.numel(), kSize / 2);
    for (int i = 0; i < kSize / 2; ++i) {
      const double ramp = std::clamp((i - row.low) / (row.high - row.low), 0.0, 1.0);
      EXPECT_NEAR(frequencies.const_data_ptr<float>()[i] / plain_frequency(config, i, kSize),
                  1 - ramp + ramp / 4, 1e-5)
          << row.original << " frequency " << i;
    }
  }
}

TEST(Rotary, TheTableGrowsByDoubling) {
  RotaryTable table({}, 8, at::kFloat, at::kCPU);
  for (const auto& [asked, size] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {1, 2048}, {2048, 2048}, {2049, 4096}, {4096, 4096}, {9000, 9000}, {9001, 18000}}) {
    table.reserve(asked);
    EXPECT_EQ(table.cos().size(0), size) << asked;
    EXPECT_EQ(table.sin().size(0), size) << asked;
  }
}

TEST(Rotary, TheAttentionFactorScalesBothTables) {
  RopeConfig config;
  RotaryTable plain(config, 8, at::kFloat, at::kCPU);
  config.attention_factor = 1.5;
  RotaryTable scaled(config, 8, at::kFloat, at::kCPU);
  for (RotaryTable* table : {&plain, &scaled}) table->reserve(50);
  EXPECT_TRUE(scaled.cos().equal(plain.cos().mul(1.5)));
  EXPECT_TRUE(scaled.sin().equal(plain.sin().mul(1.5)));
}

// Two kernels and, for types that have none, tensor operations turn the same rows alike.
TEST(Rotary, EveryTypeIsTurnedAlike) {
  const at::Tensor x = at::randn({5, 3, 8});
  const auto turned = [&](at::ScalarType type) {
    RotaryTable table({}, 8, type, at::kCPU);
    table.reserve(20);
    at::Tensor out = at::empty({3, 5, 8}, at::TensorOptions(type));
    table.rotate(x.to(type), 9, out);
    return out.to(at::kFloat);
  };
  const at::Tensor wanted = turned(at::kFloat);
  EXPECT_LT((turned(at::kDouble) - wanted).abs().max().item<double>(), 1e-5);
  EXPECT_LT((turned(at::kHalf) - wanted).abs().max().item<double>(), 1e-2);
  EXPECT_LT((turned(at::kBFloat16) - wanted).abs().max().item<double>(), 5e-2);
}

TEST(Rotary, PositionsBeyondTheTableAreRefused) {
  RotaryTable table({}, 8, at::kFloat, at::kCPU);
  table.reserve(2048);
  const at::Tensor x = at::randn({3, 1, 8});
  at::Tensor out = at::empty({1, 3, 8});
  EXPECT_NO_THROW(table.rotate(x, 2045, out));
  EXPECT_THROW(table.rotate(x, 2046, out), std::logic_error);
}

}  // namespace
}  // namespace elastic::engine
