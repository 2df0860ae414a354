#include "tests/engine/model_golden.h"

#include <gtest/gtest.h>

#include <functional>
#include <iostream>
#include <string_view>

#include "tests/engine/golden_run.h"
#include "tests/testing/folders.h"

namespace elastic::testing {
namespace {

namespace fs = std::filesystem;

constexpr double kLogitTolerance = 1e-3;  // fp32 against fp32 of another order of sums
constexpr double kRouterTolerance = 1e-4;

std::vector<std::int32_t> rows_of(const engine::SafetensorsFile& file, const std::string& name) {
  return int32_values(file.at(name));
}

void check_hidden(const engine::SafetensorsFile& file, const std::string& prompt,
                  const engine::Result& result, const std::vector<std::int32_t>& rows) {
  for (int layer = 0;; ++layer) {
    const auto* stored = file.find("hidden_" + prompt + "_" + std::to_string(layer));
    if (stored == nullptr) return;
    EXPECT_LE(
        max_difference(tensor_named(result, "hidden." + std::to_string(layer)), rows, *stored),
        kLogitTolerance)
        << "hidden state " << layer;
  }
}

// Tensors of all goldens in a folder whose name `counts` accepts.
int stored_tensors(const fs::path& folder, const std::function<bool(std::string_view)>& counts) {
  int tensors = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.path().string().ends_with(".golden.safetensors")) continue;
    const engine::SafetensorsFile file(entry.path());
    for (const engine::TensorView& tensor : file.tensors()) {
      tensors += counts(tensor.name) ? 1 : 0;
    }
  }
  return tensors;
}

}  // namespace

int check_model_folder(const fs::path& golden, const fs::path& model) {
  const engine::SafetensorsFile file(golden);
  int cases = 0;
  for (const std::int64_t chunk : {0, 128}) {
    const auto generator = cpu_generator(model, "fp32", chunk);
    for (const std::string& prompt : prompt_keys(file, "prompt_")) {
      SCOPED_TRACE(model.string() + ", prompt " + prompt);
      const std::vector<std::int32_t> greedy = int32_values(file.at("greedy_" + prompt));
      engine::Request request;
      request.ids = int32_values(file.at("prompt_" + prompt));
      request.max_new_tokens = static_cast<std::int64_t>(greedy.size());
      request.ignore_eos = true;
      request.all_logits = request.hidden_states = true;
      const engine::Result result = generator->generate(request);
      const std::vector<std::int32_t> rows = rows_of(file, "logit_rows_" + prompt);
      EXPECT_LE(max_difference(tensor_named(result, "logits"), rows, file.at("logits_" + prompt)),
                kLogitTolerance);
      EXPECT_EQ(result.ids, greedy);
      check_hidden(file, prompt, result, rows);
      ++cases;
    }
  }
  return cases;
}

int check_routed_folder(const fs::path& golden, const fs::path& model) {
  const engine::SafetensorsFile file(golden);
  const auto generator = cpu_generator(model);
  int cases = 0, routed = 0, stored_decisions = 0;
  for (const engine::TensorView& stored : file.tensors()) {
    stored_decisions += stored.name.ends_with(".is_sparse") ? 1 : 0;
    if (!stored.name.ends_with(".logits")) continue;
    SCOPED_TRACE(model.string() + ", " + stored.name);
    const std::string prompt = stored.name.substr(0, stored.name.find('.'));
    const std::string mode =
        stored.name.substr(prompt.size() + 1, stored.name.size() - prompt.size() - 8);
    generator->set_mode(mode);
    engine::Request request;
    request.ids = int32_values(file.at(prompt + ".ids"));
    request.max_new_tokens = 0;
    request.all_logits = true;
    const engine::Result result = generator->generate(request);
    EXPECT_LE(
        max_difference(tensor_named(result, "logits"), rows_of(file, prompt + ".rows"), stored),
        kLogitTolerance);
    ++cases;
    if (mode.find('-') == std::string::npos) continue;
    std::string decisions, expected;
    for (const std::string& row : result.trace.routing) decisions += row;
    for (const std::int32_t sparse : int32_values(file.at(prompt + ".is_sparse"))) {
      expected += sparse != 0 ? '1' : '0';
    }
    EXPECT_EQ(decisions, expected);
    const std::vector<float> logits = engine::float_values(file.at(prompt + ".router_logits"));
    std::size_t next = 0;
    for (const auto& layer : result.trace.router_logits) {
      for (const auto& head : layer) {
        EXPECT_NEAR(head[0], logits.at(next), kRouterTolerance);
        EXPECT_NEAR(head[1], logits.at(next + 1), kRouterTolerance);
        next += 2;
      }
    }
    EXPECT_EQ(next, logits.size());
    ++routed;
  }
  EXPECT_GT(routed, 0) << golden;
  EXPECT_EQ(routed, stored_decisions) << golden;
  return cases;
}

int for_each_model(const fs::path& folder, int (*check)(const fs::path&, const fs::path&)) {
  constexpr std::string_view kEnding = ".golden.safetensors";
  int cases = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string golden = entry.path().string();
    if (!golden.ends_with(kEnding)) continue;
    const fs::path model = golden.substr(0, golden.size() - kEnding.size());
    EXPECT_TRUE(fs::is_directory(model)) << model;
    const int ran = check(golden, model);
    EXPECT_GT(ran, 0) << golden;
    cases += ran;
  }
  EXPECT_GT(cases, 0) << folder;
  std::cout << cases << " cases ran\n";
  return cases;
}

TEST(ModelFixtures, AgreeWithTransformers) {
  EXPECT_EQ(for_each_model(fixture("models"), check_model_folder), 30);
}

TEST(ModelFixtures, RoutedAgreesWithReference) {
  EXPECT_EQ(for_each_model(fixture("routed"), check_routed_folder), 9);
}

TEST(Golden_models, LogitsHiddenStatesGreedy) {
  const fs::path folder = golden_folder("models");
  if (folder.empty()) GTEST_SKIP() << "golden folder absent: models";
  const int prompts =
      stored_tensors(folder, [](std::string_view name) { return name.starts_with("greedy_"); });
  EXPECT_EQ(for_each_model(folder, check_model_folder), 2 * prompts);  // whole and in chunks
}

TEST(Golden_routed, LogitsAndDecisions) {
  const fs::path folder = golden_folder("routed");
  if (folder.empty()) GTEST_SKIP() << "golden folder absent: routed";
  const int cases =
      stored_tensors(folder, [](std::string_view name) { return name.ends_with(".logits"); });
  EXPECT_EQ(for_each_model(folder, check_routed_folder), cases);
}

}  // namespace elastic::testing
