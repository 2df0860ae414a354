// Stored attention results in the layout of golden/attention: manifest.json lists files with method
// and parameters, NAME.safetensors hold inputs and results.
// The same checks run over our own small folder.

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/registry.h"
#include "engine/attention/attention_backend.h"
#include "engine/attention/cpu_attention.h"
#include "engine/attention/registry.h"
#include "engine/attention/xattention.h"
#include "engine/io/head_pattern.h"
#include "engine/io/safetensors.h"
#include "tests/engine/all_heads.h"
#include "tests/engine/golden_counts.h"
#include "tests/engine/stored_tensors.h"
#include "tests/testing/folders.h"

namespace elastic::testing {
namespace {

namespace fs = std::filesystem;
using engine::AttentionInput;
using engine::BlockMask;
using engine::RowSpan;
using engine::SafetensorsFile;
using engine::StreamingWindow;

struct AttentionGoldenResult {
  Counts ran;
  Counts elsewhere;    // methods with a suite of their own
  Counts passed_over;  // methods that the engine does not have
};

struct Case {
  fs::path folder;
  const Json& entry;
  std::string name;
  const Json& params;

  std::int64_t number(const char* key) const { return params.at(key).get<std::int64_t>(); }
};

// One computed attention: rows [heads, rows, d] and lse [heads, rows] in fp32.
struct Computed {
  at::Tensor out, lse;
};

Computed compute(const AttentionInput& input, const BlockMask& mask) {
  at::Tensor out = at::empty(input.q.sizes(), input.q.options());
  Computed result{{}, at::empty({input.q.size(0), input.q.size(1)}, at::kFloat)};
  engine::masked_attention(input, elastic::testing::all_heads(input), mask, out, &result.lse);
  result.out = out.to(at::kFloat);
  return result;
}

double worst(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return INFINITY;
  const double difference = (a - b).abs().max().item<double>();
  return std::isfinite(difference) ? difference : INFINITY;
}

// `rows`, where the file has them, picks the rows that were stored. `suffix`: "out" + suffix.
void expect_stored(const Case& c, const SafetensorsFile& file, Computed computed,
                   at::ScalarType type, const std::string& suffix = "") {
  const double tolerance =
      c.entry.at("tolerance").at(type == at::kFloat ? "fp32_abs" : "bf16_abs").get<double>();
  const at::Tensor out = floats(file, "out" + suffix);
  if (out.size(1) != computed.out.size(1)) {
    const std::vector<std::int64_t> rows = testing::integers(file.at("rows"));
    std::vector<at::Tensor> outs, lses;
    for (const std::int64_t row : rows) {
      outs.push_back(computed.out.narrow(1, row, 1));
      lses.push_back(computed.lse.narrow(1, row, 1));
    }
    computed = {at::cat(outs, 1), at::cat(lses, 1)};
  }
  EXPECT_LE(worst(computed.out, out), tolerance) << c.name << suffix << " " << at::toString(type);
  if (type != at::kFloat || file.find("lse" + suffix) == nullptr) return;
  const at::Tensor lse = floats(file, "lse" + suffix), blind = lse.isinf();
  EXPECT_TRUE(computed.lse.isinf().equal(blind)) << c.name << ": rows that see nothing";
  EXPECT_LE(worst(computed.lse.masked_fill(blind, 0), lse.masked_fill(blind, 0)), tolerance * 5)
      << c.name << " lse";
}

// q, k, v in fp32 and in bf16 (the stored values are exact in both).
template <typename F>
void in_both_types(const SafetensorsFile& file, const F& f) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    f(input_of(floats(file, "q").to(type), floats(file, "k").to(type), floats(file, "v").to(type)),
      type);
  }
}

void check_dense(const Case& c, const SafetensorsFile& file) {
  in_both_types(file, [&](const AttentionInput& input, at::ScalarType type) {
    expect_stored(c, file, compute(input, engine::dense_mask(input.span())), type);
  });
}

StreamingWindow token_window(const Case& c) { return {c.number("sink"), c.number("local"), 1}; }

StreamingWindow block_window(const Case& c) {
  const std::int64_t block = c.number("block");
  return {c.number("sink_blocks") * block, c.number("local_blocks") * block, block};
}

