// Schedules, the straight-through path, noise and packing.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <numbers>
#include <string>

#include "base/error.h"
#include "engine/model/norm.h"
#include "engine/train/functions.h"
#include "engine/train/optimizer.h"
#include "engine/train/schedule.h"
#include "tests/engine/golden_run.h"
#include "tests/engine/modes.h"
#include "tests/engine/train_model.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

using namespace elastic::testing;

TEST(TrainSchedule, RateWarmsUpHoldsAndFalls) {
  const OptimizerOptions options{.warmup = 0.2, .hold = 0.5, .floor = 0.1};
  EXPECT_DOUBLE_EQ(rate_factor(options, 0, 100), 1.0 / 20);
  EXPECT_DOUBLE_EQ(rate_factor(options, 19, 100), 1);
  EXPECT_DOUBLE_EQ(rate_factor(options, 50, 100), 1);
  EXPECT_DOUBLE_EQ(rate_factor(options, 75, 100), 0.1 + 0.9 * 0.5);
  EXPECT_NEAR(rate_factor(options, 99, 100), 0.1, 1e-2);
}

// The defaults: no flat part, so the fall begins where the warm-up ends.
TEST(TrainSchedule, RateFallsFromTheEndOfTheWarmUp) {
  const OptimizerOptions options{.warmup = 0.2, .hold = 0, .floor = 0};
  EXPECT_DOUBLE_EQ(rate_factor(options, 20, 100), 1);
  EXPECT_DOUBLE_EQ(rate_factor(options, 60, 100), 0.5);
}

TEST(TrainSchedule, TemperatureFollowsThePublishedCosine) {
  const RouterOptions options;
  EXPECT_DOUBLE_EQ(temperature(options, 0, 300), 1.5);
  EXPECT_DOUBLE_EQ(temperature(options, 90, 300), 1.25);  // half of 0.6 * 300
  EXPECT_DOUBLE_EQ(temperature(options, 180, 300), 1);
  EXPECT_DOUBLE_EQ(temperature(options, 299, 300), 1);
  RouterOptions falling;
  falling.tau_schedule = TauSchedule::kExponential;
  falling.tau_end = 0.3;
  EXPECT_DOUBLE_EQ(temperature(falling, 150, 300), 1.5 * std::exp(-0.3));
}

// Shares that give no whole number of steps end with the step they fall into.
TEST(TrainSchedule, SharesOfStepsAreRoundedUp) {
  const RouterOptions router;  // cosine from 1.5 to 1 over .6 of 7 steps: 4.2, so 5
  EXPECT_DOUBLE_EQ(temperature(router, 4, 7), 1 + 0.25 * (1 + std::cos(std::numbers::pi * 4 / 5)));
  EXPECT_DOUBLE_EQ(temperature(router, 5, 7), 1);
  const OptimizerOptions rate{.warmup = 0.2, .hold = 1};  // 1.4 steps, so 2
  EXPECT_DOUBLE_EQ(rate_factor(rate, 0, 7), 0.5);
  EXPECT_DOUBLE_EQ(rate_factor(rate, 1, 7), 1);
}

// With eps 1 the first step of AdamW is -lr g / (|g| + 1): the size of the gradient shows.
double first_step(double gradient, double clip) {
  at::Tensor p = at::tensor(std::vector<float>{0}).set_requires_grad(true);
  Optimizer optimizer({{.parameters = {{"p", p}}, .lr = 1}}, {.eps = 1, .clip = clip});
  p.mutable_grad() = at::tensor(std::vector<float>{static_cast<float>(gradient)});
  EXPECT_NEAR(optimizer.step(1).item<double>(), std::abs(gradient), 1e-6);
  return p.item<double>();
}

TEST(TrainOptimizer, OnlyGradientsAboveTheClipAreScaled) {
  EXPECT_NEAR(first_step(0.5, 5), -0.5 / 1.5, 1e-6);
  EXPECT_NEAR(first_step(5, 5), -5.0 / 6, 1e-6);
  EXPECT_NEAR(first_step(-20, 5), 5.0 / 6, 1e-6);
}

// The norm is that of all groups together.
TEST(TrainOptimizer, ClipsByTheNormOfAllGroups) {
  const auto leaf = [](float gradient) {
    at::Tensor t = at::tensor(std::vector<float>{0}).set_requires_grad(true);
    t.mutable_grad() = at::tensor(std::vector<float>{gradient});
    return t;
  };
  const at::Tensor a = leaf(3), b = leaf(4);
  Optimizer optimizer(
      {{.parameters = {{"a", a}}, .lr = 1}, {.parameters = {{"b", b}}, .lr = 0.5, .ascend = true}},
      {.eps = 1, .clip = 1});
  EXPECT_NEAR(optimizer.step(0.5).item<double>(), 5, 1e-6);
  EXPECT_NEAR(a.item<double>(), -0.5 * 0.6 / 1.6, 1e-6);
  EXPECT_NEAR(b.item<double>(), 0.25 * 0.8 / 1.8, 1e-6);
  EXPECT_EQ(optimizer.step(0).item<double>(), 0) << "gradients are cleared";
}

