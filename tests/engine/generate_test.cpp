// The generator over small checkpoints: batches, sampling, cut caches, errors.

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <numeric>

#include "base/error.h"
#include "engine/config/model_config.h"
#include "engine/config/shapes.h"
#include "engine/io/checkpoint.h"
#include "engine/model/norm.h"
#include "engine/model/weights.h"
#include "engine/router/router.h"
#include "tests/engine/golden_run.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

using elastic::testing::cpu_generator;
using elastic::testing::fixture;
using elastic::testing::fixture_with;
using elastic::testing::request_of;
using elastic::testing::some_ids;
using elastic::testing::tensor_named;

TEST(Generate, ABatchEqualsItsRequestsAlone) {
  const auto generator = cpu_generator(fixture("routed/paw_llama_small"));
  for (const char* mode : {"fa", "fa-ssa", "fa-ssa:decode=sparse"}) {
    SCOPED_TRACE(mode);
    generator->set_mode(mode);
    std::vector<Request> batch = {request_of(some_ids(300, 7), 9), request_of(some_ids(40, 11), 3),
                                  request_of(some_ids(513, 5), 12), request_of(some_ids(1, 1), 0)};
    batch[2].sampling = {.temperature = 1.0, .top_p = 0.9, .top_k = 20, .seed = 3};
    const std::vector<Result> together = generator->generate(batch);
    ASSERT_EQ(together.size(), batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Result alone = generator->generate(batch[i]);
      EXPECT_EQ(together[i].ids, alone.ids);
      EXPECT_EQ(together[i].trace.routing, alone.trace.routing);
      EXPECT_EQ(static_cast<std::int64_t>(alone.ids.size()), batch[i].max_new_tokens);
    }
  }
}

TEST(Generate, ChunksDoNotChangeResults) {
  const auto whole = cpu_generator(fixture("routed/paw_llama_small"));
  const auto chunked = cpu_generator(fixture("routed/paw_llama_small"), "fp32", 128);
  Request request = request_of(some_ids(700, 7), 4);
  request.all_logits = true;
  for (const char* mode : {"fa", "ssa", "fa-ssa", "ssa:sink=10,local=100,block=1"}) {
    SCOPED_TRACE(mode);
    whole->set_mode(mode);
    chunked->set_mode(mode);
    const Result a = whole->generate(request), b = chunked->generate(request);
    EXPECT_EQ(a.ids, b.ids);
    EXPECT_EQ(a.trace.routing, b.trace.routing);
    EXPECT_DOUBLE_EQ(a.trace.esr.all_layers, b.trace.esr.all_layers);
    const auto& x = tensor_named(a, "logits").values;
    const auto& y = tensor_named(b, "logits").values;
    ASSERT_EQ(x.size(), y.size());
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], 1e-3);
  }
}

// A decode step and the same token at the end of a longer prompt see the same keys.
TEST(Generate, DecodeEqualsPrefillOfTheLongerPrompt) {
  for (const char* name : {"models/llama_llama3_shards", "models/qwen3_yarn_options"}) {
    SCOPED_TRACE(name);
    const auto generator = cpu_generator(fixture(name));
    const Result result = generator->generate(request_of(some_ids(90, 7), 30));
    std::vector<std::int32_t> ids = some_ids(90, 7);
    for (const std::int32_t id : result.ids) {
      const Result next = generator->generate(request_of(ids, 1));
      ASSERT_EQ(next.ids, std::vector<std::int32_t>{id});
      ids.push_back(id);
    }
  }
}

