// What becomes of one sample: failures, prompts that do not fit, thoughts, truncation.

#include <map>

#include "base/error.h"
#include "tests/harness/runner_fixture.h"

namespace elastic::harness {
namespace {

TEST_F(Runner, FailuresAreRecordsAndAreTriedAgainOnce) {
  options_.batch_size = 2;
  engine_.before_ = [](const engine::Request& request) {
    if (request.ids[0] == 1) throw Error(ErrorKind::kInvalidArgument, "bad id");
    if (request.ids[0] == 2) throw Error(ErrorKind::kOutOfMemory, "needs 9 GiB of 1 GiB");
    if (request.ids[0] == 3) throw std::bad_alloc();
  };
  const RunOutcome outcome = run(folder_.path());
  EXPECT_EQ(outcome.ran, 32);
  EXPECT_EQ(outcome.failed, 24);
  std::map<runs::Outcome, int> outcomes;
  for (const runs::SampleRecord& r : runs::read_run(folder_.path()).samples) {
    ++outcomes[r.outcome];
    EXPECT_EQ(r.score.has_value(), r.outcome == runs::Outcome::kOk);
    EXPECT_EQ(r.error.has_value(), r.outcome != runs::Outcome::kOk);
    if (r.index == 1) {
      EXPECT_EQ(r.error, "bad id");
    }
    if (r.index == 2) {
      EXPECT_NE(r.error->find("9 GiB of 1 GiB"), std::string::npos);
    }
    if (r.index == 3) {
      EXPECT_EQ(r.outcome, runs::Outcome::kOom);
    }
  }
  EXPECT_EQ(outcomes,
            (std::map<runs::Outcome, int>{
                {runs::Outcome::kOk, 8}, {runs::Outcome::kError, 8}, {runs::Outcome::kOom, 16}}));
  engine_.before_ = nullptr;
  const RunOutcome again = run(folder_.path());
  EXPECT_EQ(again.found, 8);
  EXPECT_EQ(again.ran, 24);
  EXPECT_EQ(again.failed, 0);
  EXPECT_EQ(runs::read_run(folder_.path()).samples.size(), 32u);
}

TEST_F(Runner, LogitsThatAreNoNumbersAreAnOutcomeOfTheirOwn) {
  for (const std::int64_t batch : {1, 2}) {
    options_.batch_size = batch;
    engine_.before_ = [](const engine::Request& request) {
      if (request.ids[0] == 1) throw Error(ErrorKind::kNonFinite, "3 of 9 logits are NaN");
      if (request.ids[0] == 2) throw Error(ErrorKind::kInvalidArgument, "bad id");
    };
    const RunOutcome outcome = run(folder_ / std::to_string(batch));
    EXPECT_EQ(outcome.failed, 16);
    EXPECT_EQ(outcome.failures, (std::map<runs::Outcome, std::int64_t>{
                                    {runs::Outcome::kError, 8}, {runs::Outcome::kNonFinite, 8}}));
    for (const runs::SampleRecord& r : runs::read_run(folder_ / std::to_string(batch)).samples) {
      if (r.index != 1) continue;
      EXPECT_EQ(r.outcome, runs::Outcome::kNonFinite);
      EXPECT_EQ(r.error, "3 of 9 logits are NaN");
      EXPECT_FALSE(r.score.has_value());
    }
  }
}

TEST_F(Runner, AFailingDeviceEndsTheRunAndKeepsWhatWasDone) {
  engine_.before_ = [this](const engine::Request&) {
    if (asked() == 6) {
      throw Error(ErrorKind::kDevice, "CUDA error: an illegal memory access was encountered");
    }
  };
  EXPECT_THROW(run(folder_.path()), Error);
  EXPECT_EQ(asked(), 6) << "nothing is asked of a dead device";
  EXPECT_EQ(runs::read_run(folder_.path()).samples.size(), 5u);
  engine_.before_ = nullptr;
  EXPECT_EQ(run(folder_.path()).found, 5);
}

TEST_F(Runner, ADeviceThatFailsUnderABatchIsNotTriedSampleBySample) {
  options_.batch_size = 4;
  engine_.before_ = [this](const engine::Request&) {
    if (asked() >= 2) throw Error(ErrorKind::kDevice, "CUDA error: an illegal memory access");
  };
  EXPECT_THROW(run(folder_.path()), Error);
  EXPECT_EQ(asked(), 2);
  EXPECT_EQ(runs::read_run(folder_.path()).samples.size(), 1u) << "what was answered is kept";
}

TEST_F(Runner, PromptsThatDoNotFitSayBothNumbers) {
  options_.lengths = "8k";
  options_.max_new_tokens = 100;
  const RunOutcome outcome = run(folder_.path());
  EXPECT_EQ(outcome.failed, 16);
  EXPECT_TRUE(engine_.requests_.empty()) << "the engine is not asked";
  const runs::SampleRecord r = runs::read_run(folder_.path()).samples.front();
  EXPECT_EQ(r.outcome, runs::Outcome::kError);
  EXPECT_EQ(r.error,
            "prompt of 8182 tokens and answer budget of 100 exceed the model's window of 8192");
  EXPECT_EQ(r.prompt_tokens, 8182);
}

TEST_F(Runner, PromptAndBudgetMayFillTheWindowExactly) {
  options_.tasks = "ruler/fake";
  options_.modes = "fa";
  options_.lengths = "1024";
  engine_.info_.max_positions = 1024;
  EXPECT_EQ(run(folder_ / "fits").failed, 0);
  engine_.info_.max_positions = 1023;
  EXPECT_EQ(run(folder_ / "one-less").failed, 4);
}

TEST_F(Runner, TasksKnowHowLongAPromptMayBe) {
  options_.tasks = "ruler/fake,longbench/set";
  options_.modes = "fa";
  options_.lengths = "128";
  options_.limit = 1;
  const auto limits = [&](const char* name) {
    std::vector<std::pair<std::int64_t, bool>> seen;
    change_ = [&](FakeTask& task) {
      task.seen_ = [&](const tasks::PromptContext& context) {
        seen.emplace_back(context.max_length, context.exact_length);
      };
    };
    run(folder_ / name);
    return seen;
  };
  using Limits = std::vector<std::pair<std::int64_t, bool>>;
  // Cells without lengths come first: the window less the answer; a stated length is its own limit.
  EXPECT_EQ(limits("a"), (Limits{{8192 - 10, false}, {0, false}}));
  options_.max_new_tokens = 100;
  EXPECT_EQ(limits("b"), (Limits{{8192 - 100, false}, {0, false}}));
  options_.max_length = 77;
  EXPECT_EQ(limits("c"), (Limits{{77, true}, {77, true}}));
}

// A model that thinks: thought until its closing tag, then the answer.
class ThinkingRunner : public Runner {
 protected:
  ThinkingRunner() {
    options_.tasks = "longbench/set";
    options_.lengths.clear();
    options_.modes = "fa";
    options_.limit = 1;
    options_.thinking = "on";
    options_.thinking_tokens = 50;
  }

