// `elastic-bench bench prefill`, `decode` and `attention` as a user calls them: what they print,
// not how fast they are.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "tests/testing/program.h"

namespace elastic {
namespace {

// `arguments` separated by single blanks.
testing::ProgramResult bench(const std::string& arguments,
                             testing::Program::Variables variables = {}) {
  std::vector<std::string> words = {"bench"};
  for (const std::string_view word : split(arguments, ' ')) words.emplace_back(word);
  variables.emplace_back("OMP_NUM_THREADS", "1");  // the tests share two cores with others
  return testing::Program(ELASTIC_BENCH_BINARY, words, variables).wait();
}

class BenchCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  }
};

TEST_F(BenchCommand, PrefillRowsCarryWhatWasMeasured) {
  const auto run = bench(
      "prefill --shape tiny-4x8x64 --random-weights --device cpu --lengths 300,600 "
      "--modes ssa:sink=128,local=128 -r 2 -o json");
  ASSERT_EQ(run.code, 0) << run.err;
  const Json result = parse_json(run.out, "bench prefill");
  EXPECT_EQ(result.at("device"), "cpu");
  EXPECT_EQ(result.at("dtype"), "fp32");
  EXPECT_EQ(result.at("repetitions"), 2);
  ASSERT_EQ(result.at("rows").size(), 4u);  // fa is added as the baseline
  const Json& dense = result.at("rows").at(2);
  const Json& streaming = result.at("rows").at(3);
  EXPECT_EQ(dense.at("mode"), "fa");
  EXPECT_EQ(dense.at("visited_blocks"), 1.0);
  EXPECT_EQ(dense.at("speedup_vs_fa"), 1.0);
  EXPECT_EQ(streaming.at("prompt_tokens"), 600);
  EXPECT_EQ(streaming.at("msr"), 1.0);
  EXPECT_DOUBLE_EQ(streaming.at("visited_blocks").get<double>(), 9.0 / 15);  // 1 + 2 + 2 + 2 + 2
  EXPECT_LE(streaming.at("prefill_ms_min"), streaming.at("prefill_ms"));
  EXPECT_LE(streaming.at("prefill_ms"), streaming.at("prefill_ms_max"));
  EXPECT_GT(streaming.at("attention_ms"), 0.0);
}

TEST_F(BenchCommand, AttentionDispatchedSeriallyStandsBesideTheOneCall) {
  const std::string command =
      "attention --shape tiny-4x8x64 --device cpu --lengths 512 --msr 0.25,1 -r 2 "
      "--mode fa-ssa:sink=128,local=128 -o ";
  const auto run = bench(command + "json --serial");
  ASSERT_EQ(run.code, 0) << run.err;
  const Json rows = parse_json(run.out, "bench attention").at("rows");
  ASSERT_EQ(rows.size(), 3u);  // dense attention is added
  for (const Json& row : rows) {
    EXPECT_DOUBLE_EQ(row.at("speedup_vs_serial").get<double>(),
                     row.at("serial_ms").get<double>() / row.at("ms").get<double>());
    EXPECT_LT(row.at("max_error"), 2e-5);  // of both ways
  }
  EXPECT_TRUE(bench(command + "md --serial").says("| serial, ms | x serial |"));
  EXPECT_FALSE(bench(command + "json").says("serial"));
}

TEST_F(BenchCommand, BatchRowsAreOneAModeAndSizeWithTheAnswersOfOneAtATime) {
  const auto run = bench(
      "batch --shape tiny-4x8x64 --random-weights --device cpu --lengths 90,200 --in-flight 3,1 "
      "--requests 7 --max-new-tokens 6 --modes ssa:sink=0,local=128,decode=sparse -r 2 -o json");
  ASSERT_EQ(run.code, 0) << run.err;
  const Json rows = parse_json(run.out, "bench batch").at("rows");
  ASSERT_EQ(rows.size(), 4u);  // fa is added
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].at("in_flight"), i % 2 == 0 ? 1 : 3);
    EXPECT_EQ(rows[i].at("together"), rows[i].at("in_flight"));
    EXPECT_EQ(rows[i].at("same_answers"), 7);
    const double seconds = rows[i].at("seconds").get<double>();
    EXPECT_DOUBLE_EQ(rows[i].at("requests_per_second").get<double>(), 7 / seconds);
    EXPECT_DOUBLE_EQ(rows[i].at("tokens_per_second").get<double>(), (4 * 6 + 3 * 3) / seconds);
    EXPECT_LE(rows[i].at("seconds_min"), rows[i].at("seconds"));
  }
  EXPECT_EQ(rows[0].at("speedup_vs_alone"), 1.0);
  EXPECT_EQ(bench("batch --shape tiny-4x8x64 --random-weights --in-flight 0").code, 2);
}

