// What `bench attention` measures: the shares asked for, checked, with counts that follow from the
// mask; and the names of devices.

#include "engine/api/attention_bench.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "engine/device/device.h"

namespace elastic::engine {
namespace {

const AttentionBenchOptions kSmall = {.mode = "fa-ssa:sink=64,local=64",
                                      .heads_q = 6,
                                      .heads_kv = 3,
                                      .head_dim = 16,
                                      .lengths = {65, 400},
                                      .msr = {0, 0.3, 0.35, 1},
                                      .device = "cpu",
                                      .enough = repetitions(3)};

TEST(AttentionBench, RowsAreSharesThatRoundToOtherHeads) {
  const std::vector<AttentionBenchRow> rows = bench_attention(kSmall);
  ASSERT_EQ(rows.size(), 6u) << "0, 1 and 3 sparse heads at two lengths";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const AttentionBenchRow& row = rows[i];
    EXPECT_EQ(row.tokens, i < 3 ? 65 : 400);
    EXPECT_DOUBLE_EQ(row.msr, std::vector<double>({0, 1. / 3, 1})[i % 3]);
    EXPECT_EQ(row.milliseconds.size(), 3u);
    EXPECT_EQ(row.select_milliseconds.size(), 3u);
    EXPECT_GT(row.max_error, 0);
    EXPECT_LT(row.max_error, 2e-5);
    EXPECT_EQ(row.device, "cpu");
    EXPECT_EQ(row.dtype, "fp32");
    EXPECT_EQ(row.heads_q, 6);
    EXPECT_EQ(row.heads_kv, 3);
    EXPECT_EQ(row.head_dim, 16);
  }
  // A head of full attention sees n (n + 1) / 2 pairs, each of two products of 16 terms.
  EXPECT_DOUBLE_EQ(rows[0].visible_flop, 65. * 66 / 2 * 4 * 6 * 16);
  EXPECT_DOUBLE_EQ(rows[0].visited_blocks, 1);
  EXPECT_DOUBLE_EQ(rows[2].visited_blocks, 1) << "65 tokens fit into sinks and window";
  EXPECT_LT(rows[5].visited_blocks, rows[4].visited_blocks);
  EXPECT_LT(rows[5].visible_flop, rows[4].visible_flop);
  EXPECT_LT(rows[4].visible_flop, rows[3].visible_flop);
}

// Shares take turns, and are asked after each turn of all.
TEST(AttentionBench, RepeatsUntilTimesAreEnough) {
  AttentionBenchOptions options = kSmall;
  options.lengths = {65, 66};
  std::vector<std::size_t> asked;
  options.enough = [&](const Times& times, double seconds) {
    EXPECT_EQ(times.size(), 3u);
    EXPECT_GE(seconds, 0);
    for (const auto& each : times) EXPECT_EQ(each.size(), times.front().size());
    asked.push_back(times.front().size());
    return asked.size() == 4 || asked.size() == 6;
  };
  const std::vector<AttentionBenchRow> rows = bench_attention(options);
  EXPECT_EQ(asked, (std::vector<std::size_t>{1, 2, 3, 4, 1, 2}));
  ASSERT_EQ(rows.size(), 6u);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].milliseconds.size(), i < 3 ? 4u : 2u);
    EXPECT_EQ(rows[i].select_milliseconds.size(), rows[i].milliseconds.size());
  }
}

