// Which values training options may have, and what is said of others.

#include "engine/train/train_options.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace elastic::engine {
namespace {

std::string refusal_of(const std::function<void(TrainOptions&)>& change, bool routed = true) {
  TrainOptions options;
  change(options);
  try {
    check_options(options, routed);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    return error.what();
  }
  return "";
}

struct Number {
  const char* name;
  std::function<void(TrainOptions&, double)> set;
  const char* range;
  std::vector<double> good, bad;
};

// Values at the bounds and beside them.
std::vector<Number> numbers() {
  const auto whole = [](double x) { return static_cast<std::int64_t>(x); };
  constexpr const char* kPositive = "a number above 0";
  constexpr const char* kShare = "0 .. 1";
  constexpr const char* kBelow = "0 .. 1, below 1";
  const std::vector<double> counts = {1, 2}, none = {0, -1};
  const std::vector<double> sizes = {1e-300, 0.5, 1, 9e14};
  const std::vector<double> no_sizes = {0, -0.5, 1e15, 2e15, std::nan("")};
  const std::vector<double> shares = {0, 0.5, 1}, no_shares = {-0.01, 1.01, 2, std::nan("")};
  const std::vector<double> betas = {0, 0.5, 0.999}, no_betas = {-0.01, 1, 1.5, std::nan("")};
  const std::vector<double> any = {0, 0.5, 7}, negative = {-0.01, std::nan("")};
  return {
      {"steps", [=](auto& o, double x) { o.steps = whole(x); }, kPositive, counts, none},
      {"micro_steps", [](auto& o, double x) { o.micro_steps = static_cast<int>(x); }, kPositive,
       counts, none},
      {"processes.world", [](auto& o, double x) { o.processes.world = static_cast<int>(x); },
       kPositive, counts, none},
      {"processes.rank",
       [](auto& o, double x) { o.processes.rank = static_cast<int>(x), o.processes.world = 3; },
       "a number below processes.world",
       {0, 1, 2},
       {-1, 3, 4}},
      {"log_every", [=](auto& o, double x) { o.log_every = whole(x); }, kPositive, counts, none},
      {"checkpoint_every", [=](auto& o, double x) { o.checkpoint_every = whole(x); }, kPositive,
       counts, none},
      {"loss.other_share", [](auto& o, double x) { o.loss.other_share = x; }, kShare, shares,
       no_shares},
      {"loss.other_weight", [](auto& o, double x) { o.loss.other_weight = x; }, "0 or more", any,
       negative},
      {"optimizer.lr", [](auto& o, double x) { o.optimizer.lr = x; }, kPositive, sizes, no_sizes},
      {"optimizer.beta1", [](auto& o, double x) { o.optimizer.beta1 = x; }, kBelow, betas,
       no_betas},
      {"optimizer.beta2", [](auto& o, double x) { o.optimizer.beta2 = x; }, kBelow, betas,
       no_betas},
      {"optimizer.eps", [](auto& o, double x) { o.optimizer.eps = x; }, kPositive, sizes, no_sizes},
      {"optimizer.weight_decay", [](auto& o, double x) { o.optimizer.weight_decay = x; },
       "0 or more", any, negative},
      {"optimizer.clip", [](auto& o, double x) { o.optimizer.clip = x; }, kPositive, sizes,
       no_sizes},
      {"optimizer.warmup", [](auto& o, double x) { o.optimizer.warmup = x; }, kShare, shares,
       no_shares},
      {"optimizer.hold", [](auto& o, double x) { o.optimizer.hold = x; }, kShare, shares,
       no_shares},
      {"optimizer.floor", [](auto& o, double x) { o.optimizer.floor = x; }, kShare, shares,
       no_shares},
      {"router.expansion",
       [=](auto& o, double x) { o.router.expansion = whole(x); },
       kPositive,
       {1, 2, 64},
       none},
      {"router.expansion",
       [=](auto& o, double x) { o.router.expansion = whole(x); },
       "1 .. 64",
       {},
       {65, 66}},
      {"router.pool_rows", [=](auto& o, double x) { o.router.pool_rows = whole(x); }, kPositive,
       counts, none},
      {"router.sink",
       [=](auto& o, double x) { o.router.sink = whole(x); },
       "0 or more tokens",
       {0, 1, 128},
       {-1}},
      {"router.local", [=](auto& o, double x) { o.router.local = whole(x); }, kPositive, counts,
       none},
      {"router.tau_start", [](auto& o, double x) { o.router.tau_start = x; }, kPositive, sizes,
       no_sizes},
      {"router.tau_end", [](auto& o, double x) { o.router.tau_end = x; }, kPositive, sizes,
       no_sizes},
      {"router.tau_share", [](auto& o, double x) { o.router.tau_share = x; }, kShare, shares,
       no_shares},
      {"regularizer.lr", [](auto& o, double x) { o.regularizer.lr = x; }, kPositive, sizes,
       no_sizes},
      {"regularizer.initial", [](auto& o, double x) { o.regularizer.initial = x; }, "0 or more",
       any, negative}};
}

std::string shown(double x) {  // as {} shows it
  if (std::isnan(x)) return "nan";
  return x >= 1e15 ? std::to_string(static_cast<std::int64_t>(x)) : ::testing::PrintToString(x);
}

TEST(TrainOptions, NumbersReachTheirBoundsAndNoFurther) {
  for (const Number& number : numbers()) {
    for (const double x : number.good) {
      EXPECT_EQ(refusal_of([&](auto& o) { number.set(o, x); }), "") << number.name << " " << x;
    }
    for (const double x : number.bad) {
      EXPECT_EQ(refusal_of([&](auto& o) { number.set(o, x); }),
                "training option `" + std::string(number.name) + "` is " + shown(x) +
                    ", expected " + number.range);
    }
  }
}

template <typename Enum>
void expect_words(const char* option, const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(word_value<Enum>(option, words[i])), i) << option;
    EXPECT_EQ(to_word(static_cast<Enum>(i)), words[i]);
  }
  try {
    word_value<Enum>(option, "something");
    FAIL() << option;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_EQ(error.what(), "unknown value of training option `" + std::string(option) +
                                "` `something`; known: " + join(words, ", "));
  }
}