TEST_F(BenchCommand, DecodeRowsAreOneABatchAndMode) {
  const auto run = bench(
      "decode --shape tiny-4x8x64 --random-weights --device cpu --lengths 300 --batch 1,3 "
      "--max-new-tokens 5 --modes ssa:sink=0,local=128,decode=sparse -r 2 -o json");
  ASSERT_EQ(run.code, 0) << run.err;
  const Json rows = parse_json(run.out, "bench decode").at("rows");
  ASSERT_EQ(rows.size(), 4u);  // fa is added as the baseline of each batch
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].at("batch"), i < 2 ? 1 : 3);
    EXPECT_EQ(rows[i].at("msr"), i % 2 == 0 ? 0.0 : 1.0);
    EXPECT_LE(rows[i].at("step_ms_min"), rows[i].at("step_ms"));
    EXPECT_LE(rows[i].at("step_ms"), rows[i].at("step_ms_max"));
    EXPECT_DOUBLE_EQ(
        rows[i].at("tokens_per_second").get<double>(),
        1000 * rows[i].at("batch").get<double>() / rows[i].at("step_ms").get<double>());
    // 300 tokens and four of the answer's five: the last is never fed back.
    EXPECT_DOUBLE_EQ(rows[i].at("kv_share").get<double>(), i % 2 == 0 ? 1.0 : 128.0 / 304);
  }
  EXPECT_EQ(rows[0].at("speedup_vs_fa"), 1.0);
}

TEST_F(BenchCommand, AttentionIsCheckedAndCompared) {
  const auto run = bench(
      "attention --mode fa-ssa:sink=128,local=128 --heads 4 --kv-heads 2 --head-dim 32 --lengths "
      "600 "
      "--msr 0.5,1 --device cpu -r 1 -o json");
  ASSERT_EQ(run.code, 0) << run.err;
  const Json rows = parse_json(run.out, "bench attention").at("rows");
  ASSERT_EQ(rows.size(), 3u);  // the dense one comes first
  EXPECT_EQ(rows.at(0).at("msr"), 0.0);
  EXPECT_DOUBLE_EQ(rows.at(1).at("visited_blocks").get<double>(), 0.5 * (1 + 9.0 / 15));
  for (const Json& row : rows) EXPECT_LE(row.at("max_error"), 2e-5);
}

TEST_F(BenchCommand, TablesAndLists) {
  const std::string attention =
      "attention --heads 2 --kv-heads 1 --head-dim 16 --lengths 130 --msr 0,0.4,1 -r 1 --device "
      "cpu "
      "-o ";
  const auto table = bench(attention + "md");
  EXPECT_NE(table.out.find("| tokens | MSR |"), std::string::npos) << table.out;
  const auto list = bench(attention + "csv");
  EXPECT_EQ(split(strip(list.out), '\n').size(), 3u)
      << list.out;  // header, MSR 0 and 1: 0.4 of one head is 0
}

TEST_F(BenchCommand, MeasurementsAreValidOrExitCodeSeven) {
  const std::string prefill =
      "prefill --shape tiny-4x8x64 --random-weights --device cpu --lengths 64 --modes ssa -o json ";
  const std::string attention =
      "attention --heads 2 --kv-heads 1 --head-dim 16 --lengths 130 --device cpu -o json ";
  const std::string tokenizer =
      "tokenizer --model " + (testing::source_folder() / "models/demo").string() + " -o json ";
  for (const std::string& part : {prefill, attention, tokenizer}) {
    const auto valid = bench(part + "-r 6 --max-interval 1000000");
    EXPECT_EQ(valid.code, 0) << valid.err;
    EXPECT_EQ(parse_json(valid.out, part).at("verdict"), "VALID");
    EXPECT_TRUE(parse_json(valid.out, part).at("invalid_because").empty());
    // No clock repeats to a millionth of a per cent; five values have no interval at all.
    for (const char* unsure : {"-r 6 --max-interval 0.000001", "-r 5 --max-interval 1000000"}) {
      const auto invalid = bench(part + unsure);
      EXPECT_EQ(invalid.code, 7) << part << unsure << invalid.err;
      EXPECT_EQ(parse_json(invalid.out, part).at("verdict"), "INVALID");
      EXPECT_TRUE(invalid.says("measurement INVALID: ")) << invalid.err;
    }
  }
  for (const std::string& part : {prefill, attention}) {
    const auto forced = bench(part + "-r 1", {{"ATEN_CPU_CAPABILITY", "default"}});
    EXPECT_EQ(forced.code, 7) << forced.err;
    EXPECT_TRUE(forced.says("ATEN_CPU_CAPABILITY=default")) << forced.err;
  }
}