  runs::SampleRecord only_record() {
    run(folder_.path());
    const runs::RunData data = runs::read_run(folder_.path());
    EXPECT_EQ(data.samples.size(), 1u);
    return data.samples.front();
  }

  // The thought ends as `finish` says with `thought`; what comes then is `rest`.
  void think(engine::Finish finish, const std::string& thought, const std::string& rest) {
    engine_.after_ = [=](const engine::Request& request, engine::Result& result) {
      const bool first = !request.stop.empty();
      result.text = first ? thought : rest;
      result.finish = first ? finish : engine::Finish::kEos;
      result.ids = first ? std::vector<std::int32_t>{7, 8} : std::vector<std::int32_t>{9};
    };
  }

  std::vector<engine::Request> asked_requests() const {
    std::vector<engine::Request> requests;
    for (const auto& request : engine_.requests_) {
      if (request.max_new_tokens != 2) requests.push_back(request);  // the warm-up
    }
    return requests;
  }
};

TEST_F(ThinkingRunner, TheAnswerIsWhatFollowsTheLastClosingTag) {
  think(engine::Finish::kStop, "<think>so", "wrong</think> or</think>\n\nright-0 ");
  const runs::SampleRecord r = only_record();
  EXPECT_EQ(r.outcome, runs::Outcome::kOk);
  EXPECT_EQ(r.prediction, "right-0");
  EXPECT_EQ(r.score, 1.0);
  EXPECT_EQ(r.output_tokens, 3);
  EXPECT_DOUBLE_EQ(r.decode_ms.value(), 1.5 + 1.5) << "both passes, without the second prefill";
  const auto requests = asked_requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].max_new_tokens, 50);
  EXPECT_EQ(requests[0].stop, std::vector<std::string>{"</think>"});
  EXPECT_EQ(requests[1].max_new_tokens, 10) << "the task's own budget";
  EXPECT_EQ(requests[1].ids.size(), requests[0].ids.size() + 2) << "the thought goes in front";
}

