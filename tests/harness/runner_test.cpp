#include "harness/run/runner.h"

#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "harness/store/prompt_store.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/folders.h"

namespace elastic::harness {
namespace {

using testing::FakeGenerator;
using testing::FakeTask;
using testing::TemporaryFolder;

// A run over fakes: everything between options and folder.
class Runner : public ::testing::Test {
 protected:
  Runner() {
    set_log_level(LogLevel::kError);
    options_.tasks = "ruler";
    options_.modes = "fa,ssa";
    options_.lengths = "128,256";
    options_.limit = 4;
    options_.seed = 7;
  }
  ~Runner() override { set_log_level(LogLevel::kInfo); }

  RunOutcome run(const std::filesystem::path& folder, int rank = 0, int world_size = 1) {
    Plan plan = make_plan(options_, {.window = 8192}, testing::fake_tasks());
    for (auto& planned : plan.tasks) change_(static_cast<FakeTask&>(*planned->task));
    const std::vector<PreparedCell> cells = prepare(plan, options_, tokenizer_, 2);
    const RunJob job{.options = options_,
                     .cells = cells,
                     .modes = resolve_modes(plan.modes, engine_),
                     .generator = engine_,
                     .tokenizer = tokenizer_,
                     .chat = chat_,
                     .rank = rank,
                     .world_size = world_size};
    RunStore store({.folder = folder, .rank = rank, .world_size = world_size}, run_spec(job));
    return run_samples(job, store);
  }

  // Requests that were not a warm-up.
  std::size_t asked() const {
    std::size_t n = 0;
    for (const auto& request : engine_.requests_) n += request.max_new_tokens != 2;
    return n;
  }