void check_window(const Case& c, const SafetensorsFile& file, const StreamingWindow& window) {
  in_both_types(file, [&](const AttentionInput& input, at::ScalarType type) {
    expect_stored(c, file, compute(input, engine::streaming_mask(window, input.span())), type);
  });
}

void check_token_streaming(const Case& c, const SafetensorsFile& file) {
  check_window(c, file, token_window(c));
}

void check_block_streaming(const Case& c, const SafetensorsFile& file) {
  check_window(c, file, block_window(c));
}

// Query rows at positions `rows` alone, each as a decode step of its own.
void check_window_rows(const Case& c, const SafetensorsFile& file, const StreamingWindow& window,
                       const std::string& suffix) {
  const at::Tensor q = floats(file, "q_rows"), k = floats(file, "k"), v = floats(file, "v");
  const std::vector<std::int64_t> rows = testing::integers(file.at("rows"));
  std::vector<at::Tensor> outs, lses;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    AttentionInput input = input_of(q.narrow(1, static_cast<std::int64_t>(i), 1), k, v);
    input.q_start = rows[i];
    const Computed row = compute(input, engine::streaming_mask(window, input.span()));
    outs.push_back(row.out);
    lses.push_back(row.lse);
  }
  expect_stored(c, file, {at::cat(outs, 1), at::cat(lses, 1)}, at::kFloat, suffix);
}

void check_streaming_rows(const Case& c, const SafetensorsFile& file) {
  check_window_rows(c, file, block_window(c), "_block");
  check_window_rows(c, file, token_window(c), "_token");
}

BlockMask stored_mask(const SafetensorsFile& file, std::int64_t block, const RowSpan& span,
                      const char* name = "block_mask") {
  const engine::TensorView& view = file.at(name);
  const std::vector<std::int64_t> wide = testing::integers(view);
  const std::vector<std::uint8_t> visible(wide.begin(), wide.end());
  return engine::table_mask({visible, view.shape.at(0), view.shape.at(1), view.shape.at(2), block},
                            span);
}

void check_block_sparse(const Case& c, const SafetensorsFile& file) {
  in_both_types(file, [&](const AttentionInput& input, at::ScalarType type) {
    expect_stored(c, file, compute(input, stored_mask(file, c.number("block"), input.span())),
                  type);
  });
}

// One mask per query head: dense, streaming, or the next stored block mask.
void check_mixed(const Case& c, const SafetensorsFile& file) {
  const StreamingWindow window = block_window(c);
  in_both_types(file, [&](const AttentionInput& input, at::ScalarType type) {
    const RowSpan span = input.span();
    const BlockMask streaming = engine::streaming_mask(window, span);
    const BlockMask dense =
        engine::streaming_mask({0, span.tokens + window.block, window.block}, span);
    const BlockMask table = stored_mask(file, window.block, span);
    BlockMask mask{.query_block = window.block, .first_block = span.q_start / window.block};
    std::size_t next = 0;
    for (const std::int64_t head : testing::integers(file.at("head_type"))) {
      mask.heads.push_back(head == 0  ? dense.heads[0]
                           : head < 0 ? streaming.heads[0]
                                      : table.heads.at(next++));
    }
    expect_stored(c, file, compute(input, mask), type);
  });
}

// Chunks over a cache that keeps the first `sink` and the last `recent` tokens: inside a chunk
// dense, the kept keys in front of it.
void check_rolling_cache(const Case& c, const SafetensorsFile& file) {
  const std::int64_t sink = c.number("sink"), recent = c.number("recent");
  in_both_types(file, [&](const AttentionInput& all, at::ScalarType type) {
    std::vector<std::int64_t> kept;
    std::vector<at::Tensor> outs, lses;
    std::int64_t start = 0;
    for (const Json& chunk : c.params.at("chunks")) {
      const std::int64_t rows = chunk.get<std::int64_t>();
      for (std::int64_t i = 0; i < rows; ++i) kept.push_back(start + i);
      std::vector<at::Tensor> keys, values;
      for (const std::int64_t position : kept) {
        keys.push_back(all.k.narrow(1, position, 1));
        values.push_back(all.v.narrow(1, position, 1));
      }
      const AttentionInput input =
          input_of(all.q.narrow(1, start, rows), at::cat(keys, 1), at::cat(values, 1));
      const Computed computed = compute(input, engine::dense_mask(input.span()));
      outs.push_back(computed.out);
      lses.push_back(computed.lse);
      start += rows;
      if (static_cast<std::int64_t>(kept.size()) > sink + recent) {
        kept.erase(kept.begin() + sink, kept.end() - recent);
      }
    }
    expect_stored(c, file, {at::cat(outs, 1), at::cat(lses, 1)}, type);
    EXPECT_EQ(kept, testing::integers(file.at("final_cache_positions"))) << c.name;
  });
}

