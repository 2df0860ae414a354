// The loop over samples: what is recorded, what a second run finds, what it refuses.

#include "harness/run/runner.h"

#include <csignal>
#include <map>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "runs/prompt_store.h"
#include "tests/harness/runner_fixture.h"

namespace elastic::harness {
namespace {

std::map<std::string, runs::SampleRecord> by_key(const runs::RunData& run) {
  std::map<std::string, runs::SampleRecord> records;
  for (const runs::SampleRecord& record : run.samples) records[record.key] = record;
  return records;
}

TEST_F(Runner, EverySampleOfEveryCellAndModeIsRecorded) {
  const RunOutcome outcome = run(folder_.path());
  EXPECT_EQ(outcome.planned, 32);
  EXPECT_EQ(outcome.ran, 32);
  EXPECT_EQ(outcome.failed, 0);
  const runs::RunData data = runs::read_run(folder_.path());
  ASSERT_EQ(data.samples.size(), 32u);
  EXPECT_EQ(data.spec.planned_samples, 32);
  EXPECT_EQ(data.spec.planned.at({"ssa", "ruler/second", 256}), 4);
  EXPECT_EQ(data.spec.data_ids.size(), 4u);
  EXPECT_EQ(data.spec.categories.at("ruler/fake"), "testing");
  EXPECT_EQ(data.spec.settings.at("profile_ruler"), "ruler@official");
  const runs::SampleRecord& first = data.samples.front();
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
  for (const runs::SampleRecord& r : data.samples) sparse += r.mode == "ssa" ? *r.score : 0;
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
  EXPECT_EQ(runs::read_run(folder_.path()).spec.planned_samples, 36);
}

TEST_F(Runner, KeysDoNotDependOnFolderOrOrderOrBatch) {
  run(folder_ / "a");
  options_.modes = "ssa,fa";
  options_.tasks = "ruler/second,ruler/fake";
  options_.batch_size = 3;
  run(folder_ / "b");
  const auto a = by_key(runs::read_run(folder_ / "a")), b = by_key(runs::read_run(folder_ / "b"));
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [key, record] : a) {
    ASSERT_TRUE(b.contains(key));
    EXPECT_EQ(b.at(key).prediction, record.prediction);
    EXPECT_EQ(b.at(key).score, record.score);
    EXPECT_EQ(record.batch, 1);
    EXPECT_GT(b.at(key).batch, 1);
  }
}

// Two passes of 2 tokens: decode times add up, the second prompt stands apart.
TEST_F(Runner, ASecondPassIsNoDecodeTime) {
  change_ = [](FakeTask& task) { task.asks_twice_ = true; };
  options_.batch_size = 4;
  run(folder_.path());
  for (const runs::SampleRecord& record : runs::read_run(folder_.path()).samples) {
    EXPECT_EQ(record.passes, 2);
    EXPECT_EQ(record.output_tokens, 4);
    EXPECT_EQ(record.prefill_ms, 2.0);
    EXPECT_EQ(record.decode_ms, 3.0);
    EXPECT_EQ(record.later_prefill_ms, 2.5);
    EXPECT_EQ(record.batch, 1) << "passes of a sample run alone";
  }
}

TEST_F(Runner, ThePeakIsThatOfTheLargerPass) {
  change_ = [](FakeTask& task) { task.asks_twice_ = true; };
  for (const bool first_larger : {true, false}) {
    int asked = 0;
    engine_.after_ = [&](const engine::Request& request, engine::Result& result) {
      if (request.max_new_tokens == 2) return;  // the warm-up
      const bool first = asked++ % 2 == 0;
      result.peak_bytes = first == first_larger ? 5000 : 900;
      result.kv_bytes = first ? 1 : 2;
    };
    const std::filesystem::path folder = folder_ / (first_larger ? "first" : "second");
    run(folder);
    for (const runs::SampleRecord& record : runs::read_run(folder).samples) {
      EXPECT_EQ(record.peak_bytes, 5000);
      EXPECT_EQ(record.kv_bytes, 2) << "of the pass that answers";
    }
  }
}

// What the first sample of a mode would pay for alone: kernels loaded, memory taken.
TEST_F(Runner, EveryModeBeginsWithAShortRequestOfItsOwn) {
  options_.lengths = "512";
  run(folder_.path());
  std::vector<const engine::Request*> warm_ups;
  for (const engine::Request& request : engine_.requests_) {
    if (request.ignore_eos) warm_ups.push_back(&request);
  }
  ASSERT_EQ(warm_ups.size(), 2u) << "fa, ssa";
  EXPECT_TRUE(engine_.requests_.front().ignore_eos);
  for (const engine::Request* request : warm_ups) {
    EXPECT_EQ(request->ids.size(), 256u);
    EXPECT_EQ(request->max_new_tokens, 2);
  }
  engine_.requests_.clear();
  engine_.device_ = "cuda:0";
  options_.timing = true;
  run(folder_ / "gpu");
  EXPECT_TRUE(engine_.requests_.front().ignore_eos);
  EXPECT_EQ(engine_.requests_.front().ids.size(), 502u) << "the prompt where it is shorter";
  EXPECT_EQ(engine_.requests_.front().max_new_tokens, 32);
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
  EXPECT_EQ(runs::read_run(folder_.path()).samples.size(), 32u);
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
  for (const auto& [setting, value] : runs::read_run(folder_.path()).spec.settings) {
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
  EXPECT_EQ(runs::read_run(folder_.path()).samples.size(), 32u);
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
  const runs::RunData data = runs::read_run(folder_.path());
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "prompts")) {
    files += entry.is_regular_file();
  }
  EXPECT_EQ(files, 8u) << "2 lengths x 4 samples; tasks of this test share their text";
  EXPECT_EQ(runs::read_prompt(folder_.path(), data.samples[0].prompt_sha256), "text 7 0 128");
}

TEST_F(Runner, ASignalStopsBetweenTwoSamples) {
  const InterruptGuard guard("");
  engine_.before_ = [this](const engine::Request&) {
    if (asked() == 5) std::raise(SIGTERM);
  };
  const RunOutcome outcome = run(folder_.path());
  EXPECT_EQ(outcome.signal, SIGTERM);
  EXPECT_EQ(outcome.ran, 5) << "the sample in flight is finished and written";
  EXPECT_EQ(runs::read_run(folder_.path()).samples.size(), 5u);
}

}  // namespace
}  // namespace elastic::harness