TEST(TrainOptions, WordsAreOneOfThoseKnown) {
  expect_words<TrainType>("dtype", {"auto", "fp32", "bf16"});
  expect_words<LossRows>("loss.lm", {"all", "answer", "mix"});
  expect_words<RouterInit>("router.init", {"spec", "he"});
  expect_words<RouterPooling>("router.pooling", {"boundary", "full"});
  expect_words<TauSchedule>("router.tau_schedule", {"cosine", "exponential"});
}

// Options of routers are not read where none are trained.
TEST(TrainOptions, ABackboneNeedsNoRouter) {
  const auto change = [](TrainOptions& o) {
    o.router.expansion = 0;
    o.regularizer.lr = -1;
  };
  EXPECT_EQ(refusal_of(change, false), "");
  EXPECT_NE(refusal_of(change, true), "");
  EXPECT_NE(refusal_of([](auto& o) { o.steps = 0; }, false), "");
  EXPECT_NE(refusal_of([](auto& o) { o.optimizer.lr = 0; }, false), "");
}

TEST(TrainOptions, RoutersForRandomWeightsAreNotKept) {
  const auto refused = [](const char* shape, const char* output, bool routed) {
    return refusal_of(
        [&](TrainOptions& o) {
          o.random_shape = shape;
          o.output = output;
        },
        routed);
  };
  EXPECT_EQ(refused("tiny-4x8x64", "out", true),
            "routers for random weights are not worth keeping: give no output folder");
  EXPECT_EQ(refused("tiny-4x8x64", "", true), "");
  EXPECT_EQ(refused("", "out", true), "");
  EXPECT_EQ(refused("tiny-4x8x64", "out", false), "");
}

}  // namespace
}  // namespace elastic::engine