void check_duo_assignment(const Case& c, const SafetensorsFile& file) {
  const std::vector<float> values = engine::float_values(file.at("values"));
  const std::vector<double> gates(values.begin(), values.end());
  const std::vector<std::int64_t> full = testing::integers(file.at("full_head"));
  std::size_t next = 0;
  for (const Json& sparsity : c.params.at("sparsities")) {
    for (const std::uint8_t sparse : engine::sparse_by_share(gates, sparsity.get<double>())) {
      ASSERT_LT(next, full.size());
      ASSERT_EQ(sparse, full[next] != 0 ? 0 : 1)
          << c.name << " sparsity " << sparsity << " entry " << next;
      ++next;
    }
  }
  EXPECT_EQ(next, full.size()) << c.name;
}

void check_pattern_file(const Case& c) {
  const engine::HeadPattern pattern = engine::read_head_pattern(c.folder / c.name);
  EXPECT_GT(pattern.kv_heads, 0) << c.name;
  EXPECT_EQ(static_cast<std::int64_t>(pattern.gates.size()), pattern.layers * pattern.kv_heads)
      << c.name;
}

bool same_blocks(const engine::HeadMask& a, const engine::HeadMask& b, std::int64_t row) {
  const auto x = a.block(row), y = b.block(row);
  return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                    [](const engine::KeyRange& p, const engine::KeyRange& q) {
                      return p.begin == q.begin && p.end == q.end;
                    });
}

// The mode as a user names it; thresholds of several heads go through a file.
std::unique_ptr<engine::HeadMode> xattention_mode(const Case& c, const char* rule,
                                                  const TemporaryFolder& folder) {
  const Json& threshold = c.params.at("threshold");
  std::string tau = threshold.dump();
  if (threshold.is_array()) {
    std::string line;
    for (const Json& value : threshold) line += (line.empty() ? "" : "\t") + value.dump();
    tau = (folder / "tau.tsv").string();
    write_file_atomic(tau, line + "\n");
  }
  std::string text = fmt::format("xa:stride={},tau={},block={},rule={}", c.number("stride"), tau,
                                 c.number("block"), rule);
  if (std::string(rule) == "public")
    text += fmt::format(",chunk={}", c.number("chunk_size_official"));
  engine::ModeOptions options(text);
  auto mode = find_entry(engine::head_modes(), "mode", "xa")
                  .make(options, {.layers = 1, .heads_q = c.number("heads_q")});
  options.finish();
  return mode;
}

// Rows whose decisions lie nearer to a tie than fp32 can tell are left out, and counted.
void check_xattention(const Case& c, const SafetensorsFile& file) {
  constexpr double kMargin = 1e-5;
  const TemporaryFolder folder;
  const std::vector<float> margins = engine::float_values(file.at("margin"));
  in_both_types(file, [&](const AttentionInput& input, at::ScalarType type) {
    const std::vector<int> heads = all_heads(input);
    for (const auto& [rule, stored] :
         {std::pair("public", "block_mask"), {"exact", "block_mask_exact"}}) {
      const auto mode = xattention_mode(c, rule, folder);
      const BlockMask mask = mode->block_mask(input, heads);
      const BlockMask wanted = stored_mask(file, c.number("block"), input.span(), stored);
      const std::int64_t rows = file.at(stored).shape.at(1);
      int compared = 0;
      for (std::int64_t h = 0; h < input.q.size(0); ++h) {
        for (std::int64_t row = 0; row < rows; ++row) {
          if (margins.at(static_cast<std::size_t>(h * rows + row)) < kMargin) continue;
          EXPECT_TRUE(same_blocks(mask.head(h), wanted.head(h), row))
              << c.name << " " << rule << " head " << h << " block " << row;
          ++compared;
        }
      }
      EXPECT_GE(compared, input.q.size(0) * rows - 1) << c.name << ": rows that were compared";
    }
    expect_stored(c, file,
                  compute(input, xattention_mode(c, "public", folder)->block_mask(input, heads)),
                  type);
  });
  const AttentionInput input = input_of(floats(file, "q"), floats(file, "k"), floats(file, "v"));
  std::vector<at::Tensor> mass;
  for (std::int64_t head = 0; head < input.k.size(0); ++head) {
    mass.push_back(engine::strip_block_mass(input, head, {c.number("stride"), c.number("block")}));
  }
  EXPECT_LE(worst(at::cat(mass).to(at::kFloat), floats(file, "block_sums")), 1e-4) << c.name;
}

