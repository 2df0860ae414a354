// router.json of an adapter: read, refused where it is broken, held against a base.

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/io/router_adapter.h"
#include "engine/io/safetensors.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

const std::string kHash(64, 'a');

Json whole() {
  RouterAdapter adapter{.base = "small",
                        .base_sha256 = kHash,
                        .layers = 2,
                        .heads_kv = 3,
                        .head_dim = 8,
                        .expansion = 4};
  return router_adapter_json(adapter, {{"toggle_type", "streaming"}, {"sink_size", 128}},
                             {{"seed", 42}});
}

// "KIND message".
std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.kind())) + " " + error.what();
  }
  return "nothing";
}

std::string parse_refusal(const std::function<void(Json&)>& change) {
  Json json = whole();
  change(json);
  std::string text = refusal([&] { parse_router_adapter({json, "r.json"}); });
  const std::string kind = std::to_string(static_cast<int>(ErrorKind::kCorrupt)) + " ";
  return text.starts_with(kind) ? text.substr(kind.size()) : text;
}

TEST(RouterAdapter, TheShippedOneIsForSmolLM2) {
  const std::filesystem::path folder = elastic::testing::source_folder() / "models/smollm2-router";
  const RouterAdapter adapter = read_router_adapter(folder);
  EXPECT_EQ(adapter.base_sha256,  // of the file that `data fetch smollm2` brings
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53");
  EXPECT_EQ(adapter.layers, 30);
  EXPECT_EQ(adapter.heads_kv, 3);
  EXPECT_EQ(adapter.head_dim, 64);
  EXPECT_EQ(adapter.routing.local_window_size, 512);
  const SafetensorsFile weights(folder / kAdapterWeights);
  EXPECT_EQ(weights.tensors().size(), 30U * 10);  // five linear maps a layer, with biases
  for (const TensorView& tensor : weights.tensors()) EXPECT_EQ(tensor.type, TensorType::kBF16);
  EXPECT_LE(std::filesystem::file_size(folder / kAdapterWeights), 6'000'000U);
  // It was trained as the file beside it says.
  const Json training = read_json(folder / "training/router.json"),
             made = read_json(folder / kAdapterConfig)["training"];
  EXPECT_EQ(made["steps done"], training["steps"]);
  EXPECT_EQ(made["seed"], training["seed"]);
  EXPECT_EQ(made["data"], training["data"]);
}

TEST(RouterAdapter, WhatIsWrittenIsRead) {
  const Json json = whole();
  const RouterAdapter adapter = parse_router_adapter({json, "r.json"});
  EXPECT_EQ(adapter.base, "small");
  EXPECT_EQ(adapter.base_sha256, kHash);
  EXPECT_EQ(adapter.layers, 2);
  EXPECT_EQ(adapter.heads_kv, 3);
  EXPECT_EQ(adapter.head_dim, 8);
  EXPECT_EQ(adapter.expansion, 4);
  EXPECT_EQ(adapter.routing.toggle_type, "streaming");
  EXPECT_EQ(adapter.routing.sink_size, 128);
  EXPECT_EQ(adapter.routing.local_window_size, std::nullopt);
}

TEST(RouterAdapter, BrokenFilesAreRefusedByKeyAndValue) {
  constexpr std::string_view kCure = "; train the routers again, or take an unbroken copy";
  const auto cured = [&](const std::string& text) {
    return "r.json: " + text + std::string(kCure);
  };
  EXPECT_EQ(parse_refusal([](Json& j) { j = Json::array(); }), cured("not a JSON object"));
  EXPECT_EQ(parse_refusal([](Json& j) { j.erase("base"); }), cured("key `base` is missing"));
  EXPECT_EQ(parse_refusal([](Json& j) { j["routing"] = 3; }),
            cured("key `routing` is 3, expected an object"));
  EXPECT_EQ(parse_refusal([](Json& j) { j["expansion"] = 0; }),
            cured("key `expansion` is 0, expected 1 to 1024"));
  EXPECT_EQ(parse_refusal([](Json& j) { j["base"]["layers"] = 5000; }),
            "r.json: base: key `layers` is 5000, expected 1 to 4096" + std::string(kCure));
  EXPECT_EQ(
      parse_refusal([](Json& j) { j["base"]["weights_sha256"] = "abc"; }),
      "r.json: base: key `weights_sha256` is `abc`, expected 64 hex digits" + std::string(kCure));
  EXPECT_EQ(parse_refusal([](Json& j) { j["base"].erase("head_dim"); }),
            "r.json: base: key `head_dim` is missing");
  EXPECT_EQ(parse_refusal([](Json& j) { j["routing"]["sink_size"] = -1; }),
            "r.json: routing: `sink_size` is -1");
  EXPECT_NE(parse_refusal([](Json& j) {
              j["schema_version"] = 2;
            }).find("r.json: `schema_version` is 2, this program reads 1"),
            std::string::npos);
}

TEST(RouterAdapter, FoldersThatHoldNoneSayWhatTheyHold) {
  const elastic::testing::TemporaryFolder folder;
  const std::string path = folder.path().string();
  const auto read = [&] { return refusal([&] { read_router_adapter(folder.path()); }); };
  const std::string kind = std::to_string(static_cast<int>(ErrorKind::kInvalidArgument)) + " ";
  EXPECT_EQ(read(), kind + "--router " + path +
                        ": no router.json there; give a folder that `train router` wrote with "
                        "\"export\": \"adapter\" (docs/training.md)");
  write_file_atomic(folder / "config.json", "{}");
  EXPECT_EQ(read(), kind + "--router " + path +
                        ": is a whole model, whose routers come along with --model; give it there");
  write_file_atomic(folder / kAdapterConfig, "{\"schema_version\": 1, \"ba");
  EXPECT_NE(read().find("router.json"), std::string::npos);
  write_file_atomic(folder / kAdapterConfig, dump_pretty(whole()));
  EXPECT_EQ(read_router_adapter(folder.path()).folder, folder.path());
}

TEST(RouterAdapter, AnotherBaseIsRefusedWithTheCure) {
  const Json json = whole();
  RouterAdapter adapter = parse_router_adapter({json, "r.json"});
  adapter.folder = "routers";
  ModelConfig base;
  base.folder = "model";
  base.layers = 2, base.heads_kv = 3, base.head_dim = 8;
  check_base(adapter, base);
  check_base_weights(adapter, base, kHash);
  const auto text = [&](const std::string& found) {
    return std::to_string(static_cast<int>(ErrorKind::kInvalidArgument)) +
           " --router routers: these routers are for the base `small`, weights sha256 " + kHash +
           ", but model has " + found +
           "; give --model the base they were trained for, or train routers for this one "
           "(elastic-bench train router --base model with \"export\": \"adapter\")";
  };
  const std::string other(64, 'b');
  EXPECT_EQ(refusal([&] { check_base_weights(adapter, base, other); }),
            text("weights sha256 " + other));
  const auto shaped = [&](std::int64_t ModelConfig::*field) {
    ModelConfig changed = base;
    changed.*field = 7;
    return refusal([&] { check_base(adapter, changed); });
  };
  EXPECT_EQ(shaped(&ModelConfig::layers), text("layers 7 instead of 2"));
  EXPECT_EQ(shaped(&ModelConfig::heads_kv), text("KV heads 7 instead of 3"));
  EXPECT_EQ(shaped(&ModelConfig::head_dim), text("head_dim 7 instead of 8"));
}

}  // namespace
}  // namespace elastic::engine
