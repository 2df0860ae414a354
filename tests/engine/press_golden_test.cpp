// Stored results of presses: scores, kept positions, and decode steps over what was kept; those of
// golden/attention2 and our own small ones.

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/pow.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/io/safetensors.h"
#include "engine/model/decode_attention.h"
#include "tests/engine/golden_counts.h"
#include "tests/engine/press_run.h"
#include "tests/engine/stored_tensors.h"
#include "tests/testing/folders.h"

namespace elastic::testing {
namespace {

using engine::AttentionInput;
using engine::SafetensorsFile;

// One variant of a file, as a mode.
struct StoredPress {
  const SafetensorsFile& file;
  const Json& entry;
  std::string text;
  std::string suffix = {};  // of kept and out
  std::string score = {};   // the tensor of scores; none where empty
  std::int64_t first_scored = 0;
  double score_scale = 1;  // of the stored ones

  const Json& params() const { return entry.at("params"); }
};

AttentionInput stored_prompt(const SafetensorsFile& file, at::ScalarType type) {
  const bool plain = file.find("q_prerope") != nullptr;
  const at::Tensor q = floats(file, plain ? "q_prerope" : "q").to(type);
  AttentionInput prompt = input_of(q, floats(file, "k").to(type), floats(file, "v").to(type));
  if (plain) prompt.plain_q = q;
  return prompt;
}

at::Tensor stored_frequencies(const Json& params, std::int64_t dim) {
  const double theta = params.value("rope_theta", 10000.0);
  return at::pow(theta, at::arange(0, dim, 2, at::kFloat).mul(-1.0 / static_cast<double>(dim)));
}

KeptSets stored_kept(const StoredPress& s, std::int64_t heads) {
  const bool mask = s.file.find("kept_mask" + s.suffix) != nullptr;
  const std::vector<std::int64_t> values =
      integers(s.file.at((mask ? "kept_mask" : "kept") + s.suffix));
  const std::size_t row = values.size() / static_cast<std::size_t>(heads);
  KeptSets kept(static_cast<std::size_t>(heads));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!mask) {
      kept[i / row].insert(values[i]);
    } else if (values[i] != 0) {
      kept[i / row].insert(static_cast<std::int64_t>(i % row));
    }
  }
  return kept;
}

void check_scores(const StoredPress& s, const engine::HeadMode& mode, const AttentionInput& prompt,
                  double tolerance) {
  if (s.score.empty()) return;
  const auto& press = dynamic_cast<const engine::Press&>(mode);
  engine::HeadState state;
  press.add_rows(prompt, state);
  const at::Tensor wanted = floats(s.file, s.score);
  const at::Tensor scores =
      press.scores(prompt, state).narrow(1, s.first_scored, wanted.size(1)).mul(s.score_scale);
  EXPECT_LE((scores - wanted).abs().max().item<double>(), tolerance) << s.text;
}

// New tokens after the prompt, over what the cache kept of it.
void check_steps_after(const StoredPress& s, const AttentionInput& prompt,
                       const engine::KeptKeys& kept, at::ScalarType type) {
  const at::Tensor q = floats(s.file, "q_new").to(type), k = floats(s.file, "k_new").to(type),
                   v = floats(s.file, "v_new").to(type);
  const std::int64_t tokens = prompt.k.size(1), heads = prompt.k.size(0);
  const Json& limits = s.entry.at("tolerance");
  const double tolerance = limits.at(type == at::kFloat ? "fp32_abs" : "bf16_abs").get<double>();
  const at::Tensor outs = floats(s.file, "out" + s.suffix), lses = floats(s.file, "lse" + s.suffix);
  const auto worst = [](const at::Tensor& a, const at::Tensor& b) {
    return (a.to(at::kFloat) - b).abs().max().item<double>();
  };
  engine::KvCache cache = cache_of(prompt);
  cache.keep(0, kept, tokens);
  for (std::int64_t i = 0; i < q.size(1); ++i) {
    cache.append(0, tokens + i, k.narrow(1, i, 1), v.narrow(1, i, 1));
    const at::Tensor row = q.narrow(1, i, 1).contiguous();
    const Attended got = attend_cache(cache, row, prompt.scale, tokens + i + 1, heads);
    EXPECT_LE(worst(got.out, outs.narrow(1, i, 1)), tolerance) << s.text;
    EXPECT_LE(worst(got.lse, lses.narrow(1, i, 1)), 5 * limits.at("fp32_abs").get<double>());
    at::Tensor out = at::empty_like(row);
    const auto by_kv_head = [&](const at::Tensor& x) { return x.view({heads, -1, x.size(2)}); };
    const std::vector<engine::DecodeRead> reads = {
        {by_kv_head(row), cache.read_step(0, tokens + i + 1), by_kv_head(out)}};
    engine::decode_attention(reads);
    EXPECT_LE(worst(out, outs.narrow(1, i, 1)), tolerance) << s.text;
  }
}

