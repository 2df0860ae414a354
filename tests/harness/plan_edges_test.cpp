// Plans at the edges of what is accepted, and what is said where it is not.

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/error.h"
#include "harness/run/plan.h"
#include "tests/testing/fake_engine.h"

namespace elastic::harness {
namespace {

using Change = void (*)(RunOptions&);

RunOptions changed(Change change) {
  RunOptions o;
  o.tasks = "ruler";
  o.modes = "fa";
  change(o);
  return o;
}

std::string refusal(Change change, ErrorKind kind = ErrorKind::kInvalidArgument) {
  try {
    make_plan(changed(change), {.window = 8192}, testing::fake_suites());
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "";
}

TEST(PlanEdges, CountsAreOneOrMore) {
  const struct {
    const char* flag;
    void (*set)(RunOptions&, std::int64_t);
  } flags[] = {
      {"limit", [](RunOptions& o, std::int64_t n) { o.limit = n; }},
      {"batch-size", [](RunOptions& o, std::int64_t n) { o.batch_size = n; }},
      {"max-new-tokens", [](RunOptions& o, std::int64_t n) { o.max_new_tokens = n; }},
      {"max-length", [](RunOptions& o, std::int64_t n) { o.max_length = n; }},
      {"thinking-tokens",
       [](RunOptions& o, std::int64_t n) {
         o.tasks = "longbench/set";
         o.thinking_tokens = n;
       }},
  };
  for (const auto& [flag, set] : flags) {
    for (const std::int64_t n : {-1, 0, 1, 2}) {
      RunOptions o = changed([](RunOptions&) {});
      set(o, n);
      std::string error;
      try {
        make_plan(o, {.window = 8192}, testing::fake_suites());
      } catch (const Error& thrown) {
        error = thrown.what();
      }
      EXPECT_EQ(error, n < 1 ? fmt::format("--{} is {}; give 1 or more", flag, n) : "") << flag;
    }
  }
}

TEST(PlanEdges, RefusalsInFull) {
  EXPECT_EQ(refusal([](RunOptions& o) { o.lengths = "8k"; }), "") << "as long as the window";
  EXPECT_EQ(refusal([](RunOptions& o) { o.lengths = "8193"; }),
            "--lengths: 8193 is beyond the model's window of 8192 tokens "
            "(max_position_embeddings); leave it out");
  EXPECT_EQ(refusal([](RunOptions& o) { o.lengths = "1"; }), "");
  EXPECT_EQ(refusal([](RunOptions& o) { o.lengths = "0"; }),
            "`0` is not a length in tokens; write 4096, 4k, 128K or 1m");
  EXPECT_EQ(refusal([](RunOptions& o) { o.tasks = "longbench/set", o.lengths = "1k"; }),
            "--lengths: none of the tasks has lengths to choose");
  EXPECT_EQ(refusal([](RunOptions& o) { o.device = "tpu"; }),
            "--device `tpu` is not one of auto, cpu, cuda");
  EXPECT_EQ(refusal([](RunOptions& o) { o.thinking = "x", o.tasks = "longbench/set"; }),
            "--thinking `x` is not one of on, off");
  EXPECT_EQ(refusal([](RunOptions& o) { o.tasks = ","; }),
            "no task given; `elastic-bench tasks` lists them");
  EXPECT_EQ(refusal([](RunOptions& o) { o.profiles = "ruler@a,ruler@b"; }),
            "--profile: `ruler@a` and `ruler@b` are both for ruler; give one a suite");
  EXPECT_EQ(refusal([](RunOptions& o) { o.profiles = "ruler@a,ruler@a"; }), "") << "the same twice";
  EXPECT_EQ(refusal([](RunOptions& o) { o.profiles = "longbench-official"; }),
            "--profile longbench-official: no task of longbench is asked for");
}

TEST(PlanEdges, NamesOfProfiles) {
  const auto suite_said = [](const char* profile) {
    RunOptions o = changed([](RunOptions&) {});
    o.profiles = profile;
    try {
      make_plan(o, {.window = 8192}, testing::fake_suites());
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  for (const char* profile : {"ruler@x", "ruler-x", "ruler@", "ruler-"}) {
    EXPECT_EQ(suite_said(profile), "accepted") << profile;
  }
  for (const char* profile : {"ruler", "rulerx", "longbench", "xruler@y"}) {
    EXPECT_EQ(suite_said(profile), fmt::format("--profile {}: not a profile; names look like "
                                               "ruler@official, longbench@official",
                                               profile));
  }
  for (const char* profile : {"longbench@x", "longbench-v2"}) {
    EXPECT_EQ(suite_said(profile),
              fmt::format("--profile {}: no task of longbench is asked for", profile));
  }
}

// RULER's prompts end in the beginning of the answer: what acts through a chat template is refused.
TEST(PlanEdges, FlagsThatRulerCannotObey) {
  const auto unsupported = [](Change change) { return refusal(change, ErrorKind::kUnsupported); };
  const std::string why =
      ": the prompts of ruler/fake begin with one BOS and end in the beginning of the answer, so "
      "there is nothing for it to do (--model-template base); leave the flag out";
  EXPECT_EQ(unsupported([](RunOptions& o) { o.thinking = "on"; }), "--thinking" + why);
  EXPECT_EQ(unsupported([](RunOptions& o) { o.thinking_tokens = 5; }), "--thinking" + why);
  EXPECT_EQ(unsupported([](RunOptions& o) { o.bos = "official"; }), "--bos official" + why);
  EXPECT_EQ(refusal([](RunOptions& o) { o.chat_template = false; }), "") << "there is none";
  EXPECT_EQ(refusal([](RunOptions& o) { o.model_template = "t"; }), "");
  EXPECT_EQ(refusal([](RunOptions& o) { o.model_template = "t", o.chat_template = false; }),
            "--no-chat-template contradicts --model-template t; give one of the two");
  EXPECT_EQ(refusal([](RunOptions& o) {
              o.tasks = "longbench/set";
              o.thinking = "on", o.thinking_tokens = 5, o.bos = "official";
              o.model_template = "t", o.chat_template = false;
            }),
            "")
      << "other suites have chat templates";
}

TEST(PlanEdges, DefaultLengthsAreThoseThatFit) {
  using Lengths = std::vector<std::int64_t>;
  const auto lengths = [](std::int64_t window) {
    return make_plan(changed([](RunOptions&) {}), {.window = window}, testing::fake_suites())
        .lengths;
  };
  EXPECT_EQ(lengths(4095), Lengths{4095});
  EXPECT_EQ(lengths(4096), Lengths{4096});
  EXPECT_EQ(lengths(8191), Lengths{4096});
  EXPECT_EQ(lengths(131071), (Lengths{4096, 8192, 16384, 32768, 65536}));
  EXPECT_EQ(lengths(131072), (Lengths{4096, 8192, 16384, 32768, 65536, 131072}));
}

TEST(PlanEdges, SamplesOfACell) {
  const auto cell = [](std::int64_t own, Change change) {
    static std::int64_t limit;
    limit = own;
    tasks::Suite suite = testing::fake_suites()[0];
    suite.make = [](std::string_view name) -> std::unique_ptr<tasks::Task> {
      auto task = std::make_unique<testing::FakeTask>("ruler/" + std::string(name));
      task->info_.default_limit = limit;
      return task;
    };
    const Plan plan = make_plan(changed(change), {.window = 4096}, std::span(&suite, 1));
    return std::pair(plan.cells.at(0).samples, plan.cells.at(0).share);
  };
  using Cell = std::pair<std::int64_t, double>;
  EXPECT_EQ(cell(5, [](RunOptions&) {}), Cell(5, 1));
  EXPECT_EQ(cell(1, [](RunOptions&) {}), Cell(1, 1));
  EXPECT_EQ(cell(0, [](RunOptions&) {}), Cell(0, 1)) << "all there are";
  EXPECT_EQ(cell(0, [](RunOptions& o) { o.limit_share = 0.5; }), Cell(0, 0.5));
  EXPECT_EQ(cell(1, [](RunOptions& o) { o.limit_share = 0.5; }), Cell(1, 1));
  EXPECT_EQ(cell(9, [](RunOptions& o) { o.limit_share = 0.5; }), Cell(5, 1));
  EXPECT_EQ(cell(9, [](RunOptions& o) { o.limit = 3; }), Cell(3, 1));
  for (std::int64_t all = 1; all < 30; ++all) {
    for (std::int64_t tenths = 1; tenths <= 10; ++tenths) {
      const double share = static_cast<double>(tenths) / 8;  // exact
      const std::int64_t expected = std::min(all, (all * tenths + 7) / 8);
      EXPECT_EQ(share_of(all, share), expected) << all << " " << share;
    }
  }
}

}  // namespace
}  // namespace elastic::harness
