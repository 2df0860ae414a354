// Stored expectations of methods that fix their heads, through the modes and policies as a user
// names them: rolling caches, Duo's and PruLong's choice of heads; and retrieval scores.

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "engine/attention/attention_backend.h"
#include "engine/attention/attention_plan.h"
#include "engine/attention/retrieval_score.h"
#include "engine/io/safetensors.h"
#include "engine/model/kv_cache.h"
#include "tests/engine/golden_counts.h"
#include "tests/engine/modes.h"
#include "tests/engine/stored_tensors.h"
#include "tests/testing/folders.h"

namespace elastic::testing {
namespace {

namespace fs = std::filesystem;
using engine::AttentionInput;
using engine::SafetensorsFile;

struct Computed {
  at::Tensor out, lse;  // [heads_q, rows, dim], [heads_q, rows]
};

Computed attend(const AttentionInput& input, const std::string& mode) {
  Computed result{at::empty_like(input.q),
                  at::empty({input.q.size(0), input.q.size(1)}, at::kFloat)};
  engine::attention_backend(at::kCPU).prefill(input, groups_of(mode, input), result.out,
                                              &result.lse);
  return result;
}

AttentionInput rows_of(const AttentionInput& all, std::int64_t start, std::int64_t rows) {
  AttentionInput part = all;
  part.q = all.q.narrow(1, start, rows);
  part.q_start = start;
  return part;
}

// Every chunk as rows of a prompt whose chunks have such a start.
void check_chunks(const std::string& name, const SafetensorsFile& file, const Json& entry) {
  const Json& params = entry.at("params");
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const AttentionInput all = input_of(floats(file, "q").to(type), floats(file, "k").to(type),
                                        floats(file, "v").to(type));
    std::vector<at::Tensor> outs, lses;
    std::int64_t start = 0;
    for (const Json& chunk : params.at("chunks")) {
      const std::int64_t rows = chunk.get<std::int64_t>();
      const Computed part =
          attend(rows_of(all, start, rows),
                 fmt::format("ssa:sink={},local={},prefill=chunked,prefill_chunk={}",
                             params.at("sink").get<int>(), params.at("recent").get<int>(),
                             start == 0 ? rows : start));
      outs.push_back(part.out);
      lses.push_back(part.lse);
      start += rows;
    }
    const double tolerance =
        entry.at("tolerance").at(type == at::kFloat ? "fp32_abs" : "bf16_abs").get<double>();
    EXPECT_LE((at::cat(outs, 1).to(at::kFloat) - floats(file, "out")).abs().max().item<double>(),
              tolerance)
        << name;
    if (type != at::kFloat) continue;
    EXPECT_LE((at::cat(lses, 1) - floats(file, "lse")).abs().max().item<double>(), 5 * tolerance)
        << name;
  }
}

// The engine's own cache, whose keys are their positions: what it holds at the end.
void check_cache(const std::string& name, const SafetensorsFile& file, const Json& params) {
  const std::int64_t sink = params.at("sink"), recent = params.at("recent"),
                     tokens = params.at("N");
  std::int64_t steps = 0;
  for (const Json& chunk : params.at("chunks")) steps += chunk == 1 ? 1 : 0;
  const at::Tensor positions = at::arange(tokens, at::kFloat).view({1, tokens, 1});
  engine::KvCache cache({.layers = 1, .heads = 1, .head_dim = 1}, tokens);
  const engine::KvView rows = cache.write_rows(0, 0, tokens - steps);
  rows.k.copy_(positions.narrow(1, 0, tokens - steps));
  cache.cut(0, {0}, tokens - steps, sink, recent);
  for (std::int64_t t = tokens - steps; t < tokens; ++t) {
    cache.append(0, t, positions.narrow(1, t, 1), positions.narrow(1, t, 1));
  }
  const at::Tensor held = cache.read_step(0, tokens).at(0).k.flatten();
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 0; i < held.size(0); ++i) kept.push_back(held[i].item<std::int64_t>());
  std::sort(kept.begin(), kept.end());  // the recent part is a ring
  EXPECT_EQ(kept, integers(file.at("final_cache_positions"))) << name;
}

void check_rolling_cache(const std::string& name, const SafetensorsFile& file, const Json& entry) {
  check_chunks(name, file, entry);
  check_cache(name, file, entry.at("params"));
}