TEST(Generate, SparseDecodeCutsTheCacheAndSeesTheWindow) {
  const auto generator = cpu_generator(fixture("models/llama_llama3_shards"));
  const std::vector<std::int32_t> prompt = some_ids(200, 7);
  // Token-granular streaming sees [0, sink) and the last `local` in prefill too, so decoding over
  // the cut cache must give what prefill of the longer prompt gives, before and after the cut.
  constexpr const char* kMode = "ssa:sink=8,local=210,block=1,decode=sparse";
  generator->set_mode(kMode);
  const Result result = generator->generate(request_of(prompt, 40));
  EXPECT_LT(result.kv_bytes, result.kv_bytes_full);
  EXPECT_EQ(result.kv_bytes * 239, result.kv_bytes_full * 218);
  std::vector<std::int32_t> ids = prompt;
  for (const std::int32_t id : result.ids) {
    ASSERT_EQ(generator->generate(request_of(ids, 1)).ids, std::vector<std::int32_t>{id});
    ids.push_back(id);
  }
  generator->set_mode("ssa:sink=8,local=210,block=1");
  const Result full = generator->generate(request_of(prompt, 40));
  EXPECT_EQ(full.kv_bytes, full.kv_bytes_full);
}

TEST(Generate, TimesAndTraceAreFilled) {
  const auto generator = cpu_generator(fixture("routed/paw_llama_small"));
  generator->set_mode("fa-ssa");
  const Result result = generator->generate(request_of(some_ids(500, 7), 5));
  EXPECT_GT(result.timing.prefill_ms, 0);
  EXPECT_GE(result.timing.ttft_ms, result.timing.prefill_ms);
  EXPECT_GT(result.timing.decode_ms, 0);
  EXPECT_LE(result.timing.router_ms + result.timing.select_ms + result.timing.attention_ms,
            result.timing.prefill_ms);
  EXPECT_EQ(result.trace.routing.size(), 3u);
  EXPECT_EQ(result.trace.router_logits.size(), 3u);
  EXPECT_EQ(result.kv_bytes_full, 2 * 3 * 3 * 504 * 8 * 4);
  generator->set_mode("fa");
  const Result full = generator->generate(request_of(some_ids(50, 7), 1));
  EXPECT_TRUE(full.trace.router_logits.empty());
  EXPECT_EQ(full.trace.msr, 0);
  EXPECT_EQ(full.trace.block_density, 1);
}

TEST(Generate, Bf16StaysNearFp32) {
  const auto exact = cpu_generator(fixture("models/qwen3_yarn_options"));
  const auto rounded = cpu_generator(fixture("models/qwen3_yarn_options"), "bf16");
  EXPECT_EQ(rounded->dtype(), "bf16");
  Request request = request_of(some_ids(150, 7), 0);
  request.all_logits = true;
  const auto a = tensor_named(exact->generate(request), "logits");
  const auto b = tensor_named(rounded->generate(request), "logits");
  double difference = 0, magnitude = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    difference += std::pow(a.values[i] - b.values[i], 2);
    magnitude += std::pow(a.values[i], 2);
  }
  EXPECT_LT(std::sqrt(difference / magnitude),
            0.05);  // eight bits of mantissa through three layers
  EXPECT_GT(difference, 0);
}

TEST(Generate, SenselessRequestsAreNamedErrors) {
  const auto generator = cpu_generator(fixture("models/llama_linear_bias"));
  Request stop = request_of({5}, 1);
  stop.stop = {"x"};
  Request cold = request_of({5}, 1);
  cold.sampling.temperature = -1;
  for (const Request& bad : {request_of({}, 1), request_of({96}, 1), request_of({-1}, 1),
                             request_of({5}, -1), stop, cold}) {
    EXPECT_THROW(generator->generate(bad), Error);
  }
  EXPECT_THROW(generator->set_mode("fa-ssa"), Error);  // no router
  EXPECT_THROW(generator->set_mode("fast"), Error);
  EXPECT_EQ(generator->mode(), "fa");
}