using CheckOfCase = void (*)(const Case&, const SafetensorsFile&);

// Methods that the engine has; a pattern file is no safetensors file and is checked apart.
constexpr const char* kPatternFile = "duo_pattern_file";
const std::map<std::string, CheckOfCase, std::less<>> kChecks = {
    {"dense_causal", check_dense},           {"ssa_token", check_token_streaming},
    {"ssa_block", check_block_streaming},    {"ssa_block+ssa_token", check_streaming_rows},
    {"block_sparse", check_block_sparse},    {"mixed", check_mixed},
    {"xattention", check_xattention},        {"duo_streaming_cache", check_rolling_cache},
    {"duo_assignment", check_duo_assignment}};

// row_golden_test.cpp, nsa_test.cpp and static_heads_golden_test.cpp.
bool has_own_suite(const std::string& method) {
  constexpr std::string_view kMethods[] = {"moba",         "infllmv2",      "nsa_strided",
                                           "nsa_meanpool", "prulong_masks", "retrieval_score"};
  return std::ranges::find(kMethods, method) != std::end(kMethods);
}

// Every file of the manifest by its method.
AttentionGoldenResult check_attention_folder(const fs::path& folder) {
  AttentionGoldenResult result;
  const Json manifest = read_json(folder / "manifest.json");
  static const Json kNoParams = Json::object();
  for (const Json& entry : manifest.at("files")) {
    const std::string name = entry.at("file").get<std::string>();
    const std::string method = entry.at("method").get<std::string>();
    const Case c{folder, entry, name, entry.contains("params") ? entry.at("params") : kNoParams};
    const auto check = kChecks.find(method);
    if (method == kPatternFile) {
      check_pattern_file(c);
    } else if (check != kChecks.end()) {
      check->second(c, SafetensorsFile(folder / name));
    } else {
      ++(has_own_suite(method) ? result.elsewhere : result.passed_over)[method];
      continue;
    }
    ++result.ran[method];
  }
  return result;
}

// Data files beside the manifest: each has to be listed in it.
int files_of(const fs::path& folder) {
  int files = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    files += entry.path().filename() == "manifest.json" ? 0 : 1;
  }
  return files;
}

std::string describe(const AttentionGoldenResult& result) {
  return fmt::format("{} cases ran{}{}", total(result.ran),
                     listed("in suites of their own", result.elsewhere),
                     listed("not implemented, passed over", result.passed_over));
}

TEST(Golden_attention, StoredExpectations) {
  const std::filesystem::path folder = golden_folder("attention");
  if (folder.empty()) GTEST_SKIP() << "golden folder absent: attention";
  const AttentionGoldenResult result = check_attention_folder(folder);
  std::cout << describe(result) << "\n";
  EXPECT_EQ(total(result.ran) + total(result.elsewhere) + total(result.passed_over),
            files_of(folder));
  if (result.ran.empty()) GTEST_SKIP() << "none of these methods in the manifest of attention";
}

TEST(AttentionGoldens, OwnFolder) {
  const AttentionGoldenResult result = check_attention_folder(fixture("attention"));
  EXPECT_EQ(total(result.ran), files_of(fixture("attention")));
  EXPECT_EQ(total(result.ran), 11);
  EXPECT_TRUE(result.passed_over.empty());
}

}  // namespace
}  // namespace elastic::testing
