// Prompts of LongBench's tasks to the token: what is cut, what wraps it, how many BOS it has, and
// the account of all that.

#include "tasks/longbench/chat.h"

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "tasks/chat_wrapper.h"
#include "tasks/registry.h"
#include "tests/tasks/training_documents.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kText =
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen";

const engine::ChatTemplate& chat(bool with_bos) {
  static const engine::ChatTemplate kWith("{{ bos_token }}[INST] {{ messages[0].content }} [/INST]",
                                          "with", Json{{"bos_token", "<s>"}});
  static const engine::ChatTemplate kWithout(
      "User: {{ messages[0].content }}{% if enable_thinking %} think{% endif %}", "without",
      Json{});
  return with_bos ? kWith : kWithout;
}

std::string shown_prompt(const Prompt& prompt) {
  std::string text = fmt::format("{} ids, {} left out, {} to answer", prompt.ids.size(),
                                 prompt.truncated_tokens, prompt.max_new_tokens);
  if (prompt.min_new_tokens > 0) text += fmt::format(", at least {}", prompt.min_new_tokens);
  if (!prompt.stop_ids.empty()) text += fmt::format(", until {}", fmt::join(prompt.stop_ids, " "));
  if (prompt.second_pass) text += ", then again";
  for (const auto& [step, what] : prompt.steps) text += fmt::format("\n  {}: {}", step, what);
  return text + "\n  " + prompt.text + "\n";
}

std::string made(const LongbenchPrompt& request, const PromptContext& context) {
  try {
    return shown_prompt(make_longbench_prompt(request, context));
  } catch (const Error& error) {
    return fmt::format("refused: {}\n", error.what());
  }
}

LongbenchPrompt asked(CutRule cut, std::int64_t model_length = 0, bool wrap = true) {
  return {.text = kText,
          .task = "t",
          .wrap = wrap,
          .cut = cut,
          .budget = 8,
          .model_length = model_length};
}

PromptContext context(std::int64_t window, const engine::ChatTemplate* chat = nullptr) {
  return {.tokenizer = &demo_tokenizer(), .window = window, .chat = chat, .model = "m"};
}

TEST(LongbenchChat, WhatWasDoneIsTold) {
  std::string all = "\n";
  all += made(asked(CutRule::kExact), context(0));
  all += made(asked(CutRule::kExact), context(40, &chat(true)));
  all += made(asked(CutRule::kTwoParts), context(40, &chat(true)));
  all += made(asked(CutRule::kJoined, 17), context(0, &chat(false)));
  all += made(asked(CutRule::kTwoParts, 0, false), context(200, &chat(true)));
  EXPECT_EQ(all, R"(
29 ids, 0 left out, 8 to answer
  truncation: none needed (limit none)
  chat template: none: the checkpoint has none
  bos: 1 at the beginning, single
  one two three four five six seven eight nine ten eleven twelve thirteen fourteen
32 ids, 13 left out, 8 to answer
  truncation: middle, exact tokens: 13 tokens left out, limit 15
  chat template: with, sha256 512812300acf, 17 tokens
  bos: 1 at the beginning, single
  <s>[INST] one two three four twelve thirteen fourteen [/INST]
28 ids, 15 left out, 8 to answer
  truncation: middle, two parts decoded and encoded again: 15 tokens left out, limit 15
  chat template: with, sha256 512812300acf, 17 tokens
  bos: 1 at the beginning, single
  <s>[INST] one two three fwelve thirteen fourteen [/INST]
20 ids, 12 left out, 8 to answer
  truncation: middle, decoded at once and encoded again: 12 tokens left out, limit 17
  chat template: without, sha256 c93c0fddafa3, 5 tokens
  bos: 1 at the beginning, single
  User: one two three fourven twelve thirteen fourteen
29 ids, 0 left out, 8 to answer
  truncation: none needed (limit 192)
  chat template: none: this set is asked without one
  bos: 1 at the beginning, single
  one two three four five six seven eight nine ten eleven twelve thirteen fourteen
)");
  EXPECT_EQ(made(asked(CutRule::kExact, 16), context(0)), R"(16 ids, 13 left out, 8 to answer
  truncation: middle, exact tokens: 13 tokens left out, limit 16
  chat template: none: the checkpoint has none
  bos: 1 at the beginning, single
  one two three four twelve thirteen fourteen
)");
  PromptContext plain = context(33, &chat(true));
  plain.chat_template = false;
  plain.official_bos = true;
  plain.max_new_tokens = 3;
  EXPECT_EQ(made(asked(CutRule::kTwoParts), plain), R"(29 ids, 0 left out, 8 to answer
  truncation: none needed (limit 30)
  chat template: none: --no-chat-template
  bos: 1 at the beginning, as the official code has it
  one two three four five six seven eight nine ten eleven twelve thirteen fourteen
)");
}