  RunOptions options_;
  FakeGenerator engine_;
  const engine::Tokenizer* tokenizer_ = nullptr;
  const engine::ChatTemplate* chat_ = nullptr;
  std::function<void(FakeTask&)> change_ = [](FakeTask&) {};
  const TemporaryFolder folder_;
};

std::map<std::string, SampleRecord> by_key(const RunData& run) {
  std::map<std::string, SampleRecord> records;
  for (const SampleRecord& record : run.samples) records[record.key] = record;
  return records;
}

TEST_F(Runner, EverySampleOfEveryCellAndModeIsRecorded) {
  const RunOutcome outcome = run(folder_.path());
  EXPECT_EQ(outcome.planned, 32);
  EXPECT_EQ(outcome.ran, 32);
  EXPECT_EQ(outcome.failed, 0);
  const RunData data = read_run(folder_.path());
  ASSERT_EQ(data.samples.size(), 32u);
  EXPECT_EQ(data.spec.planned_samples, 32);
  EXPECT_EQ(data.spec.planned.at("ssa|ruler/second|256"), 4);
  EXPECT_EQ(data.spec.data_ids.size(), 4u);
  EXPECT_EQ(data.spec.categories.at("ruler/fake"), "testing");
  EXPECT_EQ(data.spec.settings.at("profile_ruler"), "ruler@official");
  const SampleRecord& first = data.samples.front();
  EXPECT_EQ(first.model, "fake");
  EXPECT_EQ(first.mode, "fa");
  EXPECT_EQ(first.task, "ruler/fake");
  EXPECT_EQ(first.length, 128);
  EXPECT_EQ(first.prompt_tokens, 118);
  EXPECT_EQ(first.prediction, "right-0");
  EXPECT_EQ(first.score, 1.0);
  EXPECT_EQ(first.msr, 0.25);
  EXPECT_EQ(first.routing.size(), 2u);
  EXPECT_EQ(first.prefill_ms, 2.0);
  EXPECT_EQ(first.peak_bytes, 1000);
  EXPECT_EQ(first.kv_bytes, 250);
  EXPECT_EQ(first.kv_bytes_full, 1000);
  EXPECT_EQ(first.batch, 1);
  EXPECT_EQ(first.passes, 1);
  EXPECT_EQ(first.output_tokens, 2);
  EXPECT_EQ(first.strata.at("depth"), "0");
  EXPECT_EQ(first.prompt_sha256.size(), 64u);
  double sparse = 0;
  for (const SampleRecord& r : data.samples) sparse += r.mode == "ssa" ? *r.score : 0;
  EXPECT_EQ(sparse, 8) << "odd samples are wrong in ssa";
}

TEST_F(Runner, SecondRunDoesNothing) {
  run(folder_.path());
  const std::string before = read_file(folder_ / "samples.rank0.jsonl");
  engine_.requests_.clear();
  const RunOutcome outcome = run(folder_.path());
  EXPECT_EQ(outcome.ran, 0);
  EXPECT_EQ(outcome.found, 32);
  EXPECT_TRUE(engine_.requests_.empty());
  EXPECT_EQ(read_file(folder_ / "samples.rank0.jsonl"), before);
}

TEST_F(Runner, MoreSamplesModesAndLengthsAddToWhatIsThere) {
  options_.modes = "ssa";
  options_.limit = 2;
  run(folder_.path());
  options_.modes = "fa,ssa";
  options_.limit = 3;
  options_.lengths = "256,512,128";
  const RunOutcome outcome = run(folder_.path());
  EXPECT_EQ(outcome.planned, 36);
  EXPECT_EQ(outcome.found, 8);
  EXPECT_EQ(outcome.ran, 28);
  EXPECT_EQ(read_run(folder_.path()).spec.planned_samples, 36);
}

TEST_F(Runner, KeysDoNotDependOnFolderOrOrderOrBatch) {
  run(folder_ / "a");
  options_.modes = "ssa,fa";
  options_.tasks = "ruler/second,ruler/fake";
  options_.batch_size = 3;
  run(folder_ / "b");
  const auto a = by_key(read_run(folder_ / "a")), b = by_key(read_run(folder_ / "b"));
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [key, record] : a) {
    ASSERT_TRUE(b.contains(key));
    EXPECT_EQ(b.at(key).prediction, record.prediction);
    EXPECT_EQ(b.at(key).score, record.score);
    EXPECT_EQ(record.batch, 1);
    EXPECT_EQ(b.at(key).batch, record.index < 3 ? 3 : 1) << "the last of four is alone";
  }
}

// Two passes of 2 tokens: decode times add up, the second prompt stands apart.
TEST_F(Runner, ASecondPassIsNoDecodeTime) {
  change_ = [](FakeTask& task) { task.asks_twice_ = true; };
  options_.batch_size = 4;
  run(folder_.path());
  for (const SampleRecord& record : read_run(folder_.path()).samples) {
    EXPECT_EQ(record.passes, 2);
    EXPECT_EQ(record.output_tokens, 4);
    EXPECT_EQ(record.prefill_ms, 2.0);
    EXPECT_EQ(record.decode_ms, 3.0);
    EXPECT_EQ(record.later_prefill_ms, 2.5);
    EXPECT_EQ(record.batch, 1) << "passes of a sample run alone";
  }
}

TEST_F(Runner, ChangedSettingsAndChangedDataAreRefused) {
  run(folder_.path());
  options_.max_new_tokens = 3;
  EXPECT_THROW(run(folder_.path()), Error);
  options_.max_new_tokens.reset();
  change_ = [](FakeTask& task) { task.salt_ = "other words"; };
  try {
    run(folder_.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("other data"), std::string::npos) << error.what();
  }
  EXPECT_EQ(read_run(folder_.path()).samples.size(), 32u);
}

// What a resume says of another setting than the folder's.
TEST_F(Runner, EverySettingInTurnChangedIsRefused) {
  const auto tokenizer = engine::Tokenizer::load(testing::source_folder() / "models/demo");
  const engine::ChatTemplate chat("{{ messages }}", "test", {});
  options_.tasks = "longbench/set";
  options_.lengths.clear();
  run(folder_.path());
  const struct {
    const char* setting;
    std::function<void()> change;
  } changes[] = {
      {"model_sha256", [this] { engine_.info_.weights_sha256 = "w1"; }},
      {"config_sha256", [this] { engine_.info_.config_sha256 = "c1"; }},
      {"tokenizer_sha256", [&] { tokenizer_ = &tokenizer; }},
      {"chat_template_sha256", [&] { chat_ = &chat; }},
      {"seed", [this] { options_.seed = 8; }},
      {"device", [this] { engine_.device_ = "cuda:0"; }},
      {"dtype", [this] { engine_.dtype_ = "bf16"; }},
      {"max_new_tokens", [this] { options_.max_new_tokens = 3; }},
      {"max_length", [this] { options_.max_length = 100; }},
      {"model_template", [this] { options_.model_template = "meta-chat"; }},
      {"chat_template", [this] { options_.chat_template = false; }},
      {"bos", [this] { options_.bos = "official"; }},
      {"thinking", [this] { options_.thinking = "off"; }},
      {"thinking_tokens", [this] { options_.thinking_tokens = 7; }},
      {"profile_longbench", [this] { options_.profiles = "longbench@other"; }},
  };
  const RunOptions options = options_;
  std::set<std::string> covered = {"decoding"};  // greedy, the only one there is
  for (const auto& [setting, change] : changes) {
    SCOPED_TRACE(setting);
    engine_ = FakeGenerator();
    options_ = options;
    tokenizer_ = nullptr;
    chat_ = nullptr;
    change();
    covered.insert(setting);
    try {
      run(folder_.path());
      ADD_FAILURE() << "resumed";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find(fmt::format("`{}` was", setting)), std::string::npos)
          << error.what();
    }
  }
  for (const auto& [setting, value] : read_run(folder_.path()).spec.settings) {
    EXPECT_TRUE(covered.contains(setting)) << setting << " is tried by no row above";
  }
}

