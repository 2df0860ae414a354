// Weights from their start to the folder they end in: every tensor named, shaped and read back.

#include <gtest/gtest.h>

#include <ATen/Context.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/io/checkpoint.h"
#include "engine/model/rotary.h"
#include "engine/train/optimizer.h"
#include "engine/train/schedule.h"
#include "engine/train/training.h"
#include "engine/train/training_decoder.h"
#include "tests/engine/modes.h"
#include "tests/engine/train_run.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;
using namespace elastic::testing;

// Every bias and norm that a decoder may have; output head of its own.
std::string full_config() {
  Json json = parse_json(small_config(true), "small");
  json["attention_bias"] = true;
  json["architectures"][0] = "LlamaForCausalLM";
  json["mlp_bias"] = true;
  return json.dump();
}

std::string listing(const std::vector<Parameter>& list) {
  std::string text;
  for (const Parameter& p : list) {
    text += p.name + " [";
    for (const std::int64_t n : p.tensor.sizes()) text += " " + std::to_string(n);
    text += " ]\n";
    EXPECT_TRUE(p.tensor.is_leaf() && p.tensor.requires_grad()) << p.name;
  }
  return text;
}

std::string times(int layers, const std::string& kind, const std::string& lines) {
  std::string text;
  for (int i = 0; i < layers; ++i) {
    for (std::size_t at = 0; at < lines.size(); at = lines.find('\n', at) + 1) {
      text +=
          kind + "." + std::to_string(i) + "." + lines.substr(at, lines.find('\n', at) + 1 - at);
    }
  }
  return text;
}

TEST(TrainParameters, EveryTensorHasItsNameAndShape) {
  DecoderWeights qwen = initial_weights(parse_config(small_config(true)), 3, at::kCPU);
  const std::string head = "embedding [ 61 24 ]\nfinal_norm [ 24 ]\n";
  EXPECT_EQ(
      listing(backbone_parameters(qwen)),
      head + "lm_head [ 61 24 ]\n" +
          times(2, "layers",
                "input_norm [ 24 ]\npost_norm [ 24 ]\nqkv [ 64 24 ]\nq_norm [ 8 ]\nk_norm [ 8 ]\n"
                "o [ 24 32 ]\ngate_up [ 80 24 ]\ndown [ 24 40 ]\n"));
  DecoderWeights llama = initial_weights(parse_config(small_config(false)), 3, at::kCPU);
  EXPECT_EQ(listing(backbone_parameters(llama)),
            head + times(2, "layers",
                         "input_norm [ 24 ]\npost_norm [ 24 ]\nqkv [ 64 24 ]\no [ 24 32 ]\n"
                         "gate_up [ 80 24 ]\ndown [ 24 40 ]\n"));
  EXPECT_TRUE(llama.lm_head.is_same(llama.embedding)) << "tied as one leaf";
  DecoderWeights full = initial_weights(parse_config(full_config()), 3, at::kCPU);
  EXPECT_EQ(listing(backbone_parameters(full)),
            head + "lm_head [ 61 24 ]\n" +
                times(2, "layers",
                      "input_norm [ 24 ]\npost_norm [ 24 ]\nqkv [ 64 24 ]\nqkv_bias [ 64 ]\n"
                      "o [ 24 32 ]\no_bias [ 24 ]\ngate_up [ 80 24 ]\ngate_up_bias [ 80 ]\n"
                      "down [ 24 40 ]\ndown_bias [ 24 ]\n"));
  for (const LayerWeights& layer : full.layers) {
    for (const at::Tensor& norm : {layer.input_norm, layer.post_norm}) {
      EXPECT_TRUE(norm.eq(1).all().item<bool>());
    }
    for (const at::Tensor& bias :
         {layer.qkv_bias, layer.o_bias, layer.gate_up_bias, layer.down_bias}) {
      EXPECT_TRUE(bias.eq(0).all().item<bool>());
    }
  }
  const auto before = full.parameters;
  RouterOptions options;
  options.expansion = 3;
  add_routers(full, options, 3);
  add_routers(full, options, 3);  // new ones for the old
  EXPECT_EQ(
      listing(router_parameters(full)),
      times(2, "routers",
            "task_up [ 24 8 ]\ntask_up_bias [ 24 ]\ntask_down [ 8 24 ]\ntask_down_bias [ 8 ]\n"
            "head_up [ 24 8 ]\nhead_up_bias [ 24 ]\nhead_down [ 8 24 ]\nhead_down_bias [ 8 ]\n"
            "logits [ 2 8 ]\nlogits_bias [ 2 ]\n"));
  EXPECT_EQ(full.parameters - before, 2 * (4 * 24 * 8 + 2 * 24 + 2 * 8 + 2 * 8 + 2));
  EXPECT_EQ(before, count_parameters(initial_weights(parse_config(full_config()), 1, at::kCPU)));
}