TEST(LongbenchChat, NoRoomIsRefused) {
  const auto size =
      static_cast<std::int64_t>(engine::encode_single_bos(demo_tokenizer(), "<s>[INST] ").size() +
                                demo_tokenizer().encode(" [/INST]", false).size());
  EXPECT_EQ(made(asked(CutRule::kExact), context(size + 8, &chat(true))),
            "refused: t: the chat template and the answer budget of 8 tokens leave no room for a "
            "prompt\n");
  EXPECT_EQ(made(asked(CutRule::kExact), context(1)),
            "refused: t: the chat template and the answer budget of 8 tokens leave no room for a "
            "prompt\n");
  EXPECT_TRUE(made(asked(CutRule::kExact), context(size + 9, &chat(true)))
                  .starts_with(fmt::format("{} ids", size + 1)));
  PromptContext exact = context(0, &chat(true));
  exact.exact_length = true;
  exact.max_length = size;
  EXPECT_EQ(
      made(asked(CutRule::kExact), exact),
      fmt::format(
          "refused: t: a length of {0} tokens leaves nothing beside the chat template's {0}\n",
          size));
  exact.max_length = size + 1;
  EXPECT_TRUE(made(asked(CutRule::kExact), exact).starts_with(fmt::format("{} ids", size + 1)));
  for (const char* model : {"org/Name-Instruct", "some-chat-7b"}) {
    PromptContext tuned = context(0);
    tuned.model = model;
    EXPECT_EQ(made(asked(CutRule::kExact), tuned),
              fmt::format(
                  "refused: t: the model {} is called instruction-tuned and has no chat template; "
                  "copy its tokenizer_config.json or chat_template.jinja, or give "
                  "--no-chat-template\n",
                  model));
    tuned.chat_template = false;
    EXPECT_FALSE(made(asked(CutRule::kExact), tuned).starts_with("refused"));
  }
}

// Every rule with every limit, as one hash: whoever changes a prompt on purpose writes the new one.
TEST(LongbenchChat, PromptsStayWhatTheyAre) {
  std::string all;
  for (const CutRule cut : {CutRule::kTwoParts, CutRule::kJoined, CutRule::kExact}) {
    for (const std::int64_t window : {0, 20, 26, 27, 28, 29, 30, 31, 45, 60, 200}) {
      for (const std::int64_t model_length : {0, 1, 15, 16, 90}) {
        for (const std::int64_t length : {0, 14, 21, 80}) {
          for (const auto* const wrapper :
               {static_cast<const engine::ChatTemplate*>(nullptr), &chat(true), &chat(false)}) {
            PromptContext given = context(window, wrapper);
            given.exact_length = length > 0;
            given.max_length = length;
            given.official_bos = (window + length) % 3 == 0;
            given.thinking = window > 28;
            if (window == 45) given.max_new_tokens = 5;
            all += made(asked(cut, model_length, window != 60), given);
          }
        }
      }
    }
  }
  EXPECT_EQ(sha256_hex(all).substr(0, 16), "3438ebf941ff9f1f");
}

TEST(LongbenchChat, ATemplateMustPrintTheMessage) {
  const engine::ChatTemplate silent("User", "silent", Json{});
  try {
    chat_wrapper(silent, std::nullopt);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "silent: the template does not print the user's message as it is");
  }
  const ChatWrapper wrapper = chat_wrapper(chat(true), std::nullopt);
  EXPECT_EQ(wrapper.before, "<s>[INST] ");
  EXPECT_EQ(wrapper.after, " [/INST]");
}

