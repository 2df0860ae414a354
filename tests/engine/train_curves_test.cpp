// Rows of curves.csv, when they are written, and what a training says and reports of itself.

#include "engine/train/curves.h"

#include <gtest/gtest.h>

#include <ATen/ops/tensor.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "engine/io/state_header.h"
#include "engine/train/schedule.h"
#include "tests/engine/train_run.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;
using namespace elastic::testing;

at::Tensor row_of(const std::vector<float>& values) { return at::tensor(values); }

StepRecord plain_record(std::int64_t step, float loss, float norm) {
  StepRecord record;
  record.step = step, record.tokens = 100 * (step + 1), record.lr = 0.5, record.batches = 2;
  record.values = row_of({loss, 4, 6});
  record.gradient_norm = at::tensor(norm);
  return record;
}

TEST(TrainCurves, RowsOfABackbone) {
  const TemporaryFolder folder;
  Curves curves(folder / "curves.csv", {{"a", 1}}, false, 0);
  EXPECT_EQ(curves.flush().loss, 0) << "nothing was added";
  curves.add(plain_record(0, 3, 7));
  curves.add(plain_record(1, 5, 0.25));
  const StepNumbers numbers = curves.flush();
  EXPECT_EQ(numbers.loss, 2.5);
  EXPECT_EQ(numbers.msr, 0);
  EXPECT_EQ(curves.flush().loss, 2.5) << "the newest step once more";
  EXPECT_EQ(read_file(folder / "curves.csv"),
            "step,tokens,lr,loss,lm,answer,gradient_norm\n"
            "0,100,0.5,1.5,2,3,7\n"
            "1,200,0.5,2.5,2,3,0.25\n");
}

TEST(TrainCurves, RowsOfRouters) {
  const TemporaryFolder folder;
  Curves curves(folder / "curves.csv", {{"a", 1}, {"b,c", 0.5}}, true, 0);
  StepRecord record = plain_record(3, 2, 1);
  record.tau = 1.25;
  record.batches_of_task = {2, 0};
  record.values = row_of({2, 4, 6, 8, 1, 0.5, 3, 99});
  record.multipliers = row_of({0.1f, 0.2f, 0.3f, 0.4f});
  curves.add(std::move(record));
  const StepNumbers numbers = curves.flush();
  EXPECT_EQ(numbers.loss, 1);
  EXPECT_EQ(numbers.msr, 0.5);
  EXPECT_EQ(read_file(folder / "curves.csv"),
            "step,tokens,lr,loss,lm,answer,gradient_norm,tau,reg,msr,entropy,msr.a,\"msr.b,c\","
            "lambda1.a,\"lambda1.b,c\",lambda2.a,\"lambda2.b,c\"\n"
            "3,400,0.5,1,2,3,1,1.25,4,0.5,0.25,1.5,,"
            "0.100000001,0.200000003,0.300000012,0.400000006\n");
}

TEST(TrainCurves, OnlyWholeRowsBeforeTheFirstStepAreKept) {
  const std::string header = "step,tokens,lr,loss,lm,answer,gradient_norm\n";
  const auto kept = [&](const std::string& text, std::int64_t first_step) {
    const TemporaryFolder folder;
    write_file_atomic(folder / "curves.csv", text);
    const Curves curves(folder / "curves.csv", {}, false, first_step);
    const std::string now = read_file(folder / "curves.csv");
    EXPECT_TRUE(now.starts_with(header)) << now;
    return now.substr(header.size());
  };
  EXPECT_EQ(kept("old\n0,a\n1,b\n2,c\n3,d\n", 2), "0,a\n1,b\n");
  EXPECT_EQ(kept("old\n0,a\n1,b\n", 1), "0,a\n");
  EXPECT_EQ(kept("old\n0,a\n1,b\n", 0), "");
  EXPECT_EQ(kept("old\n0,a\n1,b", 5), "0,a\n") << "a torn row";
  EXPECT_EQ(kept("old\n0,a\nx,b\n1,c\n", 5), "0,a\n") << "no step";
  EXPECT_EQ(kept("old\n", 5), "");
  EXPECT_EQ(kept("old", 5), "");
  EXPECT_EQ(kept("", 5), "");
  const TemporaryFolder folder;
  const Curves fresh(folder / "curves.csv", {}, false, 4);
  EXPECT_EQ(read_file(folder / "curves.csv"), header);
}