TEST(TrainFunctions, MixIsExactlyTheChosenPath) {
  at::Tensor full = at::zeros({6, 4, 8}), sparse = at::zeros({6, 4, 8});
  fill(full, 1, 3);
  fill(sparse, 2, 3);
  const at::Tensor gate = at::tensor(std::vector<float>{1, 0, 0, 1}).view({2, 2});
  const at::Tensor document = at::tensor(std::vector<std::int64_t>{0, 0, 1, 1, 1, 0});
  const at::Tensor mixed = mix_heads(full, sparse, gate, document);
  const at::Tensor by_row =
      gate.index_select(0, document).repeat_interleave(2, 1).unsqueeze(-1).gt(0);
  EXPECT_TRUE(mixed.equal(at::where(by_row, full, sparse)));
}

TEST(TrainFunctions, StraightThroughIsHardForwardAndSoftBackward) {
  at::Tensor logits = at::tensor(std::vector<float>{0, 1, 1, 0, 0.5, 0.5}).view({3, 2});
  at::Tensor soft = at::tensor(std::vector<float>{0.7f, 0.2f, 0.5f}).set_requires_grad(true);
  const at::Tensor z = straight_through(soft, logits);
  EXPECT_EQ(z[0].item<float>(), 1);
  EXPECT_EQ(z[1].item<float>(), 0);
  EXPECT_EQ(z[2].item<float>(), 0);  // a tie is sparse
  (z * at::tensor(std::vector<float>{2, 3, 5})).sum().backward();
  EXPECT_TRUE(soft.grad().equal(at::tensor(std::vector<float>{2, 3, 5})));
}

TEST(TrainNoise, IsStandardGumbelAndAFunctionOfItsSeed) {
  const at::Tensor noise = gumbel_noise({100, 100, 2}, 3);
  EXPECT_TRUE(noise.equal(gumbel_noise({100, 100, 2}, 3)));
  EXPECT_FALSE(noise.equal(gumbel_noise({100, 100, 2}, 4)));
  EXPECT_NEAR(noise.mean().item<double>(), 0.5772, 0.03);
  EXPECT_NEAR(noise.var().item<double>(), 1.6449, 0.06);
}

// Without noise the training forward is what `run` computes in fa-ssa mode:
// same decisions, same activations.
TEST(TrainForward, IsTheRoutedModelWithoutNoise) {
  const auto folder = fixture("routed/paw_llama_small");
  const ModelConfig config = read_model_config(folder);
  const DecoderWeights weights = load_weights(Checkpoint(folder), config, at::kFloat, at::kCPU);
  auto documents = made_documents({500, 300}, 1, 21);
  for (TrainingDocument& d : documents) {
    d.prompt_tokens = static_cast<std::int64_t>(d.ids.size());
  }
  PackOptions options;
  options.max_positions = config.max_positions;
  options.vocab = config.vocab;
  const auto mode = mode_of(fmt::format("ssa:sink={},local={}", *config.routing.sink_size,
                                        *config.routing.local_window_size));
  options.sparse = mode.get();
  const PackedBatch batch = pack(documents, options);
  const TrainingPass pass{at::kFloat, false, 1.0, at::zeros({config.layers, 2, config.heads_kv, 2}),
                          mode.get()};
  RotaryTable rotary(config.rope, config.head_dim, at::kFloat, at::kCPU);
  const TrainingForward forward = forward_packed(weights, rotary, batch, pass);
  const auto generator = cpu_generator(folder);
  generator->set_mode("fa-ssa");
  for (std::int64_t d = 0; d < 2; ++d) {
    Request request;
    request.ids = documents[static_cast<std::size_t>(d)].ids;
    request.max_new_tokens = 0;
    request.hidden_states = true;
    const Result result = generator->generate(request);
    for (std::int64_t layer = 0; layer < config.layers; ++layer) {
      for (std::int64_t head = 0; head < config.heads_kv; ++head) {
        EXPECT_EQ(
            forward.gates[layer][d][head].item<float>(),
            result.trace.routing[static_cast<std::size_t>(layer)][static_cast<std::size_t>(head)] ==
                    '0'
                ? 1
                : 0);
      }
    }
    const NamedTensor& last = tensor_named(result, "hidden." + std::to_string(config.layers));
    const std::int64_t start = batch.layout->documents.q[static_cast<std::size_t>(d)];
    const at::Tensor ours = rms_norm(forward.hidden.narrow(0, start, last.shape[0]),
                                     weights.final_norm, config.rms_eps);  // as `run` reports it
    const float* values = ours.const_data_ptr<float>();
    for (std::size_t i = 0; i < last.values.size(); ++i)
      ASSERT_NEAR(values[i], last.values[i], 1e-4);
  }
}