at::Tensor normal_of(std::initializer_list<std::uint64_t> seed, at::IntArrayRef shape,
                     double deviation) {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU).clone();
  generator.set_current_seed(mix_seed(seed));
  return at::empty(shape, at::TensorOptions(at::kFloat)).normal_(0, deviation, generator);
}

TEST(TrainParameters, BackboneRoutersAndMultipliersHaveStreamsOfTheirOwn) {
  DecoderWeights weights = initial_weights(parse_config(small_config(true)), 9, at::kCPU);
  EXPECT_TRUE(weights.embedding.equal(normal_of({9, 1}, {61, 24}, 0.02)));
  add_routers(weights, {}, 9);
  EXPECT_TRUE(weights.routers[0].task_up.equal(normal_of({9, 2}, {32, 8}, 0.02)));
  const std::vector<TrainingTask> tasks = {{"a", 0}, {"b", 1}, {"c", 0.25}};
  const Multipliers m = make_multipliers(tasks, {.initial = 0.7}, 9, at::kCPU);
  const PlacedRandom random(mix_seed({9, 3}));
  for (std::uint64_t i = 0; i < 3; ++i) {
    const auto at = static_cast<std::int64_t>(i);
    EXPECT_EQ(m.lambda1[at].item<float>(), static_cast<float>(0.7 * random.uniform(2 * i)));
    EXPECT_EQ(m.lambda2[at].item<float>(), static_cast<float>(0.7 * random.uniform(2 * i + 1)));
    EXPECT_EQ(m.targets[at].item<float>(), static_cast<float>(tasks[i].target_sparsity));
  }
  EXPECT_TRUE(m.lambda1.requires_grad() && m.lambda2.requires_grad());
  EXPECT_FALSE(m.targets.requires_grad());
  for (const double target : {-0.25, 1.25}) {
    try {
      make_multipliers({{"a", 0.5}, {"b", target}}, {}, 9, at::kCPU);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()),
                target < 0 ? "training task `b`: target sparsity -0.25 lies outside 0 .. 1"
                           : "training task `b`: target sparsity 1.25 lies outside 0 .. 1");
    }
  }
}

// Two documents of task 0 at 1/4 and 3/4 of their heads sparse, one of task 2 at none.
TEST(TrainRegularizer, IsTheMeanOverTheTasksThatAreThere) {
  PackedBatch batch;
  batch.documents_of_task = {2, 0, 1};
  batch.task = at::tensor(std::vector<std::int64_t>{0, 2, 0});
  batch.task_mean = at::tensor(std::vector<float>{.5f, 0, .5f, 0, 0, 0, 0, 1, 0}).view({3, 3});
  const at::Tensor gates =  // [2 layers, 3 documents, 2 heads]
      at::tensor(std::vector<float>{1, 1, 1, 1, 0, 0, 1, 0, 1, 1, 0, 1}).view({2, 3, 2});
  const auto leaf = [](const std::vector<float>& v) { return at::tensor(v); };
  const Multipliers m{leaf({2, 9, 4}), leaf({8, 9, 16}), leaf({0.5f, 0, 0.25f})};
  for (const bool is_signed : {false, true}) {
    const Regularization r = regularize(m, gates, batch, is_signed);
    // Gaps of -1/4, 1/4 and -1/4.
    const double task0 = (is_signed ? 0 : 2 * 0.25) + 8 / 16.0;
    const double task2 = 4 * (is_signed ? -0.25 : 0.25) + 16 / 16.0;
    EXPECT_NEAR(r.total.item<double>(), (task0 + task2) / 2, 1e-6);
    EXPECT_NEAR(r.msr.item<double>(), 1 / 3.0, 1e-6);
    EXPECT_TRUE(r.task_msr.equal(leaf({0.5f, 0, 0})));
  }
}

