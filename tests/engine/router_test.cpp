#include "engine/router/router.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/router/pooling.h"
#include "tests/testing/tolerance.h"

namespace elastic::engine {
namespace {

std::vector<std::uint8_t> bytes_of(const at::Tensor& tensor) {
  const std::uint8_t* data = tensor.const_data_ptr<std::uint8_t>();
  return {data, data + tensor.numel()};
}

using TensorMap = std::map<std::string, at::Tensor, std::less<>>;

TensorMap random_tensors(std::int64_t d, std::int64_t m, std::int64_t classes) {
  const auto weight = [](std::int64_t out, std::int64_t in) {
    return at::randn({out, in}).mul(1 / std::sqrt(static_cast<double>(in)));
  };
  return {{"cls_feat_extractor.0.weight", weight(m * d, d)},
          {"cls_feat_extractor.0.bias", at::randn({m * d})},
          {"cls_feat_extractor.2.weight", weight(d, m * d)},
          {"cls_feat_extractor.2.bias", at::randn({d})},
          {"cls_router_head_agnostic.0.weight", weight(m * d, d)},
          {"cls_router_head_agnostic.0.bias", at::randn({m * d})},
          {"cls_router_head_agnostic.2.weight", weight(d, m * d)},
          {"cls_router_head_agnostic.2.bias", at::randn({d})},
          {"cls_router_head_agnostic.4.weight", weight(classes, d)},
          {"cls_router_head_agnostic.4.bias", at::randn({classes})}};
}

RouterWeights load(const TensorMap& tensors) {
  return load_router("test", [&](std::string_view name) { return tensors.find(name)->second; });
}

// y = W x + b in double, written out.
std::vector<double> linear(const TensorMap& tensors, const std::string& name,
                           const std::vector<double>& x) {
  const at::Tensor w = tensors.at(name + ".weight").to(at::kDouble).contiguous();
  const at::Tensor b = tensors.at(name + ".bias").to(at::kDouble).contiguous();
  std::vector<double> y;
  for (std::int64_t i = 0; i < w.size(0); ++i) {
    double sum = b.const_data_ptr<double>()[i];
    for (std::size_t j = 0; j < x.size(); ++j) {
      sum += w.const_data_ptr<double>()[i * w.size(1) + static_cast<std::int64_t>(j)] * x[j];
    }
    y.push_back(sum);
  }
  return y;
}

std::vector<double> silu(std::vector<double> x) {
  for (double& v : x) v = v / (1 + std::exp(-v));
  return x;
}

std::vector<double> reference_logits(const TensorMap& t, const std::vector<double>& pooled) {
  const auto task =
      linear(t, "cls_feat_extractor.2", silu(linear(t, "cls_feat_extractor.0", pooled)));
  const auto inner = silu(linear(t, "cls_router_head_agnostic.0", task));
  return linear(t, "cls_router_head_agnostic.4",
                silu(linear(t, "cls_router_head_agnostic.2", inner)));
}

TEST(Router, ParameterCounts) {
  for (const auto& [m, count] :
       std::vector<std::pair<int, int>>{{2, 132098}, {4, 263682}, {6, 395266}, {8, 526850}}) {
    EXPECT_EQ(parameter_count(load(random_tensors(128, m, 2))), count);
  }
  EXPECT_EQ(parameter_count(load(random_tensors(128, 4, 1))), 263553);
}

TEST(Router, EqualsADoubleReference) {
  for (const std::int64_t m : {2, 4, 8}) {
    const TensorMap tensors = random_tensors(128, m, 2);
    const at::Tensor pooled = at::randn({8, 128});
    const at::Tensor logits = router_logits(load(tensors), pooled);
    ASSERT_EQ(logits.sizes(), (std::vector<std::int64_t>{8, 2}));
    for (std::int64_t h = 0; h < 8; ++h) {
      std::vector<double> x;
      for (std::int64_t c = 0; c < 128; ++c) x.push_back(pooled[h][c].item<double>());
      const std::vector<double> wanted = reference_logits(tensors, x);
      for (std::int64_t c = 0; c < 2; ++c) {
        EXPECT_NEAR(logits[h][c].item<double>(), wanted[static_cast<std::size_t>(c)],
                    testing::kRouterFp32);
      }
      const bool full = wanted[1] > wanted[0];
      EXPECT_EQ(bytes_of(sparse_heads(logits))[static_cast<std::size_t>(h)], full ? 0 : 1);
    }
  }
}

TEST(Router, TaskFeaturesAreTheTaskMlpAlone) {
  const TensorMap tensors = random_tensors(32, 4, 2);
  const at::Tensor pooled = at::randn({1, 32});
  std::vector<double> x;
  for (std::int64_t c = 0; c < 32; ++c) x.push_back(pooled[0][c].item<double>());
  const std::vector<double> wanted =
      linear(tensors, "cls_feat_extractor.2", silu(linear(tensors, "cls_feat_extractor.0", x)));
  const at::Tensor task = task_features(load(tensors), pooled);
  ASSERT_EQ(task.sizes(), (std::vector<std::int64_t>{1, 32}));
  for (std::int64_t c = 0; c < 32; ++c) {
    EXPECT_NEAR(task[0][c].item<double>(), wanted[static_cast<std::size_t>(c)],
                testing::kRouterFp32);
  }
}

TEST(Router, ZeroWeightsMakeEveryHeadSparse) {
  TensorMap tensors = random_tensors(32, 4, 2);
  for (auto& [name, tensor] : tensors) tensor.zero_();
  const at::Tensor logits = router_logits(load(tensors), at::randn({5, 32}));
  EXPECT_EQ(bytes_of(sparse_heads(logits)), (std::vector<std::uint8_t>{1, 1, 1, 1, 1}));
}

TEST(Router, ClassOneIsFullAttention) {
  at::Tensor logits = at::zeros({4, 2});
  logits[0][1].fill_(0.5);
  logits[1][0].fill_(0.5);
  logits[2].fill_(3.0);  // a tie
  logits[3][1].fill_(-1.0);
  EXPECT_EQ(bytes_of(sparse_heads(logits)), (std::vector<std::uint8_t>{0, 1, 1, 1}));
}

TEST(Router, OneLogitIsASigmoid) {
  const TensorMap tensors = random_tensors(16, 4, 1);
  const at::Tensor pooled = at::randn({3, 16});
  const at::Tensor logits = router_logits(load(tensors), pooled);
  for (std::int64_t h = 0; h < 3; ++h) {
    std::vector<double> x;
    for (std::int64_t c = 0; c < 16; ++c) x.push_back(pooled[h][c].item<double>());
    const double z = reference_logits(tensors, x)[0];
    EXPECT_EQ(logits[h][0].item<float>(), 0.0f);
    EXPECT_NEAR(logits[h][1].item<double>(), z, testing::kRouterFp32);
    EXPECT_EQ(bytes_of(sparse_heads(logits))[static_cast<std::size_t>(h)], z > 0 ? 0 : 1);
  }
}

TEST(Router, WrongShapesAreNamed) {
  for (const auto& [name, shape] : std::vector<std::pair<std::string, std::vector<std::int64_t>>>{
           {"cls_feat_extractor.2.weight", {16, 63}},
           {"cls_feat_extractor.0.bias", {63}},
           {"cls_router_head_agnostic.0.weight", {64, 15}},
           {"cls_router_head_agnostic.4.weight", {3, 16}},
           {"cls_router_head_agnostic.4.weight", {16}}}) {
    TensorMap tensors = random_tensors(16, 4, 2);
    tensors[name] = at::zeros(shape);
    try {
      load(tensors);
      ADD_FAILURE() << name << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
      EXPECT_NE(std::string(error.what()).find("cls_"), std::string::npos) << error.what();
    }
  }
}

TEST(Router, ThreeOutputsAreNoDecision) {
  TensorMap tensors = random_tensors(16, 4, 2);
  tensors["cls_router_head_agnostic.4.weight"] = at::zeros({3, 16});
  tensors["cls_router_head_agnostic.4.bias"] = at::zeros({3});
  try {
    load(tensors);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("has 3 outputs"), std::string::npos) << error.what();
  }
}

TEST(Router, ErrorsGiveBothShapes) {
  const auto error_with = [](std::int64_t d, std::int64_t m, const char* name,
                             const std::vector<std::int64_t>& shape) -> std::string {
    TensorMap tensors = random_tensors(d, m, 2);
    tensors[name] = at::zeros(shape);
    try {
      load(tensors);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
      const std::string text = error.what(), start = "test: router tensor mask_allocator.";
      EXPECT_TRUE(text.starts_with(start)) << text;
      return text.substr(start.size());
    }
    return "";
  };
  struct Row {
    std::int64_t d, m;
    const char* name;
    std::vector<std::int64_t> shape;
    const char* says;
  };
  const std::vector<Row> rows = {
      {16, 4, "cls_feat_extractor.0.weight", {64}, "has shape [64], expected [any, any]"},
      {16, 4, "cls_feat_extractor.0.weight", {0, 16}, "has shape [0, 16], expected [any, any]"},
      {16, 4, "cls_feat_extractor.0.bias", {64, 1}, "has shape [64, 1], expected [64]"},
      {16, 4, "cls_feat_extractor.0.bias", {16}, "has shape [16], expected [64]"},
      {16, 4, "cls_feat_extractor.2.weight", {15, 64}, "has shape [15, 64], expected [16, 64]"},
      {16, 4, "cls_feat_extractor.2.weight", {16, 65}, "has shape [16, 65], expected [16, 64]"},
      {16,
       4,
       "cls_router_head_agnostic.0.weight",
       {64, 15},
       "has shape [64, 15], expected [any, 16]"},
      {16,
       4,
       "cls_router_head_agnostic.2.weight",
       {64, 16},
       "has shape [64, 16], expected [16, 64]"},
      {16,
       4,
       "cls_router_head_agnostic.4.weight",
       {2, 17},
       "has shape [2, 17], expected [any, 16]"},
      {1, 1, "cls_feat_extractor.2.weight", {2, 1}, "has shape [2, 1], expected [1, 1]"},
      {1, 1, "cls_feat_extractor.2.weight", {1, 2}, "has shape [1, 2], expected [1, 1]"}};
  for (const Row& row : rows) {
    EXPECT_EQ(error_with(row.d, row.m, row.name, row.shape),
              std::string(row.name) + " " + row.says);
  }
  EXPECT_EQ(parameter_count(load(random_tensors(1, 1, 1))), 10) << "the smallest router";
}

TEST(Pooling, WeightFormula) {
  for (const std::int64_t tokens : {1, 50, 100, 150, 200, 10000}) {
    const at::Tensor keys = at::randn({tokens, 3, 8});
    const at::Tensor wide = keys.to(at::kDouble).contiguous();
    at::Tensor wanted = at::zeros({3, 8}, at::kDouble);
    const std::int64_t n = std::min<std::int64_t>(100, tokens);
    for (std::int64_t t = 0; t < tokens; ++t) {
      const int weight = (t < n ? 1 : 0) + (t >= tokens - n ? 1 : 0);
      if (weight > 0) wanted += wide[t] * weight;
    }
    wanted.div_(static_cast<double>(2 * n));
    for (const std::int64_t chunk : {tokens, std::int64_t{128}, std::int64_t{33}}) {
      KeyPool pool(tokens);
      for (std::int64_t first = 0; first < tokens; first += chunk) {
        pool.add(keys.narrow(0, first, std::min(chunk, tokens - first)), first);
      }
      EXPECT_LT((pool.mean().to(at::kDouble) - wanted).abs().max().item<double>(), 1e-6)
          << tokens << " tokens in chunks of " << chunk;
    }
  }
}

TEST(Pooling, RowsInTheMiddleAreNotRead) {
  const at::Tensor keys = at::randn({50, 2, 4});
  KeyPool pool(1000, 100);
  pool.add(keys, 100);
  pool.add(keys, 850);
  EXPECT_THROW(pool.mean(), std::logic_error) << "nothing at either end";
  pool.add(keys, 899);
  const at::Tensor last = keys.narrow(0, 1, 49).sum(0), first = keys.narrow(0, 0, 49).sum(0);
  EXPECT_LT((pool.mean() - last / 200).abs().max().item<double>(), 1e-6);
  pool.add(keys, 51);
  EXPECT_LT((pool.mean() - (first + last) / 200).abs().max().item<double>(), 1e-6);
}

TEST(Pooling, RowsOutsideThePromptAreRefused) {
  const at::Tensor keys = at::randn({50, 2, 4});
  KeyPool pool(60);
  EXPECT_THROW(pool.add(keys, -1), std::logic_error);
  EXPECT_THROW(pool.add(keys, 11), std::logic_error);
  EXPECT_NO_THROW(pool.add(keys, 10));
}

TEST(Pooling, ShortPromptsAreThePlainMean) {
  const at::Tensor keys = at::randn({60, 2, 4});
  KeyPool pool(60);
  pool.add(keys, 0);
  EXPECT_LT((pool.mean() - keys.mean(0)).abs().max().item<double>(), 1e-6);
}

TEST(Pooling, BfloatKeysAreSummedInFp32) {
  const at::Tensor keys = at::randn({300, 2, 4}).add(3).to(at::kBFloat16);
  KeyPool narrow(300), wide(300);
  narrow.add(keys, 0);
  wide.add(keys.to(at::kFloat), 0);
  EXPECT_EQ(narrow.mean().scalar_type(), at::kBFloat16);
  EXPECT_TRUE(narrow.mean().equal(wide.mean().to(at::kBFloat16)));
}

}  // namespace
}  // namespace elastic::engine
