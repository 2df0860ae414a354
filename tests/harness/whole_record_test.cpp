// One sample from its prompt to its record, every field with a value of its own.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "harness/run/sample_run.h"
#include "runs/record_json.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/folders.h"

namespace elastic::harness {
namespace {

// A task that answers as its members say and keeps what it was asked.
class ScriptedTask : public tasks::Task {
 public:
  ScriptedTask() {
    info_.name = "suite/name";
    info_.suite = "suite";
    info_.metric = "f1";
    info_.max_new_tokens = 10;
  }
  const tasks::TaskInfo& info() const override { return info_; }
  std::vector<tasks::Sample> load(const tasks::LoadRequest&) const override { return {}; }
  tasks::Prompt prompt(const tasks::Sample&, const tasks::PromptContext& context) const override {
    context_ = context;
    return prompt_;
  }
  std::optional<tasks::Prompt> follow_up(const tasks::Sample&, const tasks::PromptContext&,
                                         std::string_view reply) const override {
    reply_ = reply;
    return second_;
  }
  double score(const tasks::Sample&, std::string_view prediction) const override {
    return prediction == "second" ? 0.75 : 0.5;
  }

  tasks::TaskInfo info_;
  tasks::Prompt prompt_;
  std::optional<tasks::Prompt> second_;
  mutable tasks::PromptContext context_;
  mutable std::string reply_;
};

class WholeRecord : public ::testing::Test {
 protected:
  WholeRecord() {
    auto task = std::make_unique<ScriptedTask>();
    task_ = task.get();
    planned_.task = std::move(task);
    planned_.profile = "suite@x";
    cell_.task = &planned_;
    task_->prompt_.text = "the prompt";
    task_->prompt_.ids = {4, 5, 6};
    task_->prompt_.truncated_tokens = 7;
    task_->prompt_.max_new_tokens = 8;
    task_->prompt_.stop = {"\n"};
    task_->prompt_.stop_ids = {9};
    task_->prompt_.min_new_tokens = 2;
    sample_.index = 3;
    sample_.references = {"x", "y"};
    sample_.labels = {"l"};
    sample_.strata = {{"document", "d"}};
    options_.seed = 11;
    engine_.after_ = [this](const engine::Request&, engine::Result& result) {
      const double base = 100.0 * static_cast<double>(engine_.requests_.size() - 1);
      result.text = engine_.requests_.size() == 1 ? "first" : "second";
      result.trace.esr = {0.125, 0.25, 0.5};
      result.trace.block_density = 0.375;
      result.trace.pv_density = 0.625;
      result.trace.read_share = 0.875;
      result.trace.fallback_share = 0.125;
      result.timing = {base + 1, base + 2, base + 3, base + 4, base + 5, base + 6};
      result.peak_bytes = 2000;
      result.kv_bytes = 30;
      result.kv_bytes_full = 40 * std::ssize(engine_.requests_);
      if (std::ssize(engine_.requests_) <= passes_with_energy_) result.joules = base + 7;
    };
  }

  PreparedPrompt prepared(std::int64_t window = 100) {
    return prepare_prompt({.cell = cell_,
                           .sample = sample_,
                           .options = options_,
                           .window = window,
                           .tokenizer = tokenizer_,
                           .model = "the model"});
  }

  runs::SampleRecord record() {
    SampleRun run{.cell = &cell_,
                  .sample = &sample_,
                  .prompt = std::make_shared<PreparedPrompt>(prepared()),
                  .record = {}};
    if (!begin_sample(run, engine_)) return run.record;
    if (!takes_one_request(run, options_)) {
      run_passes(engine_, options_, run);
      return run.record;
    }
    try {
      finish_sample(run, engine_.generate(request_of(run, options_)));
    } catch (...) {
      finish_sample(run, std::current_exception());
    }
    return run.record;
  }