// With a temperature so high that both classes are as likely, -p ln p is ln 2 / 2.
TEST(TrainForward, EntropyIsThatOfTheSoftGates) {
  SmallModel model = small_model(false, true, at::kFloat);
  PackOptions options;
  options.max_positions = 2048;
  options.vocab = 61;
  const auto mode = mode_of("ssa:local=128");
  options.sparse = mode.get();
  const PackedBatch batch = pack(made_documents({150, 130}, 1, 4), options);
  RotaryTable rotary(model.weights.config.rope, 8, at::kFloat, at::kCPU);
  const TrainingPass pass{at::kFloat, false, 1e9, at::zeros({2, 2, 2, 2}), mode.get()};
  const TrainingForward forward = forward_packed(model.weights, rotary, batch, pass);
  EXPECT_NEAR(forward.entropy.item<double>(), std::log(2.0) / 2, 1e-5);
  EXPECT_EQ(forward.gates.sizes(), (std::vector<std::int64_t>{2, 2, 2}));
}

// A step of Adam with a gradient of the size that keeps the clip from dividing by nothing.
TEST(TrainOptimizer, TheClipDividesByTheNormAndAMillionth) {
  at::Tensor p = at::tensor(std::vector<float>{0}).set_requires_grad(true);
  Optimizer optimizer({{.parameters = {{"p", p}}, .lr = 1}}, {.eps = 1, .clip = 1e-6});
  p.mutable_grad() = at::tensor(std::vector<float>{1e-6f});
  optimizer.step(1);
  EXPECT_NEAR(p.item<double>(), -0.5e-6, 1e-9);
}

TEST(TrainSchedule, TemperaturesStopAtTheirEnd) {
  RouterOptions falling;
  falling.tau_schedule = TauSchedule::kExponential;
  falling.tau_rate = 5;
  EXPECT_DOUBLE_EQ(temperature(falling, 290, 300), 1) << "not below tau_end";
  EXPECT_DOUBLE_EQ(temperature(falling, 15, 300), 1.5 * std::exp(-0.25));
  RouterOptions at_once;
  at_once.tau_share = 0;
  EXPECT_DOUBLE_EQ(temperature(at_once, 0, 300), 1);
}

// Every tensor of a model with all biases, norms and routers comes back as it went.
TEST(TrainExport, AFolderHoldsEveryTensor) {
  const TemporaryFolder folder;
  DecoderWeights weights = initial_weights(parse_config(full_config()), 3, at::kCPU);
  add_routers(weights, {}, 3);
  std::vector<Parameter> all = backbone_parameters(weights);
  for (const Parameter& p : router_parameters(weights)) all.push_back(p);
  std::uint64_t seed = 50;
  for (Parameter& p : all) {
    at::Tensor values = p.tensor.detach();
    fill(values, ++seed, 1);
  }
  write_file_atomic(folder / "tokenizer_config.json", "{\"of\": \"the base\"}");
  write_file_atomic(folder / "notes.txt", "no tokenizer file");
  const std::string config = routed_config(full_config(), "small", {}, *mode_of("ssa"));
  export_model(weights, config, folder.path(), folder / "out");
  EXPECT_EQ(read_file(folder / "out/config.json"), config);
  EXPECT_EQ(read_file(folder / "out/tokenizer_config.json"), "{\"of\": \"the base\"}");
  EXPECT_FALSE(fs::exists(folder / "out/notes.txt"));
  DecoderWeights back = load_weights(Checkpoint(folder / "out"), read_model_config(folder / "out"),
                                     at::kFloat, at::kCPU);
  std::vector<Parameter> read = backbone_parameters(back);
  for (const Parameter& p : router_parameters(back)) read.push_back(p);
  ASSERT_EQ(read.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(read[i].name, all[i].name);
    EXPECT_TRUE(read[i].tensor.equal(all[i].tensor)) << all[i].name;
  }
  export_model(weights, config, {}, folder / "bare");
  EXPECT_FALSE(fs::exists(folder / "bare/tokenizer_config.json"));
}

