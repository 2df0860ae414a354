#include "reports/leaderboard.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/text.h"
#include "reports/questions.h"
#include "tests/reports/sample_runs.h"

namespace elastic::reports {
namespace {

using runs::RunData;

// A run in which `mode` answers `right` of `samples` samples of ruler/a, the first ones.
RunData run_of(const char* folder, const char* mode, std::int64_t samples, std::int64_t right,
               const char* data_id = "same") {
  RunData run;
  run.folder = folder;
  run.spec.modes = {mode};
  run.spec.tasks = {"ruler/a"};
  run.spec.lengths = {1024};
  run.spec.settings = {{"seed", "42"}, {"profile_ruler", "ruler@builtin"}, {"dtype", "bf16"}};
  run.spec.planned[{mode, "ruler/a", 1024}] = samples;
  run.spec.data_ids[{"ruler/a", 1024}] = data_id;
  for (std::int64_t i = 0; i < samples; ++i) {
    run.samples.push_back(make_sample(mode, "ruler/a", 1024, i, i < right ? 1 : 0));
  }
  return run;
}

// "rank mode", a row each.
std::string order_of(const ReportInput& input, const char* suite = "") {
  const Document board = leaderboard_document(input, suite);
  std::string rows;
  for (const auto& row : board.tables.front().rows) {
    const auto* rank = std::get_if<std::int64_t>(&row[0].value);
    rows += (rows.empty() ? "" : ", ") + (rank != nullptr ? std::to_string(*rank) : "-") + " " +
            std::get<std::string>(row[4].value);
  }
  return rows;
}

std::string order_of(std::vector<RunData> runs) {
  return order_of(make_input(std::move(runs), kSuiteTitles));
}

TEST(Leaderboard, EntriesThatDifferByChanceShareARank) {
  // 8 of 20 lost is more than chance, 1 of 20 is not.
  EXPECT_EQ(
      order_of({run_of("a", "fa", 20, 20), run_of("b", "ssa", 20, 12), run_of("c", "xa", 20, 19)}),
      "1 fa, 1 xa, 3 ssa");
}

// Of 40 samples xa answers 5 less than fa. Paired that is five losses and no win; of other samples
// the two means would be no more unlike than chance allows.
TEST(Leaderboard, PairsOnlyWhereDataAreTheSame) {
  EXPECT_EQ(order_of({run_of("a", "fa", 40, 30), run_of("b", "xa", 40, 23)}), "1 fa, 2 xa");
  EXPECT_EQ(order_of({run_of("a", "fa", 40, 30), run_of("b", "xa", 40, 23, "other")}),
            "1 fa, 1 xa");
}

TEST(Leaderboard, WithoutAScoreThereIsNoRank) {
  RunData failed = run_of("b", "ssa", 3, 3);
  for (auto& sample : failed.samples) sample.outcome = runs::Outcome::kError;
  EXPECT_EQ(order_of({std::move(failed), run_of("a", "fa", 3, 0)}), "1 fa, - ssa");
}

TEST(Leaderboard, NamesModelRouterAndModeOfEveryRow) {
  RunData run = run_of("runs/a", "fa-ssa", 4, 4);
  run.spec.settings["router_sha256"] = "0123456789abcdef";
  run.spec.environment["router"] = "trained/half/";
  RunData own = run_of("runs/b", "fa-ssa", 4, 4),
          fixed = run_of("runs/c", "fa-ssa:heads=random", 4, 4);
  const Document board = leaderboard_document(make_input({run, own, fixed}, kSuiteTitles), "ruler");
  ASSERT_EQ(board.sheets.front().rows.size(), 3u);
  const auto router = [&](std::size_t row) { return board.sheets.front().rows[row][3]; };
  EXPECT_EQ(router(0), Value("half (01234567)"));
  EXPECT_EQ(router(1), Value("the model's own"));
  EXPECT_EQ(router(2), Value());
  EXPECT_EQ(board.sheets.front().columns.size(), board.sheets.front().rows[0].size());
  EXPECT_EQ(board.tables.front().columns.size(), board.tables.front().rows[0].size());
}

TEST(Leaderboard, AnUnknownSuiteIsNamed) {
  const ReportInput input = make_input({run_of("a", "fa", 2, 2)}, kSuiteTitles);
  EXPECT_THROW((void)leaderboard_document(input, "longbench"), Error);
  EXPECT_EQ(order_of(input, "ruler"), "1 fa");
}

TEST(Questions, WhatDiffersIsNamed) {
  const auto unlike = [](const auto& change) {
    std::vector<RunData> runs = {run_of("a", "fa", 2, 2), run_of("b", "ssa", 2, 2)};
    change(runs[1]);
    return join(unlike_questions(runs), " | ");
  };
  EXPECT_EQ(unlike([](RunData&) {}), "") << "modes are what is ranked";
  EXPECT_EQ(unlike([](RunData& b) { b.spec.settings["dtype"] = "fp32"; }), "");
  EXPECT_EQ(unlike([](RunData& b) { b.spec.settings["seed"] = "7"; }), "seed: 42 in a, 7 in b");
  EXPECT_EQ(unlike([](RunData& b) { b.spec.settings["profile_ruler"] = "own.json"; }),
            "profile_ruler: ruler@builtin in a, own.json in b");
  EXPECT_EQ(unlike([](RunData& b) {
              b.spec.planned[{"ssa", "ruler/b", 1024}] = 2;
            }),
            "tasks: ruler/b only in b");
  EXPECT_EQ(unlike([](RunData& b) {
              b.spec.planned[{"ssa", "ruler/a", 4096}] = 2;
            }),
            "lengths: 4k only in b");
  EXPECT_EQ(unlike([](RunData& b) {
              b.spec.data_ids[{"ruler/a", 1024}] = "other";
            }),
            "data_id of ruler/a at 1k: a and b (other samples, tokenizer, template or --limit)");
}

TEST(Questions, OnlyTheCellsOfAllRunsAreKept) {
  std::vector<RunData> runs = {run_of("a", "fa", 2, 2), run_of("b", "ssa", 2, 2)};
  runs[0].samples.push_back(make_sample("fa", "ruler/b", 1024, 0, 0));
  runs[0].spec.planned[{"fa", "ruler/b", 1024}] = 1;
  runs[1].samples.push_back(make_sample("ssa", "ruler/a", 4096, 0, 0));
  runs[1].spec.planned[{"ssa", "ruler/a", 4096}] = 1;
  keep_shared_cells(runs);
  EXPECT_EQ(unlike_questions(runs), std::vector<std::string>());
  EXPECT_EQ(runs[0].samples.size(), 2u);
  EXPECT_EQ(runs[1].samples.size(), 2u);
  for (auto& sample : runs[1].samples) sample.task = "ruler/c";
  runs[1].spec.planned = {{{"ssa", "ruler/c", 1024}, 2}};
  EXPECT_THROW(keep_shared_cells(runs), Error);
}

}  // namespace
}  // namespace elastic::reports