TEST(TrainCurves, AStepThatIsNoNumberEndsTheRows) {
  constexpr float kBad = std::numeric_limits<float>::quiet_NaN();
  for (const bool in_loss : {true, false}) {
    const TemporaryFolder folder;
    Curves curves(folder / "curves.csv", {}, false, 0);
    curves.add(plain_record(0, 3, 7));
    curves.add(plain_record(1, in_loss ? kBad : 3, in_loss ? 7 : kBad));
    curves.add(plain_record(2, 3, 7));
    try {
      curves.flush();
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_STREQ(error.what(),
                   "step 1: the loss or its gradient is not a number; lower the learning rate or "
                   "the clip, or look at the data of this step");
    }
    EXPECT_EQ(parse_csv(read_file(folder / "curves.csv"), "curves").size(), 3u);
  }
  Curves bad_at_once({}, {}, false, 0);
  bad_at_once.add(plain_record(0, kBad, 1));
  EXPECT_THROW(bad_at_once.flush(), Error) << "without a file as well";
}

using Table = std::vector<std::vector<std::string>>;

Table table_of(const fs::path& folder) {
  return parse_csv(read_file(folder / "curves.csv"), "curves.csv");
}

std::string cell(const Table& table, std::size_t row, const std::string& name) {
  for (std::size_t c = 0; c < table[0].size(); ++c) {
    if (table[0][c] == name) return table[row][c];
  }
  ADD_FAILURE() << "no column " << name;
  return "";
}

double number(const Table& table, std::size_t row, const std::string& name) {
  return std::stod(cell(table, row, name));
}

TEST(TrainRows, StepTokensRateAndTemperatureAreThoseOfTheStep) {
  const TemporaryFolder folder;
  TrainOptions options = router_options(folder, "r");
  options.feed_threads = 0;
  BatchSource source = made_source();
  source.draw = [](const BatchPosition& at) {  // the second task has no document
    return made_documents({420, 400}, 1, static_cast<std::uint64_t>(at.step));
  };
  const TrainResult result = train_router(options, source);
  const Table rows = table_of(options.output);
  ASSERT_EQ(rows.size(), 7u);
  for (std::int64_t step = 0; step < 6; ++step) {
    const auto r = static_cast<std::size_t>(step + 1);
    EXPECT_EQ(cell(rows, r, "step"), std::to_string(step));
    EXPECT_EQ(cell(rows, r, "tokens"), std::to_string(820 * (step + 1)));
    EXPECT_NEAR(number(rows, r, "lr"), 1e-3 * rate_factor(options.optimizer, step, 6), 1e-8);
    EXPECT_NEAR(number(rows, r, "tau"), temperature(options.router, step, 6), 1e-5);
    EXPECT_EQ(cell(rows, r, "msr.robust"), "");
    EXPECT_NEAR(number(rows, r, "msr.needle"), number(rows, r, "msr"), 1e-5);
    EXPECT_NEAR(number(rows, r, "lm") + number(rows, r, "reg"), number(rows, r, "loss"), 1e-5);
  }
  EXPECT_EQ(result.steps, 6);
  EXPECT_EQ(result.tokens, 6 * 820);
  EXPECT_NEAR(result.loss, number(rows, 6, "loss"), 1e-6);
}

