// Routers that were trained and written alone: their names, what they are on their base, and which
// files are refused.

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "engine/api/make_generator.h"
#include "engine/api/tensor_file.h"
#include "engine/io/checkpoint.h"
#include "engine/io/router_adapter.h"
#include "engine/model/weights.h"
#include "tests/engine/train_run.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;
using namespace elastic::testing;

// A base, its routers as a model of their own and alone, of the same training.
class TrainAdapter : public ::testing::Test {
 protected:
  void SetUp() override {
    TrainOptions options = router_options(folder_, "whole");
    options.optimizer.lr = 0.05;
    train_router(options, made_source());
    options.output = adapter();
    options.export_as = TrainExport::kAdapter;
    train_router(options, made_source());
  }

  fs::path base() const { return folder_ / "base"; }
  fs::path adapter() const { return folder_ / "adapter"; }

  std::unique_ptr<Generator> open(const fs::path& model, const fs::path& router) const {
    return make_generator({.model = model, .router = router, .device = "cpu"});
  }
  std::string refusal(const fs::path& model) const {
    try {
      open(model, adapter());
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing";
  }
  void change_tensors(const std::function<void(std::vector<NamedTensor>&)>& change) const {
    std::vector<NamedTensor> list;
    {
      const SafetensorsFile file(adapter() / kAdapterWeights);
      for (const TensorView& view : file.tensors()) {
        list.push_back({view.name, view.shape, float_values(view)});
      }
    }
    change(list);
    write_tensors(adapter() / kAdapterWeights, list);
  }

  TemporaryFolder folder_;
};

Request long_prompt() {
  Request request;
  for (int i = 0; i < 500; ++i) request.ids.push_back(i * i % 61);
  request.max_new_tokens = 4;
  request.ignore_eos = true;
  return request;
}

// The names of the release (elastic_attention spec 3.2), spelt out.
TEST_F(TrainAdapter, HoldTheReleasedNamesAndNothingElse) {
  std::set<std::string> wanted;
  for (const char* layer : {"0", "1"}) {
    for (const char* linear :
         {"cls_feat_extractor.0", "cls_feat_extractor.2", "cls_router_head_agnostic.0",
          "cls_router_head_agnostic.2", "cls_router_head_agnostic.4"}) {
      for (const char* part : {".weight", ".bias"}) {
        wanted.insert(std::string("model.layers.") + layer + ".self_attn.mask_allocator." + linear +
                      part);
      }
    }
  }
  std::set<std::string> names;
  for (const std::string& name : Checkpoint(adapter(), kAdapterWeights).names()) names.insert(name);
  EXPECT_EQ(names, wanted);
  EXPECT_FALSE(fs::exists(adapter() / "config.json"));
  const Checkpoint whole(folder_ / "whole");
  for (const std::string& name : Checkpoint(base()).names()) {
    EXPECT_TRUE(whole.contains(name)) << name;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  const std::vector<std::string> all = whole.names();
  EXPECT_EQ(names, std::set<std::string>(all.begin(), all.end()));
}

TEST_F(TrainAdapter, SayForWhatAndHowTheyWereTrained) {
  const Json json = read_json(adapter() / kAdapterConfig);
  EXPECT_EQ(json["base"], (Json{{"name", "base"},
                                {"weights_sha256", Checkpoint(base()).sha256()},
                                {"layers", 2},
                                {"heads_kv", 2},
                                {"head_dim", 8}}));
  EXPECT_EQ(json["expansion"], 4);
  const Json config = read_json(folder_ / "whole" / "config.json");
  for (const auto& [key, value] : json["routing"].items()) EXPECT_EQ(config[key], value) << key;
  const Json& training = json["training"];
  EXPECT_EQ(training["steps done"], 6);
  EXPECT_EQ(training["seed"], 42);
  EXPECT_EQ(training["target of needle"], 0.6);
  EXPECT_FALSE(training.contains("model config"));
}

TEST_F(TrainAdapter, OnTheirBaseTheyAreTheWholeModel) {
  const auto whole = open(folder_ / "whole", {}), put = open(base(), adapter());
  EXPECT_EQ(put->model().name, "base+adapter");
  EXPECT_EQ(put->model().weights_sha256, Checkpoint(base()).sha256());
  EXPECT_EQ(put->model().router_sha256, sha256_file(adapter() / kAdapterWeights));
  EXPECT_EQ(put->model().router_config_sha256, sha256_file(adapter() / kAdapterConfig));
  EXPECT_EQ(put->model().parameters, whole->model().parameters);
  EXPECT_EQ(whole->model().router_sha256, "");
  for (const auto& engine : {whole.get(), put.get()}) engine->set_mode("routed");
  EXPECT_EQ(put->mode(), whole->mode());
  const Result a = whole->generate(long_prompt()), b = put->generate(long_prompt());
  EXPECT_EQ(a.ids, b.ids);
  // The adapter's file is bf16, the whole model's routers are fp32.
  ASSERT_EQ(a.trace.router_logits.size(), 2U);
  for (std::size_t layer = 0; layer < 2; ++layer) {
    const auto &wide = a.trace.router_logits[layer], &stored = b.trace.router_logits[layer];
    ASSERT_EQ(wide.size(), stored.size());
    for (std::size_t head = 0; head < wide.size(); ++head) {
      for (std::size_t mode = 0; mode < 2; ++mode) {
        EXPECT_NEAR(stored[head][mode], wide[head][mode], 0.02) << layer << ' ' << head;
      }
    }
  }
}

// On a model that has routers of its own they take their place.
TEST_F(TrainAdapter, TakeThePlaceOfOthers) {
  TrainOptions options = router_options(folder_, "second");
  options.base = folder_ / "whole";
  options.seed = 5;
  options.export_as = TrainExport::kAdapter;
  train_router(options, made_source());
  const auto own = open(folder_ / "whole", {}), put = open(folder_ / "whole", folder_ / "second");
  for (const auto& engine : {own.get(), put.get()}) engine->set_mode("fa-ssa");
  EXPECT_NE(own->generate(long_prompt()).trace.router_logits,
            put->generate(long_prompt()).trace.router_logits);
}

TEST_F(TrainAdapter, AnotherBaseIsRefused) {
  const fs::path other = small_checkpoint(folder_ / "other", 7);
  const std::string text = refusal(other);
  for (const std::string& part :
       {adapter().string(), std::string("`base`"), Checkpoint(base()).sha256(),
        Checkpoint(other).sha256(), std::string("give --model the base they were trained for")}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST_F(TrainAdapter, ModesAreCheckedWithThem) {
  EXPECT_THROW(check_modes(base(), {}, {"fa-ssa"}), Error);
  check_modes(base(), adapter(), {"fa", "fa-ssa", "routed"});
  EXPECT_THROW(check_modes(base(), folder_.path(), {"fa"}), Error);
  try {
    open(base(), {})->set_mode("fa-ssa");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("--router DIR"), std::string::npos) << error.what();
  }
}

TEST_F(TrainAdapter, BrokenWeightsAreRefused) {
  const fs::path file = adapter() / kAdapterWeights;
  const std::string bytes = read_file(file);
  write_file_atomic(file, bytes.substr(0, bytes.size() / 2));
  EXPECT_NE(refusal(base()).find(file.string()), std::string::npos) << refusal(base());
  fs::remove(file);
  EXPECT_NE(refusal(base()).find(file.string()), std::string::npos) << refusal(base());
  write_file_atomic(file, bytes);
  EXPECT_EQ(refusal(base()), "nothing");
  change_tensors([](std::vector<NamedTensor>& list) { list.pop_back(); });
  EXPECT_NE(refusal(base()).find("no tensor `model.layers.1.self_attn.mask_allocator."),
            std::string::npos)
      << refusal(base());
  write_file_atomic(file, bytes);
  change_tensors([](std::vector<NamedTensor>& list) {
    list.front().shape = {list.front().shape[0] / 2, list.front().shape[1] * 2};
  });
  EXPECT_NE(refusal(base()).find("router tensor mask_allocator.cls_feat_extractor.0.bias has shape "
                                 "[32], expected [16]"),
            std::string::npos)
      << refusal(base());
  write_file_atomic(file, bytes);
  Json json = read_json(adapter() / kAdapterConfig);
  json["expansion"] = 2;
  write_file_atomic(adapter() / kAdapterConfig, dump_pretty(json));
  EXPECT_NE(refusal(base()).find("router.json: `expansion` is 2, but the routers of "
                                 "router.safetensors are 32 wide for a head_dim of 8"),
            std::string::npos)
      << refusal(base());
}

TEST(TrainAdapterOptions, OnlyRouterTrainingsMakeThem) {
  const TemporaryFolder folder;
  TrainOptions options = router_options(folder, "out");
  options.export_as = TrainExport::kAdapter;
  EXPECT_THROW(train_heads(options, made_source()), Error);
  EXPECT_THROW(train_backbone(options, made_source()), Error);
}

}  // namespace
}  // namespace elastic::engine
