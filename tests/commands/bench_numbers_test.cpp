// Figures of `elastic-bench bench` agree with one another, whatever the machine's speed.

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/testing/program.h"

namespace elastic {
namespace {

class BenchNumbers : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  }

  // `arguments` separated by single blanks, after `bench`.
  static testing::ProgramResult bench(const std::string& arguments) {
    std::vector<std::string> words = {"bench"};
    for (const std::string_view word : split(arguments, ' ')) words.emplace_back(word);
    return testing::Program(ELASTIC_BENCH_BINARY, words, {{"OMP_NUM_THREADS", "1"}}).wait();
  }

  static Json json(const std::string& arguments) {
    return parse_json(bench(arguments + " -o json").out, "bench");
  }

  // Half the interval over the median, in per cent, as a fault says it.
  static double spread(const Json& fault) {
    const std::string text = fault.get<std::string>();
    const std::size_t at = text.find("known to ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + 9));
  }
};

double number(const Json& row, const char* key) { return row.at(key).get<double>(); }

void expect_close(double value, double expected) {
  EXPECT_NEAR(value, expected, 1e-9 * std::abs(expected) + 1e-12);
}

const std::string kAttention =
    "attention --heads 4 --kv-heads 2 --head-dim 16 --mode fa-ssa:sink=128,local=128 --device cpu "
    "--dtype fp32 ";
const std::string kPrefill =
    "prefill --shape tiny-4x8x64 --random-weights --device cpu --dtype fp32 ";

TEST_F(BenchNumbers, AttentionIsMeasuredAgainstTheDenseRowOfItsLength) {
  const Json rows = json(kAttention + "--lengths 600,900 --msr 0.5,1 -r 2").at("rows");
  ASSERT_EQ(rows.size(), 6u);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Json &row = rows[i], &dense = rows[i / 3 * 3];
    const double ms = number(row, "ms");
    EXPECT_EQ(number(row, "msr"), static_cast<double>(i % 3) / 2);
    EXPECT_EQ(row["tokens"], i < 3 ? 600 : 900);
    EXPECT_LT(number(row, "ms_min"), number(row, "ms_max"));
    expect_close(ms, (number(row, "ms_min") + number(row, "ms_max")) / 2);
    expect_close(number(row, "speedup_vs_dense"), number(dense, "ms") / ms);
    expect_close(number(row, "time_over_ideal"),
                 ms / (number(dense, "ms") * number(row, "visited_blocks")));
    // Two products of 16 numbers for each of the pairs of a causal triangle and each query head.
    const double n = number(row, "tokens");
    if (i % 3 == 0) {
      expect_close(number(row, "gflop_per_s") * ms * 1e6, 2 * 2 * 16 * 4 * n * (n + 1) / 2);
    }
  }
}

TEST_F(BenchNumbers, PrefillIsMeasuredAgainstFullAttention) {
  for (const char* modes : {"ssa,fa", "ssa"}) {
    const Json rows = json(kPrefill + "--lengths 200,300 -r 2 --modes " + modes).at("rows");
    ASSERT_EQ(rows.size(), 4u);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::size_t dense_first = modes == std::string("ssa") ? 0 : 1;
      const Json &row = rows[i], &dense = rows[i / 2 * 2 + dense_first];
      EXPECT_EQ(row["mode"] == "fa", i % 2 == dense_first) << row["mode"];
      EXPECT_EQ(row["prompt_tokens"], i < 2 ? 200 : 300);
      const double ms = number(row, "prefill_ms");
      expect_close(ms, (number(row, "prefill_ms_min") + number(row, "prefill_ms_max")) / 2);
      EXPECT_LT(number(row, "prefill_ms_min"), number(row, "prefill_ms_max"));
      expect_close(
          number(row, "rest_ms"),
          ms - number(row, "router_ms") - number(row, "select_ms") - number(row, "attention_ms"));
      expect_close(number(row, "speedup_vs_fa"), number(dense, "prefill_ms") / ms);
      expect_close(number(row, "speedup_vs_fa_min"),
                   number(dense, "prefill_ms_min") / number(row, "prefill_ms_min"));
      expect_close(number(row, "attention_speedup_vs_fa"),
                   number(dense, "attention_ms") / number(row, "attention_ms"));
      EXPECT_GT(row["peak_bytes"], 1 << 20);
      EXPECT_LT(row["peak_bytes"], 1 << 26);
    }
  }
}