TEST(TrainRows, AnAnswerLossIsTheMeanOfTheAnswers) {
  const TemporaryFolder folder;
  TrainOptions options = small_options(folder / "a");
  options.loss.lm = LossRows::kAnswer;
  options.steps = 2;
  train_backbone(options, made_source());
  const Table rows = table_of(options.output);
  for (const std::size_t r : {1, 2}) EXPECT_EQ(cell(rows, r, "lm"), cell(rows, r, "answer"));
  options.loss.lm = LossRows::kAll;
  options.output = folder / "b";
  train_backbone(options, made_source());
  EXPECT_NE(cell(table_of(options.output), 1, "lm"), cell(rows, 1, "lm"));
}

// Rows reach the file at the first step, every `log_every` steps and with every checkpoint.
TEST(TrainRows, AreWrittenWhenTheNumbersAreLookedAt) {
  struct Row {
    std::int64_t log_every, checkpoint_every, fails_at;
    std::size_t rows;
    std::int64_t saved;  // step of the checkpoint, 0 without one
  };
  for (const Row& row : {Row{100, 100, 4, 1, 0}, Row{3, 100, 5, 3, 0}, Row{100, 2, 5, 4, 4},
                         Row{100, 3, 5, 3, 3}, Row{1, 100, 3, 3, 0}}) {
    SCOPED_TRACE(std::to_string(row.log_every) + " " + std::to_string(row.checkpoint_every));
    const TemporaryFolder folder;
    TrainOptions options = small_options(folder / "a");
    options.log_every = row.log_every;
    options.checkpoint_every = row.checkpoint_every;
    const Stopwatch watch;
    EXPECT_THROW(train_backbone(options, made_source(row.fails_at)), Error);
    const std::size_t rows = table_of(options.output).size() - 1;
    if (watch.seconds() < 5) {  // slow steps are looked at more often
      EXPECT_EQ(rows, row.rows);
    }
    EXPECT_GE(rows, row.rows);
    const fs::path state = options.output / "state.safetensors";
    EXPECT_EQ(fs::exists(state), row.saved > 0);
    if (row.saved == 0) continue;
    const SafetensorsFile file(state);
    const StateHeader header = parse_state_header(file.at(kStateHeader), "state");
    EXPECT_EQ(header.step, row.saved);
    EXPECT_EQ(header.tokens, 820 * row.saved);
  }
}

TEST(TrainRows, TimesAreThoseOfThisCommand) {
  const TemporaryFolder folder;
  TrainOptions options = small_options(folder / "a");
  options.feed_threads = 1;
  BatchSource source = made_source(4);
  source.draw = [draw = source.draw](const BatchPosition& at) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return draw(at);
  };
  EXPECT_THROW(train_backbone(options, source), Error);
  source = made_source();
  source.draw = [draw = source.draw](const BatchPosition& at) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return draw(at);
  };
  options.resume = true;
  const TrainResult result = train_backbone(options, source);
  EXPECT_EQ(result.tokens, 6 * 820);
  EXPECT_NEAR(result.tokens_per_second * result.seconds, 2 * 820, 1e-3) << "two steps of six";
  for (const double ms : {result.forward_ms, result.backward_ms, result.optimizer_ms}) {
    EXPECT_GT(ms, 0);
  }
  EXPECT_GT(result.data_wait_ms, 10);
  EXPECT_LE(
      2 * (result.forward_ms + result.backward_ms + result.optimizer_ms + result.data_wait_ms),
      1000 * result.seconds * 1.05);
  EXPECT_GT(result.peak_bytes, 0);
}