class LongbenchPrompts : public ::testing::Test {
 protected:
  void write(const fs::path& name, const std::string& bytes) const {
    create_folders((folder_.path() / name).parent_path());
    write_file_atomic(folder_.path() / name, bytes);
  }
  std::string prompt_of(const std::string& task, const std::string& profile,
                        const PromptContext& given) {
    const auto made = make_task(task);
    const std::vector<Sample> samples = made->load({.profile = profile,
                                                    .data_dir = folder_.path(),
                                                    .cache_dir = {},
                                                    .tokenizer = &demo_tokenizer()});
    PromptContext context = given;
    context.profile = profile;
    std::string text = shown_prompt(made->prompt(samples.back(), context));
    if (const auto again = made->follow_up(samples.back(), context, " so it is "))
      text += shown_prompt(*again);
    const DataIdentity identity = made->identity({.profile = profile, .data_dir = folder_.path()});
    EXPECT_FALSE(identity.prompt_template.empty()) << profile;
    template_ = identity.prompt_template;
    for (const auto& [name, hash] : identity.source_ids) {
      text += fmt::format("{} {} {}\n", name, hash.substr(0, 8), identity.licences.at(name));
    }
    for (const auto& [name, value] : samples.back().strata)
      text += fmt::format("{}={} ", name, value);
    return text;
  }

  const testing::TemporaryFolder folder_;
  std::string template_;  // of the last prompt
};

TEST_F(LongbenchPrompts, OfTheFirstVersion) {
  const std::string row = R"({"input": "in", "context": "ctx", "answers": ["a"], "length": 8000})";
  write("longbench/rows/samsum.jsonl", row);
  write("longbench/rows/qasper_e.jsonl", row);
  EXPECT_EQ(prompt_of("longbench/samsum", "longbench@builtin", context(0)),
            R"(6 ids, 0 left out, 128 to answer, at least 1, until 3
  prompt: our own words (longbench@builtin)
  truncation: none needed (limit none)
  chat template: none: this set is asked without one
  bos: 1 at the beginning, single
  stop: token 3 (line feed), after one token at least
  scored: the answer's first line
  ctx
in
longbench/rows/samsum.jsonl 9d40735f none declared (mixed sources)
document=0230c6b1d833 language=en length=8k+ )");
  for (const char* name : {"dataset2prompt", "dataset2maxlen", "model2maxlen"}) {
    write(fmt::format("longbench_config/v1/{}.json", name), "{}");
  }
  EXPECT_THROW(prompt_of("longbench_e/qasper", "longbench-e-exact", context(0)), Error);
  write("longbench_config/v1/dataset2prompt.json", R"({"qasper": "{context}: {input} {context}"})");
  write("longbench_config/v1/dataset2maxlen.json", R"({"qasper": 77})");
  write("longbench_config/v1/model2maxlen.json", R"({"m": 6})");
  EXPECT_EQ(prompt_of("longbench_e/qasper", "longbench-e-official", context(0)),
            R"(5 ids, 3 left out, 77 to answer
  prompt: dataset2prompt.json
  truncation: middle, two parts decoded and encoded again: 3 tokens left out, limit 6
  chat template: none: the checkpoint has none
  bos: 1 at the beginning, single
  scored: the answer
  ctctx
longbench/rows/qasper_e.jsonl 9d40735f none declared (mixed sources)
longbench_config/v1/dataset2maxlen.json df06ad5b MIT
longbench_config/v1/dataset2prompt.json 0a4aa354 MIT
longbench_config/v1/model2maxlen.json 30c64cda MIT
document=0230c6b1d833 language=en length=8k+ )");
  EXPECT_EQ(template_, "{context}: {input} {context}");
}