TEST(AttentionBench, BoundsAreKept) {
  AttentionBenchOptions shortest = kSmall;
  shortest.lengths = {1}, shortest.heads_kv = 1, shortest.heads_q = 1, shortest.head_dim = 1;
  EXPECT_EQ(bench_attention(shortest).size(), 2u);
  const auto refused = [](auto change) {
    AttentionBenchOptions options = kSmall;
    change(options);
    try {
      bench_attention(options);
    } catch (const Error& error) {
      return error.kind() == ErrorKind::kInvalidArgument;
    }
    return false;
  };
  EXPECT_TRUE(refused([](auto& o) { o.lengths = {0}; }));
  EXPECT_TRUE(refused([](auto& o) { o.heads_q = 7; }));
  EXPECT_TRUE(refused([](auto& o) { o.heads_q = 0; }));
  EXPECT_TRUE(refused([](auto& o) { o.heads_kv = 0; }));
  EXPECT_TRUE(refused([](auto& o) { o.head_dim = 0; }));
  EXPECT_TRUE(refused([](auto& o) { o.dtype = "fp8"; }));
  EXPECT_TRUE(refused([](auto& o) { o.mode = "fa"; }));
  EXPECT_TRUE(refused([](auto& o) { o.device = "tpu"; }));
}

TEST(AttentionBench, TakesTheHeadsOfAShape) {
  AttentionBenchOptions options = kSmall;
  options.shape = "llama-3.1-8b", options.lengths = {16}, options.msr = {1}, options.dtype = "bf16";
  const std::vector<AttentionBenchRow> rows = bench_attention(options);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].heads_q, 32);
  EXPECT_EQ(rows[0].heads_kv, 8);
  EXPECT_EQ(rows[0].head_dim, 128);
  EXPECT_EQ(rows[0].dtype, "bf16");
}

TEST(AttentionBench, CountsFollowFromTheMask) {
  AttentionBenchOptions options = kSmall;
  options.lengths = {400}, options.msr = {0.3}, options.dtype = "fp32";
  const std::vector<AttentionBenchRow> rows = bench_attention(options);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].dtype, "fp32");
  EXPECT_EQ(rows[0].mode, "fa-ssa:sink=64,local=64,block=128,decode=full");
  // Sink and window are a block each: keys 128 .. 255 of rows 256 .. 383 are hidden, and 128 .. 383
  // of the last 16, for one of three KV heads; 1 + 2 + 2 + 2 of 10 tiles are left to it.
  const double all = 400. * 401 / 2, hidden = 128. * 128 + 16. * 256;
  EXPECT_NEAR(rows[0].visible_flop, (all - hidden / 3) * 4 * 6 * 16, 1e-3);
  EXPECT_NEAR(rows[0].visited_blocks, (2 * 10 + 1 + 2 + 2 + 2) / 30., 1e-12);
}

TEST(AttentionBench, ErrorsSayWhatWasAskedFor) {
  const auto error_of = [](auto change) -> std::string {
    AttentionBenchOptions options = kSmall;
    change(options);
    try {
      bench_attention(options);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(error_of([](auto& o) { o.heads_q = 7; }),
            "7 query heads over 3 KV heads of 16: not a whole group each");
  EXPECT_EQ(error_of([](auto& o) { o.heads_q = 0; }),
            "0 query heads over 3 KV heads of 16: not a whole group each");
  EXPECT_EQ(error_of([](auto& o) { o.dtype = "fp8"; }), "dtype `fp8`; known: auto, fp32, bf16");
  EXPECT_EQ(error_of([](auto& o) { o.mode = "ssa:local=64"; }),
            "mode `ssa:local=64` has one kind of head; name two, as in fa-ssa");
  EXPECT_EQ(error_of([](auto& o) { o.mode = "fa"; }),
            "mode `fa` has one kind of head; name two, as in fa-ssa");
  EXPECT_EQ(error_of([](auto& o) { o.mode = "fa-skip"; }),
            "mode `fa-skip`: what skip passes over is known inside its loop alone, and the "
            "reference has no mask to check it with; bench prefill times it");
  EXPECT_EQ(error_of([](auto& o) { o.lengths = {0}; }), "a length below one token");
}

TEST(Device, AutoIsOneOfTheTwo) {
  EXPECT_TRUE(resolve_device("cpu").is_cpu());
  EXPECT_NO_THROW(resolve_device("auto"));
  try {
    resolve_device("gpu");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
  }
}

}  // namespace
}  // namespace elastic::engine