void check_press(const StoredPress& s) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const AttentionInput prompt = stored_prompt(s.file, type);
    const auto mode = press_of(s.text, stored_frequencies(s.params(), prompt.k.size(2)));
    check_scores(s, *mode, prompt, s.entry.at("tolerance").at("fp32_abs").get<double>());
    for (const std::int64_t step : {prompt.k.size(1), std::int64_t{11}}) {
      const engine::KeptKeys kept = keep_of(*mode, prompt, step);
      EXPECT_EQ(sets_of(kept, prompt), stored_kept(s, prompt.k.size(0))) << s.text;
      check_steps_after(s, prompt, kept, type);
    }
  }
}

int check_snapkv(const SafetensorsFile& file, const Json& entry) {
  const Json& p = entry.at("params");
  const std::int64_t window = p.at("window");
  const std::string amount =
      p.contains("compression_ratio")
          ? fmt::format("ratio={}", p.at("compression_ratio").get<double>())
          : fmt::format("budget={}", p.at("kept_per_head").get<std::int64_t>());
  const std::string text =
      fmt::format("snapkv:{},window={},kernel={},pool={}", amount, window,
                  p.at("kernel").get<std::int64_t>(), p.at("pooling").get<std::string>());
  const bool sum = p.at("over_window") == "sum";
  check_press({.file = file,
               .entry = entry,
               .text = text,
               .score = "score",
               .score_scale = sum ? static_cast<double>(window) : 1});
  return 1;
}

int check_evict(const SafetensorsFile& file, const Json& entry) {
  int ran = 0;
  const double ratio = entry.at("params").at("compression_ratio");
  for (const auto& [suffix, variant] : entry.at("params").at("variants").items()) {
    StoredPress s{.file = file, .entry = entry, .text = {}, .suffix = suffix};
    const std::string rule = variant.at("rule");
    if (rule == "streaming") {
      s.text = fmt::format("streamingllm:ratio={},sink={}", ratio,
                           variant.at("sink").get<std::int64_t>());
    } else if (rule == "tova") {
      s.text = fmt::format("tova:ratio={}", ratio);
      s.score = "score_tova";
    } else {
      EXPECT_EQ(rule, "adakv over snapkv");
      s.text = fmt::format("snapkv:ratio={},window={},kernel={},adakv={}", ratio,
                           variant.at("window").get<std::int64_t>(),
                           variant.at("kernel").get<std::int64_t>(),
                           variant.at("alpha_safeguard").get<double>());
      s.score = "score_snapkv";
    }
    check_press(s);
    ++ran;
  }
  return ran;
}

int check_expected(const SafetensorsFile& file, const Json& entry) {
  const Json& p = entry.at("params");
  const std::int64_t sink = p.at("sink");
  check_press({.file = file,
               .entry = entry,
               .text = fmt::format("expected-attention:ratio={},future={},sink={},eps={}",
                                   p.at("compression_ratio").get<double>(),
                                   p.at("future_positions").get<std::int64_t>(), sink,
                                   p.at("epsilon").get<double>()),
               .score = "score",
               .first_scored = sink});
  return 1;
}

const Checks kPressChecks = {
    {"snapkv", check_snapkv}, {"evict", check_evict}, {"expected_attention", check_expected}};

TEST(Golden_attention2, Presses) { check_golden("attention2", kPressChecks); }

TEST(Press, OwnFolder) {
  const Counts wanted = {{"snapkv", 2}, {"evict", 3}, {"expected_attention", 1}};
  EXPECT_EQ(check_listed(fixture("attention2"), kPressChecks), wanted);
}

}  // namespace
}  // namespace elastic::testing
