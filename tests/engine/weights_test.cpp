// What is said of checkpoints whose config and tensors do not agree, and which routers are refused.

#include "engine/model/weights.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "engine/api/tensor_file.h"
#include "engine/model/decoder.h"
#include "tests/engine/golden_run.h"
#include "tests/engine/model_copy.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;
using elastic::testing::fixture;
using elastic::testing::load_from;
using elastic::testing::ModelCopy;

constexpr const char* kRoutedSmall = "routed/paw_llama_small";

// A routed checkpoint without the tensors that only its training reads.
struct RoutedFolder : ModelCopy {
  RoutedFolder() : ModelCopy(kRoutedSmall) {
    tensors([](std::vector<NamedTensor>& list) {
      std::erase_if(list, [](const NamedTensor& t) {
        return t.name.find("log_temp") != std::string::npos ||
               t.name.find("log_alphas") != std::string::npos;
      });
    });
  }
};

TEST(Weights, RouterKeysThatTheTensorsBelieAreSaid) {
  const std::string softmax = "the router tensors have 2 output(s); the tensors decide\n";
  const std::vector<std::tuple<const char*, Json, std::string>> rows = {
      {"use_softmax", true, ""},
      {"use_softmax", false, "warning: @/config.json: `use_softmax` is false, but " + softmax},
      {"use_softmax", nullptr, "warning: @/config.json: `use_softmax` is absent, but " + softmax},
      {"pooling_mode", nullptr,
       "warning: @/config.json: no `pooling_mode`; taking ctx_q (first and last 100 keys)\n"},
      {"enable_ada_sparsity", false,
       "warning: @/config.json: `enable_ada_sparsity` is not true, but router tensors are there; "
       "using them\n"},
      {"enable_ada_sparsity", nullptr,
       "warning: @/config.json: `enable_ada_sparsity` is not true, but router tensors are there; "
       "using them\n"}};
  for (const auto& [key, value, wanted] : rows) {
    SCOPED_TRACE(std::string(key) + " " + value.dump());
    const RoutedFolder folder;
    folder.config([&, k = key, v = value](Json& json) {
      json.erase(k);
      if (!v.is_null()) json[k] = v;
    });
    EXPECT_EQ(folder.said(), wanted);
  }
}

// Routers with one output are sigmoid heads: `use_softmax` is false for them.
TEST(Weights, RoutersOfOneOutputAreNoSoftmax) {
  const RoutedFolder folder;
  folder.tensors([](std::vector<NamedTensor>& list) {
    for (NamedTensor& t : list) {
      if (t.name.find("cls_router_head_agnostic.4") == std::string::npos) continue;
      t.values.resize(t.values.size() / 2);
      t.shape[0] = 1;
    }
  });
  folder.config([](Json& json) { json["use_softmax"] = false; });
  EXPECT_EQ(folder.said(), "");
  folder.config([](Json& json) { json["use_softmax"] = true; });
  EXPECT_EQ(folder.said(),
            "warning: @/config.json: `use_softmax` is true, but the router tensors have 1 "
            "output(s); the tensors decide\n");
}