TEST(Generate, RouterFeaturesAreWhatTheRoutersDecidedFrom) {
  const std::filesystem::path folder = fixture("routed/paw_llama_small");
  const auto generator = cpu_generator(folder);
  const std::vector<std::int32_t> ids = some_ids(300, 7);
  EXPECT_THROW(generator->router_features(ids, 1), Error);  // mode fa
  generator->set_mode("fa-ssa");
  const Trace trace = generator->generate(request_of(ids, 0)).trace;
  const ModelInfo& model = generator->model();
  const std::vector<RouterFeatures> features = generator->router_features(ids, model.layers);
  ASSERT_EQ(static_cast<std::int64_t>(features.size()), model.layers);

  const Checkpoint checkpoint(folder);
  const DecoderWeights weights =
      load_weights(checkpoint, read_model_config(folder), at::kFloat, at::kCPU);
  for (std::size_t layer = 0; layer < features.size(); ++layer) {
    const at::Tensor pooled =
        at::tensor(features[layer].pooled_keys).view({model.heads_kv, model.head_dim});
    const at::Tensor task = at::tensor(features[layer].task).view_as(pooled);
    EXPECT_TRUE(at::equal(task, task_features(weights.routers[layer], pooled)));
    const at::Tensor logits = router_logits(weights.routers[layer], pooled);
    for (std::int64_t head = 0; head < model.heads_kv; ++head) {
      for (std::int64_t side = 0; side < 2; ++side) {
        EXPECT_EQ(logits[head][side].item<float>(),
                  trace.router_logits[layer][static_cast<std::size_t>(head)]
                                     [static_cast<std::size_t>(side)]);
      }
    }
  }
  const std::vector<RouterFeatures> first = generator->router_features(ids, 1);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].task, features[0].task);
  EXPECT_THROW(generator->router_features(ids, model.layers + 1), Error);
  EXPECT_THROW(generator->router_features({}, 1), Error);
}

TEST(Generate, RetrievalScoresAreTheMassOnTheNeedle) {
  const std::filesystem::path folder = fixture("routed/paw_llama_small");
  const auto generator = cpu_generator(folder, "fp32", 128);
  const std::vector<std::int32_t> ids = some_ids(300, 7);
  std::vector<std::int64_t> needle(ids.size());
  std::iota(needle.begin(), needle.end(), 0);
  const ModelInfo& model = generator->model();
  const auto all = generator->retrieval_scores(ids, needle);
  ASSERT_EQ(std::ssize(all), model.layers);
  for (const std::vector<float>& layer : all) {
    ASSERT_EQ(std::ssize(layer), model.heads_q);
    for (const float mass : layer) EXPECT_NEAR(mass, 1, 1e-5);
  }
  const auto front = generator->retrieval_scores(ids, std::span(needle).first(100));
  const auto back = generator->retrieval_scores(ids, std::span(needle).subspan(100));
  for (std::size_t layer = 0; layer < front.size(); ++layer) {
    for (std::size_t head = 0; head < front[layer].size(); ++head) {
      EXPECT_NEAR(front[layer][head] + back[layer][head], 1, 1e-5);
    }
  }
  generator->set_mode("ssa:sink=0,local=1,block=1");
  EXPECT_EQ(generator->retrieval_scores(ids, std::span(needle).first(100)), front)
      << "under full attention, whatever the mode";
  needle.push_back(300);
  EXPECT_THROW(generator->retrieval_scores(ids, needle), Error);
  EXPECT_THROW(generator->retrieval_scores({}, {}), Error);
}

// `pooling_rows`: 0 in config.json is a router that was trained on the mean of all keys.
TEST(Generate, RoutersPoolOverAsManyRowsAsTheirConfigSays) {
  constexpr const char* kModel = "routed/paw_llama_small";
  const std::vector<std::int32_t> ids = some_ids(300, 7);
  const ModelConfig config = read_model_config(fixture(kModel));
  const DecoderWeights weights =
      load_weights(Checkpoint(fixture(kModel)), config, at::kFloat, at::kCPU);
  const LayerWeights& first = weights.layers.front();
  const at::Tensor index = at::tensor(std::vector<std::int64_t>(ids.begin(), ids.end()));
  const at::Tensor keys = at::linear(
      rms_norm(weights.embedding.index_select(0, index), first.input_norm, config.rms_eps),
      first.qkv.narrow(0, config.heads_q * config.head_dim, config.heads_kv * config.head_dim));
  for (const std::int64_t rows : {0, 40, 100}) {
    SCOPED_TRACE(rows);
    const testing::TemporaryFolder folder;
    const auto generator = cpu_generator(fixture_with(folder, kModel, "pooling_rows", rows));
    generator->set_mode("fa-ssa");
    const at::Tensor wanted =
        rows == 0
            ? keys.mean(0)
            : (keys.narrow(0, 0, rows).mean(0) + keys.narrow(0, 300 - rows, rows).mean(0)) / 2;
    const at::Tensor pooled = at::tensor(generator->router_features(ids, 1).at(0).pooled_keys);
    EXPECT_LT((pooled - wanted).abs().max().item<double>(), 1e-5);
  }
}

