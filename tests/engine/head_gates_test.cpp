// Fixed head gates: their distributions, the gradient through a whole model, and trainings that end
// in pattern files.

#include "engine/train/head_gates.h"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"
#include "engine/io/head_pattern.h"
#include "engine/train/training_decoder.h"
#include "tests/engine/modes.h"
#include "tests/engine/train_run.h"

namespace elastic::engine {
namespace {

using namespace elastic::testing;

HeadGates gates_of(HeadMethod method, const std::vector<double>& values, std::int64_t layers = 1) {
  const auto heads = std::ssize(values) / layers;
  return {method, at::tensor(values, at::TensorOptions(at::kDouble)).view({layers, heads})};
}

double chance_of_zero(double log_alpha) {
  return 1 / (1 + std::exp(log_alpha - 2.0 / 3 * std::log(1.0 / 11)));
}

TEST(HeadGates, HardConcreteIsTheFormula) {
  const HeadGates gates = gates_of(HeadMethod::kPrulong, {-20, 0, 1, 20});
  const at::Tensor still = sample_gates(gates, at::zeros({1, 4, 2}));
  EXPECT_EQ(still[0][0].item<double>(), 0);
  EXPECT_DOUBLE_EQ(still[0][1].item<double>(), 0.5);
  EXPECT_NEAR(still[0][2].item<double>(), 1.2 / (1 + std::exp(-1.5)) - 0.1, 1e-12);
  EXPECT_EQ(still[0][3].item<double>(), 1);
  const at::Tensor open = open_gates(gates);
  for (const auto& [head, log_alpha] : {std::pair(0, -20.0), {1, 0.0}, {2, 1.0}}) {
    EXPECT_NEAR(open[0][head].item<double>(), 1 - chance_of_zero(log_alpha), 1e-12);
  }
}

// The share of draws that are exactly 0 is the chance that the Lagrangian counts.
TEST(HeadGates, AsManyDrawsAreZeroAsExpected) {
  constexpr std::int64_t kDraws = 20000;
  const HeadGates gates{HeadMethod::kPrulong, at::full({1, kDraws}, -0.7)};
  const at::Tensor z = sample_gates(gates, gumbel_noise({1, kDraws, 2}, 9));
  const double zeros = z.eq(0).sum().item<double>() / kDraws;
  EXPECT_NEAR(zeros, chance_of_zero(-0.7), 0.015);
}

TEST(HeadGates, DuoTakesItsNumbersAsTheyAre) {
  const HeadGates gates = gates_of(HeadMethod::kDuo, {-0.1, 0.3, 1.2});
  EXPECT_TRUE(sample_gates(gates, {}).equal(gates.values));
  EXPECT_TRUE(open_gates(gates).equal(gates.values));
  EXPECT_EQ(final_gates(gates, 0.7), (std::vector<double>{0, 0.3, 1}));
}

TEST(HeadGates, MasksKeepTheLargestOfTheModel) {
  const HeadGates gates =
      gates_of(HeadMethod::kPrulong, {3, -1, 0.5, 0.5, 2, -4, 0.5, 1, -2, 0}, 2);
  const auto kept = [&](double target) { return final_gates(gates, target); };
  EXPECT_EQ(kept(0.7), (std::vector<double>{1, 0, 0, 0, 1, 0, 0, 1, 0, 0}));
  EXPECT_EQ(kept(0.55), (std::vector<double>{1, 0, 1, 0, 1, 0, 0, 1, 0, 0})) << "the earlier stays";
  EXPECT_EQ(kept(1), std::vector<double>(10, 0));
  EXPECT_EQ(kept(0), std::vector<double>(10, 1));
}

TEST(HeadGates, TheTargetClimbs) {
  HeadOptions options;
  options.target = 0.7;
  options.ramp = 0.8;
  EXPECT_EQ(ramped_target(options, 0, 10), 0);
  EXPECT_DOUBLE_EQ(ramped_target(options, 4, 10), 0.35);
  EXPECT_EQ(ramped_target(options, 8, 10), 0.7);
  EXPECT_EQ(ramped_target(options, 9, 10), 0.7);
  options.ramp = 0;
  EXPECT_EQ(ramped_target(options, 0, 10), 0.7);
}

// One batch through the small model in double precision.
class Whole {
 public:
  explicit Whole(HeadMethod method)
      : model_(small_model(false, false, at::kDouble)),
        mode_(mode_of("ssa:sink=0,local=128")),
        rotary_(model_.weights.config.rope, model_.weights.config.head_dim, at::kDouble, at::kCPU) {
    for (Parameter& p : model_.parameters) p.tensor.set_requires_grad(false);
    options_.method = method;
    PackOptions pack_options;
    pack_options.loss.lm = method == HeadMethod::kDuo ? LossRows::kAnswer : LossRows::kAll;
    pack_options.tasks = 2;
    pack_options.max_positions = 2048;
    pack_options.vocab = 61;
    pack_options.sparse = mode_.get();
    batch_ = pack(made_documents({530, 300}, 2, 11), pack_options);
    multipliers_ = {at::full({2}, 0.3, at::kDouble), at::full({2}, 0.7, at::kDouble),
                    at::full({2}, 0.4, at::kDouble)};
  }

  Objective objective(const HeadGates& gates, bool recompute) {
    const TrainingPass pass{at::kDouble, recompute, 1, gumbel_noise({2, 2, 2, 2}, 3), mode_.get()};
    return head_objective(model_.weights, rotary_, batch_, pass, gates, options_, multipliers_);
  }