// One object a line and one INSERT a row, each whole without the others.
TEST_F(BenchCommand, RowsStandAloneInJsonLinesAndSql) {
  const std::string decode =
      "decode --shape tiny-4x8x64 --random-weights --device cpu --lengths 64,65 --modes fa "
      "--max-new-tokens 3 -r 2 -o ";
  const std::string lines = bench(decode + "jsonl").out;
  std::int64_t depth = 64;
  for (const std::string_view line : split(strip(lines), '\n')) {
    const Json row = parse_json(std::string(line), "a line");
    EXPECT_EQ(row["verdict"], "VALID");
    EXPECT_EQ(row["model_n_params"].get<std::int64_t>() > 1000, true);
    EXPECT_EQ(row["n_depth"], depth++);
    EXPECT_EQ(row["n_gen"], 3);
    ASSERT_EQ(row["samples_ns"].size(), 2u);
    const double a = row["samples_ns"][0], b = row["samples_ns"][1];
    EXPECT_NEAR(row["avg_ns"], (a + b) / 2, 1);
    EXPECT_NEAR(row["stddev_ns"], std::abs(a - b) / std::sqrt(2), 1);
    EXPECT_NEAR(row["ms_p50"].get<double>() * 1e6, (a + b) / 2, 1);
    EXPECT_NEAR(row["avg_ts"], (1e9 / a + 1e9 / b) / 2, 1e-3 * 1e9 / a);
  }
  EXPECT_EQ(depth, 66);
  const std::string sql = bench(decode + "sql").out;
  EXPECT_TRUE(sql.starts_with("CREATE TABLE IF NOT EXISTS bench_decode (\"model\" TEXT, ")) << sql;
  EXPECT_EQ(std::ranges::count(sql, '\n'), 3) << sql;
  EXPECT_NE(sql.find("\nINSERT INTO bench_decode (\"model\", "), std::string::npos) << sql;
  EXPECT_NE(sql.find("'VALID'"), std::string::npos);
}

TEST_F(BenchCommand, RoutersAreCheckedAndSetBesideTheirComposition) {
  const auto result =
      bench("router --shape tiny-4x8x64 --lengths 30,300 --expansion 2 --device cpu -r 2 -o json");
  ASSERT_EQ(result.code, 0) << result.err;
  const Json json = parse_json(result.out, "bench router");
  ASSERT_EQ(json["rows"].size(), 2u);
  for (const Json& row : json["rows"]) {
    EXPECT_EQ(row["decisions"], json["layers"].get<int>() * json["heads_kv"].get<int>());
    EXPECT_EQ(row["unlike_decisions"], 0);
    EXPECT_GT(row["us_per_layer"].get<double>(), 0);
    EXPECT_EQ(row["samples_ns"].size(), 2u);
  }
  EXPECT_EQ(bench("router --shape tiny-4x8x64 --lengths 8 --dtype fp8 --device cpu").code, 2);
  EXPECT_EQ(bench("router --shape nothing --lengths 8 --device cpu").code, 2);
}

TEST_F(BenchCommand, TrainingHasFormats) {
  const std::string training =
      "training router --shape tiny-4x8x64 --vocab 90 --lengths 64 --tokens 64 --steps 1 "
      "--device cpu -o ";
  const auto json = bench(training + "json");
  ASSERT_EQ(json.code, 0) << json.err;
  const Json result = parse_json(json.out, "bench training");
  EXPECT_EQ(result.at("verdict"), "VALID");
  ASSERT_EQ(result.at("rows").size(), 1u);
  EXPECT_EQ(result.at("rows").at(0).at("document_tokens"), 64);
  EXPECT_GT(result.at("rows").at(0).at("tokens_per_second"), 0.0);
  const auto csv = bench(training + "csv");
  EXPECT_TRUE(csv.out.starts_with("training,device,steps,tokens_per_step,document_tokens,"))
      << csv.out;
}

TEST_F(BenchCommand, WrongArgumentsAreUsageErrors) {
  for (const char* arguments :
       {"prefill --shape llama-3.1-8b", "prefill --random-weights",
        "prefill --shape nothing --random-weights",
        "prefill --shape tiny-4x8x64 --random-weights --modes xb --lengths 64", "prefill -r 0",
        "prefill --shape tiny-4x8x64 --random-weights --layers 0",
        "prefill --model demo --layers 1", "prefill", "decode",
        "decode --shape tiny-4x8x64 --random-weights --batch 0",
        "decode --shape tiny-4x8x64 --random-weights --batch x",
        "decode --shape tiny-4x8x64 --random-weights --max-new-tokens 1", "attention --msr 2",
        "attention --heads 3 --kv-heads 2", "attention --mode ssa", "attention --lengths ,",
        "attention --lengths 64 --dtype fp8", "nothing"}) {
    const auto run = bench(arguments);
    EXPECT_EQ(run.code, 2) << arguments << ": " << run.out << run.err;
    EXPECT_FALSE(run.err.empty()) << arguments;
  }
}

}  // namespace
}  // namespace elastic