// More rows than are computed at a time come in the order of the prompt.
TEST(Generate, LogitsOfALongPromptAreInItsOrder) {
  const auto generator = cpu_generator(fixture("models/llama_linear_bias"));
  Request request = request_of(some_ids(1100, 7), 1);
  request.all_logits = true;
  const Result result = generator->generate(request);
  const NamedTensor& logits = tensor_named(result, "logits");
  const auto width = static_cast<std::size_t>(logits.shape[1]);
  ASSERT_EQ(logits.values.size(), 1100 * width);
  const auto last = std::span(logits.values).last(width);
  EXPECT_EQ(std::max_element(last.begin(), last.end()) - last.begin(), result.ids[0]);
  request.ids.resize(1);
  const Result alone = generator->generate(request);
  for (std::size_t i = 0; i < width; ++i) {
    EXPECT_NEAR(logits.values[i], tensor_named(alone, "logits").values[i], 1e-4);
  }
}

TEST(Generate, MoreTokensThanPositionsAreSaid) {
  const auto generator = cpu_generator(fixture("models/llama_linear_bias"));  // 512 positions
  const auto said = [&](std::int64_t new_tokens) {
    ::testing::internal::CaptureStderr();
    generator->generate(request_of(some_ids(510, 7), new_tokens));
    return ::testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(said(3), "");  // the last one is never fed back
  EXPECT_NE(said(4).find("exceed the model's 512 positions"), std::string::npos);
}

TEST(Generate, ParametersAreThoseOfTheFile) {
  for (const char* name :
       {"models/llama_linear_bias", "models/llama_llama3_shards"}) {  // untied, tied
    SCOPED_TRACE(name);
    const Checkpoint checkpoint(fixture(name));
    std::int64_t stored = 0;
    for (const auto& path : checkpoint.files()) {
      const SafetensorsFile file(path);
      for (const TensorView& tensor : file.tensors()) {
        stored += static_cast<std::int64_t>(tensor.bytes.size() / item_size(tensor.type));
      }
    }
    EXPECT_EQ(cpu_generator(fixture(name))->model().parameters, stored);
  }
}

TEST(Generate, RandomShapesHaveTheRopeOfTheirModels) {
  const ModelConfig llama = shape_config("llama-3.1-8b");
  EXPECT_EQ(llama.rope.type, RopeType::kLlama3);
  EXPECT_EQ(llama.rope.factor, 8);
  EXPECT_EQ(llama.rope.original_max_positions, 8192);
  EXPECT_EQ(shape_config("qwen3-4b").rope.type, RopeType::kDefault);
  EXPECT_TRUE(shape_config("qwen3-4b").qk_norm);
  EXPECT_FALSE(llama.qk_norm);
}

TEST(Generate, RandomWeightsAreSeeded) {
  GeneratorOptions options;
  options.random_shape = "tiny-4x8x64";
  options.device = "cpu";
  const auto a = make_generator(options), b = make_generator(options);
  EXPECT_EQ(a->model().layers, 4);
  EXPECT_TRUE(a->model().has_router);
  const Request request = request_of(some_ids(300, 7), 6);
  a->set_mode("fa-ssa");
  b->set_mode("fa-ssa");
  EXPECT_EQ(a->generate(request).ids, b->generate(request).ids);
  options.random_shape = "llama-9000";
  EXPECT_THROW(make_generator(options), Error);
}

TEST(Generate, UnknownDeviceAndDtypeAreNamedErrors) {
  GeneratorOptions options;
  options.model = fixture("models/llama_linear_bias");
  options.device = "tpu";
  EXPECT_THROW(make_generator(options), Error);
  options.device = "cpu";
  options.dtype = "int4";
  EXPECT_THROW(make_generator(options), Error);
}

}  // namespace
}  // namespace elastic::engine