TEST(TrainRows, BeginningsAndNumbersAreSaid) {
  const TemporaryFolder folder;
  TrainOptions options = router_options(folder, "r");
  const auto said = [&] {
    ::testing::internal::CaptureStderr();
    train_router(options, made_source());
    return ::testing::internal::GetCapturedStderr();
  };
  const auto expect = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  const std::string first = said();
  expect(first, "step 1 of 6 begins on cpu\n");
  expect(first, "loading " + options.base.string() + " (");
  const Table rows = table_of(options.output);
  const auto numbers = [&](std::size_t row) {
    char text[64];
    std::snprintf(text, sizeof(text), "  loss %.4f  MSR %.2f  ", number(rows, row, "loss"),
                  number(rows, row, "msr"));
    return std::string(text);
  };
  expect(first, "train 1/6  ");
  expect(first, numbers(1));
  expect(first, "train 6/6  ");
  expect(first, numbers(6));
  EXPECT_EQ(first.find("% of tokens"), std::string::npos) << "work is counted in steps alone";

  // Done already: nothing is drawn, the model is written again, the state stays as it is.
  options.resume = true;
  fs::remove(options.output / "model.safetensors");
  const fs::path state = options.output / "state.safetensors";
  const auto long_ago = fs::file_time_type::clock::now() - std::chrono::hours(5);
  fs::last_write_time(state, long_ago);
  const auto stamp = fs::last_write_time(state);
  const std::string again = said();
  expect(again, "resumed after step 6 of 6\n");
  EXPECT_EQ(again.find("begins on"), std::string::npos) << again;
  EXPECT_TRUE(fs::exists(options.output / "model.safetensors"));
  EXPECT_EQ(fs::last_write_time(state), stamp);
}

TEST(TrainRows, ASignalEndsBehindAStepWithACheckpointAndAModel) {
  const TemporaryFolder folder;
  TrainOptions options = small_options(folder / "a");
  options.feed_threads = 1;
  const InterruptGuard guard("");
  BatchSource source = made_source();
  source.draw = [draw = source.draw](const BatchPosition& at) {
    if (at.step == 3) std::raise(SIGTERM);
    return draw(at);
  };
  const TrainResult result = train_backbone(options, source);
  EXPECT_EQ(result.end, TrainEnd::kInterrupted);
  EXPECT_EQ(result.signal, SIGTERM);
  EXPECT_EQ(result.steps, 3);
  EXPECT_TRUE(fs::exists(options.output / "model.safetensors"));
  const SafetensorsFile file(options.output / "state.safetensors");
  EXPECT_EQ(parse_state_header(file.at(kStateHeader), "state").step, 3);
}

// Behind one step of Adam every value of a router has moved against its first moment.
TEST(TrainRows, RoutersDescendTheirGradient) {
  const TemporaryFolder folder;
  TrainOptions options = router_options(folder, "r");
  options.steps = 1;
  options.optimizer.warmup = 0;
  options.optimizer.weight_decay = 0;
  train_router(options, made_source());
  DecoderWeights fresh = initial_weights(parse_config(options.config_json), 1, at::kCPU);
  add_routers(fresh, options.router, options.seed);
  const SafetensorsFile state(options.output / "state.safetensors");
  int checked = 0;
  for (const Parameter& p : router_parameters(fresh)) {
    const std::vector<float> after = float_values(state.at("master." + p.name));
    const std::vector<float> first = float_values(state.at("adam.first." + p.name));
    for (std::size_t i = 0; i < after.size(); ++i) {
      if (std::abs(first[i]) < 1e-5) continue;
      ASSERT_LT((after[i] - p.tensor.const_data_ptr<float>()[i]) * first[i], 0) << p.name;
      ++checked;
    }
  }
  EXPECT_GT(checked, 0);
}

// One process asks nobody; without an output folder nothing is written anywhere.
TEST(TrainRows, AloneAndWithoutAFolder) {
  TrainOptions options = small_options({});
  options.steps = 1;
  options.processes.address = "no-such-host.invalid";
  EXPECT_EQ(train_backbone(options, made_source()).steps, 1);
  EXPECT_FALSE(fs::exists("state.safetensors"));
  EXPECT_FALSE(fs::exists("curves.csv"));
  EXPECT_FALSE(fs::exists("model.safetensors"));
}

}  // namespace
}  // namespace elastic::engine