TEST(Weights, RoutersOfOtherHeadsAreRefused) {
  const RoutedFolder folder;
  folder.tensors([](std::vector<NamedTensor>& list) {
    for (NamedTensor& t : list) {  // every router for heads of 6 values instead of 8
      if (t.name.find("mask_allocator") == std::string::npos) continue;
      std::size_t count = 1;
      for (std::int64_t& n : t.shape) {
        if (n == 8) n = 6;
        count *= static_cast<std::size_t>(n);
      }
      t.values.assign(count, 0.5f);
    }
  });
  try {
    load_from(folder.folder.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    EXPECT_EQ(std::string(error.what()),
              folder.path +
                  ": tensor `model.layers.0.self_attn.mask_allocator.cls_feat_extractor.0.weight` "
                  "takes 6 values, head_dim is 8");
  }
}

TEST(Weights, ARoutedClassWithoutRoutersIsSaid) {
  const ModelCopy folder("models/llama_llama3_shards");
  EXPECT_EQ(folder.said(), "");
  folder.config([](Json& json) { json["architectures"][0] = "PawLlamaForCausalLM"; });
  EXPECT_EQ(folder.said(),
            "warning: @: architecture PawLlamaForCausalLM but no router tensors; routed modes are "
            "not available\n");
  EXPECT_TRUE(load_from(folder.folder.path()).routers.empty());
}

TEST(Weights, SpareTensorsAreCountedAndTheFirstIsNamed) {
  const ModelCopy folder("models/llama_llama3_shards");
  fs::remove(folder.folder / "model.safetensors.index.json");
  const auto with = [&](const std::vector<std::string>& names) {
    std::vector<NamedTensor> spare;
    spare.reserve(names.size());
    for (const std::string& name : names) spare.push_back({name, {1}, {0}});
    write_tensors(folder.folder / "spare.safetensors", spare);
    return folder.said();
  };
  EXPECT_EQ(with({"lm_head.weight"}), "") << "the tied embedding once more";
  EXPECT_EQ(with({"model.layers.1.self_attn.rotary_emb.inv_freq", "lm_head.weight"}), "");
  EXPECT_EQ(with({"a.weight"}),
            "warning: @: 1 tensor(s) that the model does not read: `a.weight`\n");
  EXPECT_EQ(with({"lm_head.weight", "a.weight", "model.layers.x.weight"}),
            "warning: @: 2 tensor(s) that the model does not read: `a.weight`, ...\n");
  EXPECT_THROW(with({"model.layers.2.weight"}), Error);
  EXPECT_NE(with({"model.layers.1.weight"}), "");
  folder.config([](Json& json) { json["tie_word_embeddings"] = false; });
  EXPECT_THROW(with({"lm_head.weight"}), Error) << "one value is no output head";
}

// A decoder over a small checkpoint, by itself.
TEST(DecoderModel, RefusesWhatIsNoStart) {
  Decoder decoder(load_from(fixture("models/llama_linear_bias")), 0);
  PlanContext context;
  context.layers = 2, context.heads_q = 6, context.heads_kv = 2;
  const AttentionPlan plan = make_attention_plan("fa", context);
  StageClock clock(at::kCPU);
  Sequence sequence = decoder.start(8);
  EXPECT_THROW(decoder.prefill(sequence, {}, plan, clock), std::logic_error);
  const std::vector<std::int32_t> ids = {5, 7, 11};
  decoder.prefill(sequence, ids, plan, clock);
  EXPECT_EQ(sequence.tokens, 3);
  EXPECT_THROW(decoder.prefill(sequence, ids, plan, clock), std::logic_error);
  std::vector<Sequence*> one = {&sequence};
  EXPECT_THROW(decoder.step(one, ids, plan), std::logic_error);
  decoder.step(one, std::span(ids).first(1), plan);
  EXPECT_EQ(sequence.tokens, 4);
}

// Rows of a chunk, rounded up to blocks of 128, show in the memory that a request takes.
TEST(DecoderModel, ChunksAreWholeBlocks) {
  const auto peak = [](std::int64_t chunk_rows) {
    const auto generator =
        elastic::testing::cpu_generator(fixture(kRoutedSmall), "fp32", chunk_rows);
    const Request request = elastic::testing::request_of(elastic::testing::some_ids(500, 7), 1);
    generator->generate(request);  // makes the rotary table, which stays
    return generator->generate(request).peak_bytes;
  };
  const std::int64_t block = peak(128), two = peak(256), all = peak(512);
  EXPECT_LT(block, two);
  EXPECT_LT(two, all);
  EXPECT_EQ(peak(1), block);
  EXPECT_EQ(peak(127), block);
  EXPECT_EQ(peak(129), two);
  EXPECT_EQ(peak(0), all);
}

}  // namespace
}  // namespace elastic::engine