TEST(TrainExport, RoutedConfigsSayHowTheirRoutersWereTrained) {
  RouterOptions options;
  options.sink = 100, options.local = 300, options.pool_rows = 50;
  const Json base = parse_json(small_config(false), "small");
  Json wanted = base;
  wanted["architectures"] = {"PawLlamaForCausalLM"};
  wanted.update({{"toggle_type", "streaming"},
                 {"retrieval_mode", "full"},
                 {"sink_size", 100},
                 {"local_window_size", 300},
                 {"pooling_mode", "ctx_q"},
                 {"pooling_rows", 50},
                 {"use_softmax", true},
                 {"enable_ada_sparsity", true},
                 {"enable_lambda_task", true},
                 {"use_task_emb_for_mask", false}});
  EXPECT_EQ(parse_json(routed_config(base.dump(), "small", options, *mode_of("ssa")), "routed"),
            wanted);
  options.pooling = RouterPooling::kFull;
  wanted["pooling_rows"] = 0;
  EXPECT_EQ(parse_json(routed_config(base.dump(), "small", options, *mode_of("ssa")), "routed"),
            wanted);
  wanted["toggle_type"] = "xattn";
  wanted["sparse_mode"] = "xa:stride=8,tau=0.8,block=128,rule=exact";
  EXPECT_EQ(
      parse_json(routed_config(base.dump(), "small", options, *mode_of("xa:stride=8,tau=0.8")),
                 "routed"),
      wanted)
      << "released keys say nothing of the options of xa";
  Json other = base;
  other["architectures"] = {"SomethingElse"};
  EXPECT_EQ(parse_json(routed_config(other.dump(), "small", options, *mode_of("ssa")),
                       "routed")["architectures"][0],
            "SomethingElse");
}

// A frozen backbone goes out as it came in although bf16 computed with it;
// a trained one as its masters are.
TEST(TrainExport, BackbonesAreWrittenFromTheirBestCopy) {
  const TemporaryFolder folder;
  TrainOptions options = router_options(folder, "routers");
  options.steps = 1;
  options.dtype = TrainType::kBf16;
  train_router(options, made_source());
  const SafetensorsFile base(options.base / "model.safetensors");
  {
    const SafetensorsFile routed(options.output / "model.safetensors");
    for (const TensorView& tensor : base.tensors()) {
      EXPECT_EQ(float_values(routed.at(tensor.name)), float_values(tensor)) << tensor.name;
    }
  }
  TrainOptions second = small_options(folder / "second");
  second.base = options.base;
  second.steps = 2;
  train_backbone(second, made_source());
  const SafetensorsFile model(second.output / "model.safetensors");
  const SafetensorsFile state(second.output / "state.safetensors");
  const auto values = float_values(model.at("model.embed_tokens.weight"));
  EXPECT_EQ(values, float_values(state.at("master.embedding")));
  EXPECT_NE(values, float_values(base.at("model.embed_tokens.weight")));
}

TEST(TrainSetUp, TypesAndFoldersAreThoseAskedFor) {
  const TemporaryFolder folder;
  TrainOptions options = small_options(folder / "a");
  for (const auto& [asked, type] :
       {std::pair{TrainType::kAuto, at::kFloat}, std::pair{TrainType::kFp32, at::kFloat},
        std::pair{TrainType::kBf16, at::kBFloat16}}) {
    options.dtype = asked;
    const Training training = set_up_backbone(options, made_source());
    EXPECT_EQ(training.compute, type) << to_word(asked);
    EXPECT_FALSE(training.routed);
    EXPECT_TRUE(training.device.is_cpu());
    EXPECT_NE(training.lock, nullptr);
    EXPECT_EQ(training.options.steps, options.steps);
  }
  options.processes = {.rank = 1, .world = 2};
  options.output = folder / "other";
  EXPECT_EQ(set_up_backbone(options, made_source()).lock, nullptr) << "rank 0 writes";
  EXPECT_FALSE(fs::exists(folder / "other"));
  options.processes = {};
  options.steps = 0;
  EXPECT_THROW(set_up_backbone(options, made_source()), Error);
}

// What LibTorch throws in the middle of a training says where the last checkpoint lies.
TEST(TrainSetUp, FailuresOfTheDeviceNameTheLastCheckpoint) {
  const TemporaryFolder folder;
  const TrainOptions options = small_options(folder / "a");
  BatchSource source = made_source();
  source.draw = [](const BatchPosition&) -> std::vector<TrainingDocument> {
    TORCH_CHECK(false, "the device is gone");
    return {};
  };
  try {
    train_backbone(options, source);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDevice);
    EXPECT_EQ(std::string(error.what()), "training stopped (" +
                                             (options.output / "state.safetensors").string() +
                                             " is the last checkpoint): the device is gone");
  }
}

}  // namespace
}  // namespace elastic::engine