TEST_F(LongbenchPrompts, OfTheSecondVersion) {
  write("longbench_v2/data.json",
        R"([{"_id": "1", "domain": "d", "sub_domain": "s", "difficulty": "easy", "length": "short",
             "question": " q ", "choice_A": "a", "choice_B": "b", "choice_C": "c", "choice_D": "d",
             "answer": "A", "context": " ctx "}])");
  EXPECT_EQ(prompt_of("longbench_v2", "longbench-v2@builtin", context(0)),
            R"(76 ids, 0 left out, 128 to answer
  prompt: our own words (longbench-v2@builtin)
  truncation: none needed (limit none)
  chat template: none: the checkpoint has none
  bos: 1 at the beginning, single
  Here is a text.

ctx

Question: q
A: a
B: b
C: c
D: d

One choice is right. Answer with the sentence: The correct answer is (X), with its letter for X.
Answer:
longbench_v2/data.json f04576ab Apache-2.0
difficulty=easy document=33d2908f1fb8 domain=d length=short sub_domain=s )");
  write("longbench_config/v2/model2maxlen.json", R"({"m": 9})");
  write("longbench_config/v2/prompts/0shot.txt", "$DOC$|$Q$|$C_A$|$C_D$");
  write("longbench_config/v2/prompts/0shot_cot.txt", "$DOC$|$Q$|$C_B$ think");
  write("longbench_config/v2/prompts/0shot_cot_ans.txt", "$DOC$|$Q$|$COT$");
  write("longbench_config/v2/prompts/0shot_no_context.txt", "$DOC$|$Q$|$C_C$");
  EXPECT_EQ(prompt_of("longbench_v2", "longbench-v2-official", context(137)),
            R"(9 ids, 1 left out, 128 to answer
  prompt: longbench-v2-official
  truncation: middle, decoded at once and encoded again: 1 tokens left out, limit 9
  chat template: none: the checkpoint has none
  bos: 1 at the beginning, single
  ctxq|a|d
longbench_config/v2/model2maxlen.json 4dc2ef61 MIT
longbench_config/v2/prompts/0shot.txt d5842736 MIT
longbench_v2/data.json f04576ab Apache-2.0
difficulty=easy document=33d2908f1fb8 domain=d length=short sub_domain=s )");
  EXPECT_EQ(prompt_of("longbench_v2", "longbench-v2-official", context(136)),
            R"(8 ids, 2 left out, 128 to answer
  prompt: longbench-v2-official
  truncation: middle, decoded at once and encoded again: 2 tokens left out, limit 8
  chat template: none: the checkpoint has none
  bos: 1 at the beginning, single
  ctx|a|d
longbench_config/v2/model2maxlen.json 4dc2ef61 MIT
longbench_config/v2/prompts/0shot.txt d5842736 MIT
longbench_v2/data.json f04576ab Apache-2.0
difficulty=easy document=33d2908f1fb8 domain=d length=short sub_domain=s )");
  EXPECT_EQ(prompt_of("longbench_v2", "longbench-v2-cot", context(0)),
            R"(9 ids, 0 left out, 1024 to answer, then again
  prompt: longbench-v2-cot
  truncation: none needed (limit 9)
  chat template: none: the checkpoint has none
  bos: 1 at the beginning, single
  second pass: the answer, after the reasoning
  ctx|q|b think
9 ids, 1 left out, 128 to answer
  truncation: middle, decoded at once and encoded again: 1 tokens left out, limit 9
  chat template: none: the checkpoint has none
  bos: 1 at the beginning, single
  ctxq|so it is
longbench_config/v2/model2maxlen.json 4dc2ef61 MIT
longbench_config/v2/prompts/0shot_cot.txt 8f6e459f MIT
longbench_config/v2/prompts/0shot_cot_ans.txt 6250ec17 MIT
longbench_v2/data.json f04576ab Apache-2.0
difficulty=easy document=33d2908f1fb8 domain=d length=short sub_domain=s )");
  EXPECT_EQ(prompt_of("longbench_v2", "longbench-v2-no-context", context(0)),
            R"(6 ids, 0 left out, 128 to answer
  prompt: longbench-v2-no-context
  truncation: none needed (limit 9)
  chat template: none: the checkpoint has none
  bos: 1 at the beginning, single
  |q|c
longbench_config/v2/model2maxlen.json 4dc2ef61 MIT
longbench_config/v2/prompts/0shot_no_context.txt 972cf231 MIT
longbench_v2/data.json f04576ab Apache-2.0
difficulty=easy document=33d2908f1fb8 domain=d length=short sub_domain=s )");
}

}  // namespace
}  // namespace elastic::tasks