TEST_F(Runner, ChangedReferencesAndAnswerPrefixesAreOtherData) {
  run(folder_.path());
  const std::function<void(FakeTask&)> changes[] = {
      [](FakeTask& task) { task.reference_ = "rite"; },
      [](FakeTask& task) { task.answer_prefix_ = "The answer is"; }};
  for (const auto& change : changes) {
    change_ = change;
    try {
      run(folder_.path());
      ADD_FAILURE() << "resumed";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("other data"), std::string::npos) << error.what();
    }
  }
}

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
  std::map<std::string, int> outcomes;
  for (const SampleRecord& r : read_run(folder_.path()).samples) {
    ++outcomes[r.outcome];
    EXPECT_EQ(r.score.has_value(), r.outcome == "ok");
    EXPECT_EQ(r.error.has_value(), r.outcome != "ok");
    if (r.index == 1) {
      EXPECT_EQ(r.error, "bad id");
    }
    if (r.index == 2) {
      EXPECT_NE(r.error->find("9 GiB of 1 GiB"), std::string::npos);
    }
    if (r.index == 3) {
      EXPECT_EQ(r.outcome, "oom");
    }
  }
  EXPECT_EQ(outcomes, (std::map<std::string, int>{{"ok", 8}, {"error", 8}, {"oom", 16}}));
  engine_.before_ = nullptr;
  const RunOutcome again = run(folder_.path());
  EXPECT_EQ(again.found, 8);
  EXPECT_EQ(again.ran, 24);
  EXPECT_EQ(again.failed, 0);
  EXPECT_EQ(read_run(folder_.path()).samples.size(), 32u);
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
    EXPECT_EQ(outcome.failures,
              (std::map<std::string, std::int64_t>{{"error", 8}, {"nonfinite", 8}}));
    for (const SampleRecord& r : read_run(folder_ / std::to_string(batch)).samples) {
      if (r.index != 1) continue;
      EXPECT_EQ(r.outcome, "nonfinite");
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
  EXPECT_EQ(read_run(folder_.path()).samples.size(), 5u);
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
  EXPECT_TRUE(read_run(folder_.path()).samples.empty());
}