TEST_F(BenchNumbers, TheIntervalIsThatOfOrderStatistics) {
  // Of six to eight values the extremes enclose the median; of nine, those beside them.
  for (const int repetitions : {6, 8, 9, 12, 40}) {
    const Json result = json(kAttention + "--lengths 130 --msr 0 --max-interval 0.000001 -r " +
                             std::to_string(repetitions));
    ASSERT_EQ(result.at("invalid_because").size(), 1u);
    const Json& row = result.at("rows").at(0);
    const double widest =
        100 * (number(row, "ms_max") - number(row, "ms_min")) / 2 / number(row, "ms");
    const double said = spread(result["invalid_because"][0]);
    EXPECT_GE(said, 0);
    if (repetitions < 9) {
      EXPECT_NEAR(said, widest, 0.051) << repetitions;
    } else {
      EXPECT_LE(said, widest + 0.051) << repetitions;
    }
  }
}

// What a machine's times settle at is its own; that the rule was followed can be told from them.
TEST_F(BenchNumbers, RepetitionsEndByTheirIntervals) {
  for (const std::string& command :
       {kAttention + "--lengths 130 --msr 0", kPrefill + "--lengths 64 --modes fa",
        std::string("router --shape tiny-4x8x64 --lengths 30 --device cpu"),
        "decode --max-new-tokens 3 " + kPrefill.substr(8) + "--lengths 64 --modes fa"}) {
    // Everything is within a million per cent, and nothing within a millionth.
    const Json quick = json(command + " --max-interval 1000000");
    EXPECT_EQ(quick.at("verdict"), "VALID") << command;
    EXPECT_TRUE(quick.at("repetitions").is_null());
    EXPECT_EQ(quick.at("median_within"), 1e6);
    EXPECT_EQ(quick.at("rows").at(0).at("repetitions"), 6) << command;
    const Json row = json(command + " --max-interval 0.000001 -r auto").at("rows").at(0);
    EXPECT_EQ(row["repetitions"], 50);
    EXPECT_EQ(row["samples_ns"].size(), 50u);
    EXPECT_LE(row["ms_ci_low"], row["ms_p50"]);
    EXPECT_LE(row["ms_p50"], row["ms_ci_high"]);
  }
}

TEST_F(BenchNumbers, WhatEndedAtACapIsNotedOrIsAFault) {
  const auto run = bench(kAttention + "--lengths 130 --msr 0 -o json");
  EXPECT_EQ(run.code, 0) << run.err;
  const Json result = parse_json(run.out, "bench");
  const Json& row = result.at("rows").at(0);
  const double spread =
      100 * (number(row, "ms_ci_high") - number(row, "ms_ci_low")) / 2 / number(row, "ms_p50");
  EXPECT_EQ(result.at("median_within"), 2.0);
  ASSERT_EQ(result.at("notes").size(), spread <= 2 ? 0u : 1u);
  if (spread > 2) {
    EXPECT_EQ(row["repetitions"], 50);
    EXPECT_TRUE(run.says("after 50 repetitions; 2 % was wanted")) << run.err;
  }
  const Json fixed = json(kAttention + "--lengths 130 --msr 0 -r 5");
  EXPECT_TRUE(fixed.at("notes").empty());
  EXPECT_TRUE(fixed.at("median_within").is_null());
  EXPECT_TRUE(fixed.at("rows").at(0).at("ms_ci_low").is_null()) << "five have no interval";
  const Json capped = json(kAttention + "--lengths 130 --msr 0 --max-interval 0.000001");
  EXPECT_EQ(capped.at("verdict"), "INVALID");
  EXPECT_NE(capped["invalid_because"][0].get<std::string>().find("after 50 repetitions"),
            std::string::npos);
}

