#include "tasks/ruler/ruler_task.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "engine/api/tokenizer.h"
#include "tasks/registry.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {
namespace {

const engine::Tokenizer& tokenizer() {
  static const engine::Tokenizer kTokenizer =
      engine::Tokenizer::load(elastic::testing::source_folder() / "models/demo");
  return kTokenizer;
}

LoadRequest request(const std::string& profile, std::int64_t length) {
  return {.profile = profile,
          .length = length,
          .limit = 3,
          .seed = 42,
          .model_template = "base",
          .data_dir = testing::fixture("ruler/data"),
          .cache_dir = {},
          .tokenizer = &tokenizer()};
}

TEST(ruler_task, every_task_is_registered_and_explains_itself) {
  EXPECT_EQ(resolve_tasks("ruler").size(), 13U);
  for (const std::string& name : resolve_tasks("ruler")) {
    const auto task = make_task(name);
    EXPECT_EQ(task->info().name, name);
    EXPECT_TRUE(task->info().has_lengths);
    EXPECT_FALSE(task->info().licence.empty());
    EXPECT_EQ(task->info().default_limit, 50);
  }
  EXPECT_EQ(resolve_tasks("ruler/vt, ruler,ruler/vt").front(), "ruler/vt");
  EXPECT_THROW(resolve_tasks("rulr"), Error);
  EXPECT_THROW(resolve_tasks(""), Error);
  EXPECT_THROW(make_task("ruler"), Error);
  EXPECT_EQ(find_suite("ruler", suites()).demo_profile, "ruler@builtin");
  EXPECT_EQ(find_suite("ruler", suites()).profile, "ruler@gen-b");
}

TEST(ruler_task, gold_answers_score_one_and_empty_ones_zero) {
  for (const std::string& name : resolve_tasks("ruler")) {
    const auto task = make_task(name);
    const std::vector<Sample> samples = task->load(request("ruler@builtin", 1024));
    EXPECT_EQ(samples.size(), 3U) << name;
    for (const Sample& sample : samples) {
      std::string gold;
      for (const std::string& reference : sample.references) gold += reference + " ";
      EXPECT_EQ(task->score(sample, gold), 1) << name;
      EXPECT_EQ(task->score(sample, ""), 0) << name;
    }
  }
}

TEST(ruler_task, prompt_is_input_and_answer_prefix_with_one_bos) {
  const auto task = make_task("ruler/niah_single_1");
  const std::vector<Sample> samples = task->load(request("ruler@builtin", 512));
  ASSERT_EQ(samples.size(), 3U);
  const Prompt prompt = task->prompt(samples[1], {.tokenizer = &tokenizer()});
  EXPECT_EQ(prompt.text, samples[1].input + samples[1].answer_prefix);
  EXPECT_TRUE(prompt.text.starts_with("Values are attached to names somewhere in this text."));
  EXPECT_TRUE(prompt.text.ends_with(" is"));
  EXPECT_EQ(prompt.ids, tokenizer().encode(prompt.text));
  EXPECT_EQ(prompt.max_new_tokens, 128);
  EXPECT_LE(static_cast<std::int64_t>(prompt.ids.size()) - 1 + 128, 512);
  EXPECT_EQ(samples[1].strata.count("needle_depth"), 1U);
  EXPECT_EQ(samples[1].strata.at("needles"), "1");
  EXPECT_EQ(samples[2].index, 2);
}

TEST(ruler_task, prompts_are_never_cut) {
  const auto task = make_task("ruler/vt");
  const std::vector<Sample> samples = task->load(request("ruler@builtin", 1024));
  EXPECT_THROW(task->prompt(samples[0], {.tokenizer = &tokenizer(), .max_length = 100}), Error);
}

TEST(ruler_task, examples_are_left_out_below_1k) {
  for (const char* name : {"ruler/vt", "ruler/cwe"}) {
    const auto task = make_task(name);
    const auto questions = [&](std::int64_t length) {
      const std::string text = task->load(request("ruler@builtin", length))[0].input;
      std::size_t count = 0;
      for (std::size_t at = text.find("Question:"); at != std::string::npos;
           at = text.find("Question:", at + 1)) {
        ++count;
      }
      return count;
    };
    EXPECT_EQ(questions(1000), 1U) << name;
    EXPECT_EQ(questions(1024), 2U) << name;
  }
}

TEST(ruler_task, identity_names_data_sources_and_licences) {
  const auto task = make_task("ruler/niah_single_2");
  const DataIdentity identity = task->identity(request("ruler@gen-b", 2048));
  EXPECT_EQ(identity.data_id.size(), 64U);
  EXPECT_EQ(identity.source_ids.at("ruler/PaulGrahamEssays.json").size(), 64U);
  EXPECT_FALSE(identity.licences.at("ruler/wonderwords-3.0.1/nounlist.txt").empty());
  EXPECT_NE(identity.data_id, task->identity(request("ruler@builtin", 2048)).data_id);
  for (const char* field : {"{context}", "{query}"}) {
    EXPECT_NE(identity.prompt_template.find(field), std::string::npos) << field;
  }
}

TEST(ruler_task, missing_data_and_templates_are_named) {
  const auto task = make_task("ruler/qa_1");
  LoadRequest wanted = request("ruler@gen-b", 1024);
  const testing::TemporaryFolder empty;
  wanted.data_dir = empty.path();
  try {
    task->load(wanted);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
  }
  wanted = request("ruler@gen-b", 1024);
  wanted.model_template = "checkpoint";
  EXPECT_THROW(task->load(wanted), Error);
  EXPECT_THROW(make_task("ruler/vt")->load(request("ruler@gen-c", 1024)), Error);
}

}  // namespace
}  // namespace elastic::tasks