TEST_F(Runner, PromptsThatDoNotFitSayBothNumbers) {
  options_.lengths = "8k";
  options_.max_new_tokens = 100;
  const RunOutcome outcome = run(folder_.path());
  EXPECT_EQ(outcome.failed, 16);
  EXPECT_TRUE(engine_.requests_.empty()) << "the engine is not asked";
  const SampleRecord r = read_run(folder_.path()).samples.front();
  EXPECT_EQ(r.outcome, "error");
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

  SampleRecord only_record() {
    run(folder_.path());
    const RunData data = read_run(folder_.path());
    EXPECT_EQ(data.samples.size(), 1u);
    return data.samples.front();
  }

  // The thought ends as `finish` says with `thought`; what comes then is `rest`.
  void think(engine::Finish finish, std::string thought, std::string rest) {
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
  const SampleRecord r = only_record();
  EXPECT_EQ(r.outcome, "ok");
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
  const SampleRecord r = only_record();
  EXPECT_EQ(r.outcome, "thinking");
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
  EXPECT_EQ(only_record().outcome, "ok") << "1 + 10 + 50 tokens";
  EXPECT_EQ(window, 11);
  options_.thinking_tokens = 51;
  EXPECT_EQ(run(folder_ / "more").failed, 1);
}

TEST_F(Runner, PromptsThatCannotBeMadeAreRecords) {
  change_ = [](FakeTask& task) { task.refused_ = 2; };
  const RunOutcome outcome = run(folder_.path());
  EXPECT_EQ(outcome.failed, 8);
  for (const SampleRecord& r : read_run(folder_.path()).samples) {
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
  const SampleRecord r = read_run(folder_ / "b").samples.front();
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

TEST_F(Runner, TooShortALengthEndsTheRunBeforeItStarts) {
  options_.lengths = "32,256";
  try {
    run(folder_ / "a");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("smallest that works is 64"), std::string::npos);
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "a"));
  EXPECT_TRUE(engine_.requests_.empty());
}

TEST_F(Runner, TwoBosInFrontIsAHardErrorNamingTheTemplate) {
  const auto tokenizer = engine::Tokenizer::load(elastic::testing::source_folder() / "models/demo");
  tokenizer_ = &tokenizer;
  options_.model_template = "meta-chat";
  change_ = [&](FakeTask& task) { task.prefix_ = tokenizer.bos_id().value(); };
  try {
    run(folder_.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    const std::string text = error.what();
    EXPECT_NE(text.find("two BOS"), std::string::npos) << text;
    EXPECT_NE(text.find("`meta-chat`"), std::string::npos) << text;
  }
  change_ = [](FakeTask& task) { task.prefix_ = 5; };
  EXPECT_EQ(run(folder_ / "b").failed, 0) << "two equal ids that are no BOS";
}

TEST_F(Runner, RanksShareTheSamplesAndAnyNumberFinishes) {
  const RunOutcome one = run(folder_.path(), 1, 3);
  EXPECT_EQ(one.planned, 8) << "index 1 of 0..3";
  const RunOutcome zero = run(folder_.path(), 0, 3);
  EXPECT_EQ(zero.planned, 16);
  const RunOutcome rest = run(folder_.path(), 0, 1);
  EXPECT_EQ(rest.found, 24);
  EXPECT_EQ(rest.ran, 8);
  EXPECT_EQ(read_run(folder_.path()).samples.size(), 32u);
  EXPECT_EQ(asked(), 32u);
}

TEST_F(Runner, ModesThatAreTheSameAreRefused) {
  options_.modes = "fa,alias";
  try {
    run(folder_.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("`fa` and `alias` are the same mode"),
              std::string::npos);
  }
  options_.modes = "fa,?";
  EXPECT_THROW(run(folder_.path()), Error);
}

TEST_F(Runner, PromptsAreLoggedOnceForAllModes) {
  options_.log_prompts = true;
  run(folder_.path());
  const RunData data = read_run(folder_.path());
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "prompts")) {
    files += entry.is_regular_file();
  }
  EXPECT_EQ(files, 8u) << "2 lengths x 4 samples; tasks of this test share their text";
  EXPECT_EQ(read_prompt(folder_.path(), data.samples[0].prompt_sha256), "text 7 0 128");
}

TEST_F(Runner, ASignalStopsBetweenTwoSamples) {
  const InterruptGuard guard("");
  engine_.before_ = [this](const engine::Request&) {
    if (asked() == 5) std::raise(SIGTERM);
  };
  const RunOutcome outcome = run(folder_.path());
  EXPECT_EQ(outcome.signal, SIGTERM);
  EXPECT_EQ(outcome.ran, 5) << "the sample in flight is finished and written";
  EXPECT_EQ(read_run(folder_.path()).samples.size(), 5u);
}

TEST_F(Runner, ASignalIsHeardWhilePromptsAreMade) {
  const InterruptGuard guard("");
  change_ = [](FakeTask& task) { task.signal_at_ = 2; };
  options_.batch_size = 4;
  const RunOutcome outcome = run(folder_.path());
  EXPECT_EQ(outcome.signal, SIGTERM);
  EXPECT_EQ(outcome.ran, 0) << "of the batch of four, the prompt of sample 3 was not made";
  EXPECT_EQ(asked(), 0u);
}

}  // namespace
}  // namespace elastic::harness