TEST_F(BenchNumbers, IntervalsAreHeldAgainstTheLimit) {
  const Json result = json(kAttention + "--lengths 130 --msr 0 --max-interval 0.000001 -r 7");
  EXPECT_EQ(result.at("verdict"), "INVALID");
  const auto wide = bench(kAttention + "--lengths 130 --msr 0 --max-interval 1000000 -r 7");
  EXPECT_EQ(wide.code, 0) << wide.err;
  EXPECT_EQ(wide.err, "");
}

TEST_F(BenchNumbers, TokenizerRatesAndRatiosToPeers) {
  const testing::TemporaryFolder folder;
  const std::string text = (folder / "text").string(), peers = (folder / "peers.json").string();
  std::string words;
  for (int i = 0; i < 2000; ++i) words += "some words " + std::to_string(i * 7919) + "\n";
  write_file_atomic(text, words);
  write_file_atomic(peers, R"({"peers": [{"name": "p", "mb_per_s": 2.5}]})");
  const std::string model = (testing::source_folder() / "models/demo").string();
  const std::string arguments = "tokenizer --model " + model + " --file " + text + " --peers ";
  const Json two = json(arguments + peers + " -r 2");
  ASSERT_EQ(two.at("rows").size(), 4u);
  for (const Json& row : two["rows"]) {
    expect_close(number(row, "mb_per_s"), (number(row, "min") + number(row, "max")) / 2);
    EXPECT_LT(number(row, "min"), number(row, "max"));
    EXPECT_GT(number(row, "min"), 1e-3);
    EXPECT_LT(number(row, "max"), 1e5);
  }
  expect_close(number(two["peers"][0], "ratio"), number(two["rows"][1], "mb_per_s") / 2.5);
  const std::string sha256 = two.at("ids_sha256");
  write_file_atomic(
      peers, R"({"peers": [{"name": "p", "mb_per_s": 1, "ids_sha256": ")" + sha256 + R"("}]})");
  EXPECT_EQ(json(arguments + peers + " -r 1").at("peers").at(0).at("same_ids"), true);
  // One repetition is its own median.
  const Json one = json("tokenizer --model " + model + " --file " + text + " -r 1");
  for (const Json& row : one.at("rows")) {
    EXPECT_EQ(row["min"], row["max"]);
    EXPECT_EQ(row["min"], row["mb_per_s"]);
  }
  const Json five = json("tokenizer --model " + model + " --file " + text + " -r 5");
  for (const Json& row : five.at("rows")) {
    EXPECT_LT(number(row, "min"), number(row, "mb_per_s"));
    EXPECT_LT(number(row, "mb_per_s"), number(row, "max"));
  }
}

TEST_F(BenchNumbers, AllOfRulerIsTheSumOfItsRows) {
  const auto run = bench(
      "ruler --model demo --tasks ruler/vt,ruler/niah_single_1 --lengths 512,1k "
      "--num-samples 4 --profile ruler@builtin --data-dir " +
      testing::word_list_folder().string());
  if (testing::word_list_folder().empty()) GTEST_SKIP() << testing::kNoWordLists;
  ASSERT_EQ(run.code, 0) << run.err;
  double sum = 0, all = -1;
  for (const std::string_view line : split(strip(run.out), '\n')) {
    const auto cells = split(line, '|');
    if (cells.size() < 6 || line.starts_with("| task") || line.starts_with("|--")) continue;
    const double cpu = parse_double(strip(cells[4])).value();
    if (strip(cells[1]) == "all") {
      all = cpu;
    } else {
      sum += cpu;
    }
  }
  EXPECT_NEAR(all, sum, 0.0031);
  EXPECT_GT(all, 0.001);
}

}  // namespace
}  // namespace elastic