// Deviations that docs/training.md and parameters.h state.
TEST(TrainParameters, StartAsWideAsStated) {
  const auto expect = [](const std::string& name, const at::Tensor& tensor, double deviation) {
    // Four standard errors of a deviation estimated from so many values.
    const double slack = 4 / std::sqrt(2.0 * static_cast<double>(tensor.numel()));
    EXPECT_NEAR(tensor.detach().pow(2).mean().sqrt().item<double>() / deviation, 1, slack) << name;
  };
  DecoderWeights weights = initial_weights(parse_config(small_config(true)), 3, at::kCPU);
  const LayerWeights& layer = weights.layers[1];
  expect("qkv", layer.qkv, 1 / std::sqrt(24.0));
  expect("o", layer.o, 0.5 / std::sqrt(32.0));
  expect("gate_up", layer.gate_up, 1 / std::sqrt(24.0));
  expect("down", layer.down, 0.5 / std::sqrt(40.0));
  expect("embedding", weights.embedding, 0.02);
  EXPECT_TRUE(layer.q_norm.eq(1).all().item<bool>());
  for (const auto& [init, wide] :
       {std::pair{RouterInit::kSpec, 0.02}, std::pair{RouterInit::kHe, 1.4 / std::sqrt(8.0)}}) {
    RouterOptions options;
    options.init = init;
    add_routers(weights, options, 3);
    expect(to_word(init), weights.routers[0].task_up, wide);
    expect(to_word(init), weights.routers[0].head_up, wide);
    expect(to_word(init), at::cat({weights.routers[0].logits, weights.routers[1].logits}), 0.02);
    EXPECT_EQ(weights.routers[1].logits_bias.abs().max().item<float>(), 0);
  }
}

TEST(TrainPack, RefusesDocumentsThatAreNotUsable) {
  PackOptions options;
  options.tasks = 2;
  options.max_positions = 100;
  options.vocab = 61;
  const auto expect = [&](const auto& change, const char* words) {
    auto documents = made_documents({40, 60}, 2, 1);
    change(documents[1]);
    try {
      pack(documents, options);
      FAIL() << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  };
  expect([](TrainingDocument& d) { d.task = 2; }, "task 2");
  expect([](TrainingDocument& d) { d.task = -1; }, "task -1");
  expect([](TrainingDocument& d) { d.ids[3] = 61; }, "token id 61");
  expect([](TrainingDocument& d) { d.prompt_tokens = 61; }, "prompt of 61 tokens");
  expect([](TrainingDocument& d) { d.prompt_tokens = 0; }, "prompt of 0 tokens");
  expect([](TrainingDocument& d) { d.is_answer.pop_back(); }, "59 answer marks");
  expect(
      [](TrainingDocument& d) {
        d.ids.resize(1);
        d.is_answer.resize(1);
        d.prompt_tokens = 1;
      },
      "1 tokens");
  expect([](TrainingDocument& d) { d.ids.clear(); }, "0 tokens");
  expect(
      [](TrainingDocument& d) {
        d.ids.resize(101, 1);
        d.is_answer.resize(101);
      },
      "takes 100");
  EXPECT_THROW(pack({}, options), Error);
  auto smallest = made_documents({40, 60}, 2, 1);
  smallest[1].ids.resize(2);
  smallest[1].is_answer.resize(2);
  smallest[1].prompt_tokens = 2;
  EXPECT_NO_THROW(pack(smallest, options)) << "two tokens: one to read, one to guess";
  auto longest = made_documents({100, 100}, 2, 1);
  longest[0].ids[0] = 60;
  EXPECT_NO_THROW(pack(longest, options));
}

TEST(TrainPack, MixKeepsAnswersAndAShareOfTheRest) {
  PackOptions options;
  options.max_positions = 5000;
  options.vocab = 61;
  options.loss = {.lm = LossRows::kMix, .other_share = 0.25, .other_weight = 0.5};
  const auto documents = made_documents({4000}, 1, 1);
  const PackedBatch batch = pack(documents, options);
  EXPECT_NEAR(static_cast<double>(batch.loss_rows.numel()), 500 + 0.25 * 3499, 60);
  EXPECT_NEAR(batch.weights.sum().item<double>(), 1.5, 1e-4);
  EXPECT_NEAR(batch.answer_weights.sum().item<double>(), 1, 1e-4);
}

}  // namespace
}  // namespace elastic::engine