 private:
  SmallModel model_;
  std::unique_ptr<HeadMode> mode_;
  RotaryTable rotary_;
  HeadOptions options_;
  PackedBatch batch_;
  Multipliers multipliers_;
};

TEST(HeadGates, GradientIsThatOfFiniteDifferences) {
  constexpr double kStep = 1e-5;
  for (const HeadMethod method : {HeadMethod::kDuo, HeadMethod::kPrulong}) {
    Whole whole(method);
    const std::vector<double> values = {0.7, 0.2, 0.9, -0.3};
    for (const bool recompute : {false, true}) {
      HeadGates gates = gates_of(method, values, 2);
      gates.values.set_requires_grad(true);
      const Objective value = whole.objective(gates, recompute);
      value.total.backward();
      value.gates.backward(value.gate_leaf.grad());
      for (std::size_t i = 0; i < values.size(); ++i) {
        const auto moved = [&](double by) {
          std::vector<double> other = values;
          other[i] += by;
          return whole.objective(gates_of(method, other, 2), false).total.item<double>();
        };
        const double wanted = (moved(kStep) - moved(-kStep)) / (2 * kStep);
        const double got =
            gates.values.grad().view(-1)[static_cast<std::int64_t>(i)].item<double>();
        EXPECT_NEAR(got, wanted, 1e-6 * std::max(1.0, std::abs(wanted)))
            << to_word(method) << " " << i << " recompute " << recompute;
        EXPECT_GT(std::abs(wanted), 1e-7);
      }
    }
  }
}

// With every gate open the distance to the dense model is nothing, and only the l1 term is left.
TEST(HeadGates, OpenGatesAreTheDenseModel) {
  Whole whole(HeadMethod::kDuo);
  const Objective open = whole.objective(gates_of(HeadMethod::kDuo, {1, 1, 1, 1}, 2), false);
  EXPECT_LT(open.lm.item<double>(), 1e-28);
  EXPECT_NEAR(open.total.item<double>(), 0.05, 1e-12);
  EXPECT_EQ(open.regularization.msr.item<double>(), 0);
  const Objective closed = whole.objective(gates_of(HeadMethod::kDuo, {1, 0, 1, 1}, 2), false);
  EXPECT_GT(closed.lm.item<double>(), 1e-8);
  EXPECT_NEAR(closed.regularization.msr.item<double>(), 0.25, 1e-12);
}

TrainOptions head_options(const TemporaryFolder& folder, std::string_view output,
                          HeadMethod method) {
  TrainOptions options = router_options(folder, output);
  options.heads = {.method = method, .sink = 0, .local = 128};
  options.optimizer.lr = 0.05;
  options.optimizer.warmup = 0;
  return options;
}

TEST(TrainHeads, DuoWritesGatesThatFellAndGoesOn) {
  const TemporaryFolder folder;
  TrainOptions options = head_options(folder, "duo", HeadMethod::kDuo);
  options.heads.l1 = 100;  // nothing else counts
  EXPECT_EQ(train_heads(options, made_source()).steps, 6);
  const HeadPattern pattern = read_head_pattern(folder / "duo/full_attention_heads.tsv");
  EXPECT_EQ(pattern.layers, 2);
  EXPECT_EQ(pattern.kv_heads, 2);
  for (const double gate : pattern.gates) {
    EXPECT_LT(gate, 0.95);
    EXPECT_GT(gate, 0.5);
  }
  EXPECT_EQ(read_json(folder / "duo/config.json")["recent_size"], 128);
  EXPECT_FALSE(std::filesystem::exists(folder / "duo/model.safetensors"));

  options.output = folder / "parts";
  EXPECT_THROW(train_heads(options, made_source(3)), Error);  // its data ends at step 3
  options.resume = true;
  EXPECT_EQ(train_heads(options, made_source()).steps, 6);
  EXPECT_EQ(read_file(folder / "parts/full_attention_heads.tsv"),
            read_file(folder / "duo/full_attention_heads.tsv"));
}

TEST(TrainHeads, PrulongWritesMasksOfItsTarget) {
  const TemporaryFolder folder;
  TrainOptions options = head_options(folder, "prulong", HeadMethod::kPrulong);
  options.heads.target = 0.5;
  const TrainResult result = train_heads(options, made_source());
  EXPECT_GT(result.loss, 1) << "a language-modelling loss";
  const HeadPattern pattern = read_head_pattern(folder / "prulong/masks.tsv");
  EXPECT_TRUE(pattern.is_binary());
  EXPECT_EQ(read_json(folder / "prulong/config.json")["recent_size"], 128);
  EXPECT_EQ(std::count(pattern.gates.begin(), pattern.gates.end(), 1.0), 2);
}

TEST(TrainHeads, BadOptionsAreNamed) {
  const TemporaryFolder folder;
  const auto error_of = [&](const std::function<void(HeadOptions&)>& spoil) -> std::string {
    TrainOptions options = head_options(folder, "x", HeadMethod::kDuo);
    spoil(options.heads);
    try {
      train_heads(options, made_source());
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(error_of([](HeadOptions& o) { o.target = 1.5; }).find("heads.target"),
            std::string::npos);
  EXPECT_NE(error_of([](HeadOptions& o) { o.ramp = -1; }).find("heads.ramp"), std::string::npos);
  EXPECT_NE(error_of([](HeadOptions& o) { o.l1 = -1; }).find("heads.l1"), std::string::npos);
  EXPECT_NE(error_of([](HeadOptions& o) { o.local = 0; }).find("heads.local"), std::string::npos);
  EXPECT_NE(error_of([](HeadOptions& o) { o.sink = -1; }).find("heads.sink"), std::string::npos);
}

}  // namespace
}  // namespace elastic::engine