  const engine::Tokenizer* tokenizer_ = nullptr;
  ScriptedTask* task_ = nullptr;
  PlannedTask planned_;
  PreparedCell cell_;
  tasks::Sample sample_;
  RunOptions options_;
  std::ptrdiff_t passes_with_energy_ = 0;
  testing::FakeGenerator engine_;
};

TEST_F(WholeRecord, OfOnePass) {
  cell_.length = 12;
  const runs::SampleRecord r = record();
  EXPECT_FALSE(r.later_prefill_ms);
  const Json json = parse_json(runs::record_line(r), "record");
  EXPECT_EQ(
      json.dump(),
      fmt::format(
          R"({{"key":"","model":"fake","mode":"","task":"suite/name","length":12,"index":3,)"
          R"("prompt_sha256":"{}","ids_sha256":"{}","prompt_tokens":3,"truncated_tokens":7,)"
          R"("prediction":"first","references":["x","y"],"metric":"f1","score":0.5,)"
          R"("outcome":"ok","error":null,"msr":0.25,)"
          R"("esr":{{"last_query":0.125,"last_layer":0.25,"all_layers":0.5}},)"
          R"("block_density":0.375,"pv_density":0.625,"read_share":0.875,"fallback_share":0.125,"routing":["01","00"],)"
          R"("prefill_ms":1.0,"router_ms":2.0,)"
          R"("select_ms":3.0,"attention_ms":4.0,"ttft_ms":5.0,"decode_ms":6.0,"output_tokens":2,)"
          R"("peak_bytes":2000,"kv_bytes":30,"kv_bytes_full":40,"joules":null,"batch":1,"all_classes":["l"],)"
          R"("strata":{{"document":"d"}}}})",
          sha256_hex("the prompt"), sha256_ids(std::vector<std::int32_t>{4, 5, 6})));
  ASSERT_EQ(engine_.requests_.size(), 1u);
  const engine::Request& request = engine_.requests_[0];
  EXPECT_EQ(request.ids, (std::vector<std::int32_t>{4, 5, 6}));
  EXPECT_EQ(request.max_new_tokens, 8);
  EXPECT_EQ(request.sampling.seed, 11u);
  EXPECT_EQ(request.stop, std::vector<std::string>{"\n"});
  EXPECT_EQ(request.stop_ids, std::vector<std::int32_t>{9});
  EXPECT_EQ(request.min_new_tokens, 2);
  EXPECT_FALSE(request.ignore_eos);
}

TEST_F(WholeRecord, OfTwoPasses) {
  task_->prompt_.second_pass = true;
  task_->second_ = task_->prompt_;
  task_->second_->ids = {21, 22};
  task_->second_->max_new_tokens = 5;
  const runs::SampleRecord r = record();
  EXPECT_EQ(task_->reply_, "first");
  EXPECT_EQ(r.prediction, "second");
  EXPECT_EQ(r.score, 0.75);
  EXPECT_EQ(r.passes, 2);
  EXPECT_EQ(r.output_tokens, 4);
  EXPECT_EQ(r.prefill_ms, 1.0);
  EXPECT_EQ(r.ttft_ms, 5.0);
  EXPECT_EQ(r.decode_ms, 6.0 + 106.0);
  EXPECT_EQ(r.later_prefill_ms, 105.0);
  EXPECT_EQ(r.kv_bytes_full, 80);
  ASSERT_EQ(engine_.requests_.size(), 2u);
  EXPECT_EQ(engine_.requests_[1].ids, (std::vector<std::int32_t>{21, 22}));
  EXPECT_EQ(engine_.requests_[1].max_new_tokens, 5);
}

TEST_F(WholeRecord, EnergyIsThatOfAllPassesOrOfNone) {
  passes_with_energy_ = 1;
  EXPECT_EQ(record().joules, 7);
  task_->prompt_.second_pass = true;
  task_->second_ = task_->prompt_;
  for (const auto& [counted, joules] :
       {std::pair(2, std::optional(7 + 107.0)), {1, std::nullopt}, {0, std::nullopt}}) {
    engine_.requests_.clear();
    passes_with_energy_ = counted;
    EXPECT_EQ(record().joules, joules) << counted;
  }
}

TEST_F(WholeRecord, BytesThatAreNotKnownAreLeftOut) {
  engine_.after_ = [](const engine::Request&, engine::Result& result) {
    result.peak_bytes = 0;
    result.kv_bytes_full = 0;
  };
  runs::SampleRecord r = record();
  EXPECT_FALSE(r.peak_bytes || r.kv_bytes || r.kv_bytes_full);
  engine_.after_ = [](const engine::Request&, engine::Result& result) {
    result.peak_bytes = 1;
    result.kv_bytes = 0;
    result.kv_bytes_full = 1;
  };
  r = record();
  EXPECT_EQ(r.peak_bytes, 1);
  EXPECT_EQ(r.kv_bytes, 0);
  EXPECT_EQ(r.kv_bytes_full, 1);
}

// Whatever an engine throws, but for a device that is lost.
TEST_F(WholeRecord, OfFailures) {
  const struct {
    std::function<void()> fault;
    const char *outcome, *error;
  } cases[] = {
      {[] { throw Error(ErrorKind::kOutOfMemory, "full"); }, "oom", "full"},
      {[] { throw Error(ErrorKind::kNonFinite, "nan"); }, "nonfinite", "nan"},
      {[] { throw Error(ErrorKind::kCorrupt, "bad"); }, "error", "bad"},
      {[] { throw std::bad_alloc(); }, "oom", "out of memory on a prompt of 3 tokens"},
      {[] { throw std::runtime_error("odd"); }, "error", "odd"},
  };
  for (const auto& c : cases) {
    engine_.before_ = [&](const engine::Request&) { c.fault(); };
    engine_.requests_.clear();
    const runs::SampleRecord r = record();
    EXPECT_EQ(engine_.requests_.size(), 1u) << "asked once";
    EXPECT_STREQ(runs::to_string(r.outcome), c.outcome);
    EXPECT_EQ(r.error, c.error);
    EXPECT_EQ(r.task, "suite/name");
    EXPECT_FALSE(r.score);
  }
  engine_.before_ = [](const engine::Request&) { throw Error(ErrorKind::kDevice, "gone"); };
  EXPECT_THROW(record(), Error);
}

TEST_F(WholeRecord, TheTaskIsToldAllThatShapesAPrompt) {
  prepared();
  const tasks::PromptContext plain = task_->context_;
  EXPECT_EQ(plain.max_length, 90) << "the window without the answer";
  EXPECT_FALSE(plain.exact_length);
  EXPECT_EQ(plain.window, 100);
  EXPECT_FALSE(plain.max_new_tokens);
  EXPECT_TRUE(plain.chat_template);
  EXPECT_FALSE(plain.thinking);
  EXPECT_FALSE(plain.official_bos);
  EXPECT_EQ(plain.profile, "suite@x");
  EXPECT_EQ(plain.model, "the model");
  options_.max_new_tokens = 3;
  options_.chat_template = false;
  options_.thinking = "on";
  options_.thinking_tokens = 40;
  options_.bos = "official";
  prepared();
  const tasks::PromptContext told = task_->context_;
  EXPECT_EQ(told.max_length, 97);
  EXPECT_EQ(told.window, 60);
  EXPECT_EQ(told.max_new_tokens, 3);
  EXPECT_FALSE(told.chat_template);
  EXPECT_EQ(told.thinking, true);
  EXPECT_TRUE(told.official_bos);
  options_.thinking = "off";
  prepared();
  EXPECT_EQ(task_->context_.thinking, false);
  EXPECT_EQ(task_->context_.window, 100);
  options_.thinking = "on";
  options_.thinking_tokens.reset();
  prepared();
  EXPECT_EQ(task_->context_.window, 1) << "at least one of 100 - 1024";
  prepared(2000);
  EXPECT_EQ(task_->context_.window, 2000 - 1024);
}

TEST_F(WholeRecord, OfficialBosIsAStratum) {
  options_.bos = "official";
  EXPECT_EQ(record().strata,
            (std::map<std::string, std::string>{{"bos", "official"}, {"document", "d"}}));
}

// 3 tokens of the prompt and the answer: 8 of the prompt's own or what the user gives.
TEST_F(WholeRecord, PromptAndAnswerFitTheWindowExactly) {
  EXPECT_FALSE(prepared(11).error);
  EXPECT_EQ(prepared(10).error,
            "prompt of 3 tokens and answer budget of 8 exceed the model's window of 10");
  options_.max_new_tokens = 20;
  EXPECT_FALSE(prepared(23).error);
  EXPECT_TRUE(prepared(22).error);
  options_.thinking = "on";
  options_.thinking_tokens = 5;
  EXPECT_FALSE(prepared(28).error);
  EXPECT_TRUE(prepared(27).error);
}

// Prompt and official budget, 3 + 10 tokens, of the length stated: 95 % are enough.
TEST_F(WholeRecord, ShortIsBelowNinetyFivePercent) {
  task_->prompt_.ids.assign(85, 4);
  for (const auto& [length, is_short] : std::vector<std::pair<std::int64_t, bool>>{
           {0, false}, {95, false}, {100, false}, {101, true}}) {
    cell_.length = length;
    const PreparedPrompt prompt = prepared(1000);
    EXPECT_EQ(prompt.achieved_tokens, 95);
    EXPECT_EQ(prompt.too_short, is_short) << length;
    EXPECT_FALSE(prompt.error);
  }
  options_.strict = true;
  EXPECT_EQ(prepared(1000).error, "--strict: 95 tokens of the stated length 101 are below 95 %");
  cell_.length = 100;
  EXPECT_FALSE(prepared(1000).error);
}

// A BOS is no token of the stated length, nor of the window;
// two of them are a fault of the template.
TEST_F(WholeRecord, OneBosIsNotCounted) {
  const auto tokenizer = engine::Tokenizer::load(testing::source_folder() / "models/demo");
  tokenizer_ = &tokenizer;
  const std::int32_t bos = tokenizer.bos_id().value();
  task_->prompt_.ids = {bos, 40, 41};
  EXPECT_FALSE(prepared(10).error);
  EXPECT_EQ(prepared(10).achieved_tokens, 2 + 10);
  task_->prompt_.ids = {40, bos, 41};
  EXPECT_TRUE(prepared(10).error);
  EXPECT_EQ(prepared(11).achieved_tokens, 3 + 10);
  task_->prompt_.ids = {};
  EXPECT_EQ(prepared(11).achieved_tokens, 10);
  task_->prompt_.ids = {bos};
  EXPECT_EQ(prepared(11).achieved_tokens, 10);
  task_->prompt_.ids = {bos, bos};
  options_.model_template = "t";
  try {
    prepared();
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(),
              fmt::format("suite/name, sample 3: the prompt begins with two BOS tokens (id {}): "
                          "the model template `t` writes one and the tokenizer adds another; "
                          "choose a template without it",
                          bos));
  }
  options_.bos = "official";
  EXPECT_FALSE(prepared().error) << "the official prompt has two";
  options_.bos = "single";
  task_->prompt_.ids = {bos, 40};
  EXPECT_FALSE(prepared().error);
}

// A thought within its own budget, then the answer within the task's, each with its end tokens.
TEST_F(WholeRecord, OfAThoughtAndItsAnswer) {
  options_.thinking = "on";
  options_.thinking_tokens = 50;
  engine_.after_ = [this](const engine::Request&, engine::Result& result) {
    const bool first = engine_.requests_.size() == 1;
    result.ids = first ? std::vector<std::int32_t>{30, 31} : std::vector<std::int32_t>{32};
    result.text = first ? "<think>a" : " b</think> second ";
    result.finish = first ? engine::Finish::kStop : engine::Finish::kLength;
    result.timing = {1, 0, 0, 0, 20, 3};
  };
  runs::SampleRecord r = record();
  EXPECT_EQ(r.prediction, "second");
  EXPECT_EQ(r.passes, 2);
  EXPECT_EQ(r.output_tokens, 3);
  EXPECT_EQ(r.later_prefill_ms, 20.0);
  ASSERT_EQ(engine_.requests_.size(), 2u);
  EXPECT_EQ(engine_.requests_[0].max_new_tokens, 50);
  EXPECT_EQ(engine_.requests_[0].stop, std::vector<std::string>{"</think>"});
  EXPECT_TRUE(engine_.requests_[0].stop_ids.empty());
  EXPECT_EQ(engine_.requests_[1].max_new_tokens, 8);
  EXPECT_EQ(engine_.requests_[1].stop, std::vector<std::string>{"\n"});
  EXPECT_EQ(engine_.requests_[1].stop_ids, std::vector<std::int32_t>{9});
  EXPECT_EQ(engine_.requests_[1].ids, (std::vector<std::int32_t>{4, 5, 6, 30, 31}));
  // An end within a thought is no answer, an end without one is.
  for (const auto& [text, outcome] : std::vector<std::pair<const char*, const char*>>{
           {"<think>a", "thinking"}, {"answer", "ok"}}) {
    engine_.requests_.clear();
    engine_.after_ = [text = text](const engine::Request&, engine::Result& result) {
      result.text = text;
      result.finish = engine::Finish::kEos;
    };
    r = record();
    EXPECT_STREQ(runs::to_string(r.outcome), outcome);
    EXPECT_EQ(engine_.requests_.size(), 1u);
  }
}

}  // namespace
}  // namespace elastic::harness