// Which heads of `gates` stay full under a mode string without its pattern.
std::vector<std::int64_t> full_heads(const std::string& mode, const engine::TensorView& gates) {
  const TemporaryFolder folder;
  const std::int64_t layers = gates.shape.at(0), heads = gates.shape.at(1);
  std::string text;
  std::int64_t column = 0;
  for (const float gate : engine::float_values(gates)) {
    text += fmt::format("{}{}", gate, ++column % heads == 0 ? "\n" : "\t");
  }
  write_file(folder / "heads.tsv", text);
  const engine::AttentionPlan plan = engine::make_attention_plan(
      fmt::format("{},pattern={}", mode, (folder / "heads.tsv").string()),
      {.layers = layers, .heads_q = heads, .heads_kv = heads});
  std::vector<std::int64_t> full;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    for (const std::uint8_t sparse : plan.policy->decide(layer, {}).is_sparse) {
      full.push_back(sparse == 0 ? 1 : 0);
    }
  }
  return full;
}

void check_assignment(const std::string& name, const SafetensorsFile& file, const Json& entry) {
  std::vector<std::int64_t> all;
  for (const Json& sparsity : entry.at("params").at("sparsities")) {
    const auto full =
        full_heads(fmt::format("duo:sparsity={}", sparsity.get<double>()), file.at("values"));
    all.insert(all.end(), full.begin(), full.end());
  }
  EXPECT_EQ(all, integers(file.at("full_head"))) << name;
}

// Of equal z the published code draws lots: heads of the z where the cut falls are counted only.
void check_masks(const std::string& name, const SafetensorsFile& file, const Json& entry) {
  const engine::TensorView& gates = file.at("z");
  EXPECT_EQ(full_heads("prulong:threshold=0.5", gates), integers(file.at("mask_threshold_0_5")));
  const std::vector<float> z = engine::float_values(gates);
  const std::vector<std::int64_t> stored = integers(file.at("mask_rounded"));
  auto wanted = stored.begin();
  for (const Json& sparsity : entry.at("params").at("sparsities")) {
    const auto full = full_heads(fmt::format("prulong:sparsity={}", sparsity.get<double>()), gates);
    float cut = 2;  // the smallest z that is kept
    for (std::size_t i = 0; i < z.size(); ++i) {
      if (full[i] != 0) cut = std::min(cut, z[i]);
    }
    std::int64_t kept = 0, passed_over = 0;
    for (std::size_t i = 0; i < z.size(); ++i, ++wanted) {
      kept += full[i] - *wanted;
      if (z[i] == cut && std::count(z.begin(), z.end(), cut) > 1) {
        ++passed_over;
        continue;
      }
      EXPECT_EQ(full[i], *wanted) << name << " sparsity " << sparsity << " head " << i;
    }
    EXPECT_EQ(kept, 0) << name << ": as many heads";
    EXPECT_LE(passed_over, std::ssize(z) / 4) << name;
    wanted += std::ssize(z);  // the same again, as the published code saves it
  }
  EXPECT_TRUE(wanted == stored.end()) << name;
}

// Samples of one layer; its heads' score is their mean.
void check_retrieval(const std::string& name, const SafetensorsFile& file, const Json& entry) {
  const std::int64_t samples = entry.at("params").at("samples");
  const at::Tensor wanted = floats(file, "score_per_sample");
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    std::vector<at::Tensor> scores;
    for (std::int64_t i = 0; i < samples; ++i) {
      const at::Tensor k = floats(file, fmt::format("k_{}", i)).to(type);
      const AttentionInput input =
          input_of(floats(file, fmt::format("q_last_{}", i)).to(type), k, k);
      const std::vector<std::int64_t> needle = integers(file.at(fmt::format("needle_{}", i)));
      scores.push_back(engine::retrieval_scores(input, at::tensor(needle, at::kLong)));
      EXPECT_LE((scores.back() - wanted[i]).abs().max().item<double>(), 2e-5) << name << " " << i;
    }
    EXPECT_LE((at::stack(scores).mean(0) - floats(file, "score")).abs().max().item<double>(), 2e-5)
        << name;
  }
}

template <void (*check)(const std::string&, const SafetensorsFile&, const Json&)>
int as_one(const SafetensorsFile& file, const Json& entry) {
  check(entry.at("file").get<std::string>(), file, entry);
  return 1;
}

const Checks kStaticChecks = {{"duo_streaming_cache", as_one<check_rolling_cache>},
                              {"duo_assignment", as_one<check_assignment>},
                              {"prulong_masks", as_one<check_masks>},
                              {"retrieval_score", as_one<check_retrieval>}};

TEST(Golden_attention, StaticHeadsThroughTheirModes) { check_golden("attention", kStaticChecks); }

TEST(StaticHeads, OwnExpectationsThroughTheirModes) {
  const Counts wanted = {{"duo_streaming_cache", 2},
                         {"duo_assignment", 1},
                         {"prulong_masks", 1},
                         {"retrieval_score", 1}};
  EXPECT_EQ(check_listed(fixture("static_heads"), kStaticChecks), wanted);
}

}  // namespace
}  // namespace elastic::testing