TEST_F(ThinkingRunner, AThoughtThatDoesNotEndIsAnOutcomeOfItsOwn) {
  think(engine::Finish::kLength, "<think>and so on", "right-0");
  const runs::SampleRecord r = only_record();
  EXPECT_EQ(r.outcome, runs::Outcome::kThinking);
  EXPECT_EQ(r.error, "cut off while thinking after 50 tokens; raise --thinking-tokens");
  EXPECT_EQ(asked_requests().size(), 1u);
}

TEST_F(ThinkingRunner, AnAnswerWithoutAThoughtIsTheAnswer) {
  think(engine::Finish::kEos, "right-0", "never asked");
  EXPECT_EQ(only_record().score, 1.0);
  EXPECT_EQ(asked_requests().size(), 1u);
}

TEST_F(ThinkingRunner, TheThoughtTakesItsShareOfTheWindow) {
  engine_.info_.max_positions = 61;
  std::int64_t window = 0;
  change_ = [&](FakeTask& task) {
    task.seen_ = [&](const tasks::PromptContext& context) { window = context.window; };
  };
  think(engine::Finish::kEos, "right-0", "");
  EXPECT_EQ(only_record().outcome, runs::Outcome::kOk) << "1 + 10 + 50 tokens";
  EXPECT_EQ(window, 11);
  options_.thinking_tokens = 51;
  EXPECT_EQ(run(folder_ / "more").failed, 1);
}

TEST_F(Runner, PromptsThatCannotBeMadeAreRecords) {
  change_ = [](FakeTask& task) { task.refused_ = 2; };
  const RunOutcome outcome = run(folder_.path());
  EXPECT_EQ(outcome.failed, 8);
  for (const runs::SampleRecord& r : runs::read_run(folder_.path()).samples) {
    if (r.index == 2) {
      EXPECT_EQ(r.error, "cannot be asked");
    }
  }
}

TEST_F(Runner, ShortSamplesAreCountedAndStrictFailsThem) {
  change_ = [](FakeTask& task) { task.missing_ = task.info_.name == "ruler/fake" ? 20 : 0; };
  options_.lengths = "128,4k";
  const RunOutcome outcome = run(folder_ / "a");
  EXPECT_EQ(outcome.short_samples, 8) << "20 tokens are 16 % of 128 and half a percent of 4k";
  EXPECT_EQ(outcome.failed, 0);
  options_.strict = true;
  const RunOutcome strict = run(folder_ / "b");
  EXPECT_EQ(strict.failed, 8);
  const runs::SampleRecord r = runs::read_run(folder_ / "b").samples.front();
  EXPECT_EQ(r.error, "--strict: 108 tokens of the stated length 128 are below 95 %");
}

TEST_F(Runner, TruncationIsCounted) {
  change_ = [](FakeTask& task) { task.truncates_ = true; };
  options_.max_length = 200;
  const RunOutcome outcome = run(folder_.path());
  EXPECT_EQ(outcome.truncated, 16);
  EXPECT_EQ(outcome.truncated_tokens, 16 * 46);
  EXPECT_EQ(outcome.failed, 0);
}

}  // namespace
}  // namespace elastic::harness
