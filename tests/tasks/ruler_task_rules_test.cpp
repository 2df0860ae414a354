// What RULER's tasks say of themselves, of their samples and of their data, exactly.

#include <gtest/gtest.h>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "tasks/longbench/profile.h"
#include "tasks/registry.h"
#include "tasks/ruler/generate.h"
#include "tasks/training/file_mix.h"
#include "tests/tasks/training_documents.h"

namespace elastic::tasks {
namespace {

LoadRequest request(const std::string& profile, std::int64_t length, std::int64_t limit = 3) {
  return {.profile = profile,
          .length = length,
          .limit = limit,
          .data_dir = testing::fixture("ruler/data"),
          .cache_dir = {},
          .tokenizer = &demo_tokenizer()};
}

std::string refused(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(RulerTaskRules, TasksExplainThemselves) {
  std::string all = "\n";
  for (const std::string& name : resolve_tasks("ruler")) {
    const TaskInfo info = make_task(name)->info();
    all +=
        fmt::format("{} {} {} {} {} {} {} {} {}\n  {} | {}\n", info.name, info.suite, info.category,
                    info.metric, info.max_new_tokens, info.has_lengths, info.begins_answer,
                    info.default_limit, info.summary, fmt::join(info.data, " "), info.licence);
    EXPECT_EQ(info.paper,
              "RULER: What's the Real Context Size of Your Long-Context Language Models? "
              "(arXiv 2404.06654)");
  }
  EXPECT_EQ(all, R"(
ruler/niah_single_1 ruler retrieval string_match_all 128 true true 50 one needle, repeated noise; word -> number
  ruler/prompts-gen-a ruler/prompts-gen-b ruler/wonderwords-2.2.0 ruler/wonderwords-3.0.1 | Apache-2.0; MIT
ruler/niah_single_2 ruler retrieval string_match_all 128 true true 50 one needle in prose; word -> number
  ruler/prompts-gen-a ruler/prompts-gen-b ruler/wonderwords-2.2.0 ruler/wonderwords-3.0.1 ruler/essays ruler/punkt | Apache-2.0; MIT; no right to redistribute; none declared (NLTK data; NLTK is Apache-2.0)
ruler/niah_single_3 ruler retrieval string_match_all 128 true true 50 one needle in prose; word -> uuid
  ruler/prompts-gen-a ruler/prompts-gen-b ruler/wonderwords-2.2.0 ruler/wonderwords-3.0.1 ruler/essays ruler/punkt | Apache-2.0; MIT; no right to redistribute; none declared (NLTK data; NLTK is Apache-2.0)
ruler/niah_multikey_1 ruler retrieval string_match_all 128 true true 50 four needles in prose, one asked for
  ruler/prompts-gen-a ruler/prompts-gen-b ruler/wonderwords-2.2.0 ruler/wonderwords-3.0.1 ruler/essays ruler/punkt | Apache-2.0; MIT; no right to redistribute; none declared (NLTK data; NLTK is Apache-2.0)
ruler/niah_multikey_2 ruler retrieval string_match_all 128 true true 50 a needle in a haystack of needles; word -> number
  ruler/prompts-gen-a ruler/prompts-gen-b ruler/wonderwords-2.2.0 ruler/wonderwords-3.0.1 | Apache-2.0; MIT
ruler/niah_multikey_3 ruler retrieval string_match_all 128 true true 50 a needle in a haystack of needles; uuid -> uuid
  ruler/prompts-gen-a ruler/prompts-gen-b | Apache-2.0
ruler/niah_multivalue ruler retrieval string_match_all 128 true true 50 one key with four values in prose
  ruler/prompts-gen-a ruler/prompts-gen-b ruler/wonderwords-2.2.0 ruler/wonderwords-3.0.1 ruler/essays ruler/punkt | Apache-2.0; MIT; no right to redistribute; none declared (NLTK data; NLTK is Apache-2.0)
ruler/niah_multiquery ruler retrieval string_match_all 128 true true 50 four keys in prose, all asked for
  ruler/prompts-gen-a ruler/prompts-gen-b ruler/wonderwords-2.2.0 ruler/wonderwords-3.0.1 ruler/essays ruler/punkt | Apache-2.0; MIT; no right to redistribute; none declared (NLTK data; NLTK is Apache-2.0)
ruler/vt ruler tracing string_match_all 30 true true 50 the five variables of an assignment chain in noise
  ruler/prompts-gen-a ruler/prompts-gen-b | Apache-2.0
ruler/cwe ruler aggregation string_match_all 120 true true 50 the ten most common words of a list
  ruler/prompts-gen-a ruler/prompts-gen-b ruler/wonderwords-2.2.0 ruler/wonderwords-3.0.1 ruler/english-words | Apache-2.0; MIT; Unlicense (dwyl/english-words)
ruler/fwe ruler aggregation string_match_all 50 true true 50 the three most frequent words of a coded text
  ruler/prompts-gen-a ruler/prompts-gen-b | Apache-2.0
ruler/qa_1 ruler qa string_match_part 32 true true 50 SQuAD questions among distracting paragraphs
  ruler/prompts-gen-a ruler/prompts-gen-b ruler/squad | Apache-2.0; CC BY-SA 4.0
ruler/qa_2 ruler qa string_match_part 32 true true 50 HotpotQA questions among distracting paragraphs
  ruler/prompts-gen-a ruler/prompts-gen-b ruler/hotpotqa | Apache-2.0; CC BY-SA 4.0
)");
}

// Where the one answer stands, by the definition: tenths of the prompt, the nearest one.
std::string depth_of(const Sample& sample) {
  const std::size_t at = sample.input.find(sample.references.front());
  const double tenths = 10.0 * static_cast<double>(at) / static_cast<double>(sample.input.size());
  return std::to_string(10 * std::lround(tenths));
}

TEST(RulerTaskRules, NeedlesAndTheirDepthAreStrata) {
  std::string all = "\n";
  for (const std::string& name : resolve_tasks("ruler")) {
    std::string depths;
    for (const Sample& sample : make_task(name)->load(request("ruler@builtin", 1024, 12))) {
      std::string found;
      for (const auto& [key, value] : sample.strata) found += fmt::format(" {}={}", key, value);
      const bool one = sample.strata.count("needle_depth") > 0;
      if (one) {
        EXPECT_EQ(sample.strata.at("needle_depth"), depth_of(sample)) << name;
        found = replace_all(found, "depth=" + depth_of(sample), "depth=D");
      }
      depths = sample.index == 0 ? found : depths;
      EXPECT_EQ(found, depths) << name;
      EXPECT_EQ(sample.stop, (std::vector<std::string>{"\n"}));
    }
    all += name + depths + "\n";
  }
  EXPECT_EQ(all, R"(
ruler/niah_single_1 needle_depth=D needles=1
ruler/niah_single_2 needle_depth=D needles=1
ruler/niah_single_3 needle_depth=D needles=1
ruler/niah_multikey_1 needle_depth=D needles=4
ruler/niah_multikey_2 needle_depth=D needles=1
ruler/niah_multikey_3 needle_depth=D needles=1
ruler/niah_multivalue needles=4
ruler/niah_multiquery needles=4
ruler/vt
ruler/cwe
ruler/fwe
ruler/qa_1
ruler/qa_2
)");
  EXPECT_TRUE(make_task("ruler/vt")->load(request("ruler@gen-b", 1024, 1))[0].stop.empty());
}

TEST(RulerTaskRules, AllSamplesAreFiveHundred) {
  const auto task = make_task("ruler/niah_multikey_3");
  EXPECT_EQ(task->load(request("ruler@builtin", 400, 0)).size(), 500u);
}

TEST(RulerTaskRules, EveryRequestHasItsOwnSet) {
  const auto task = make_task("ruler/niah_single_1");
  const auto shown = [&](const LoadRequest& wanted) {
    std::string text = task->identity(wanted).data_id.substr(0, 8);
    for (const Sample& sample : task->load(wanted)) text += "|" + sample.input;
    return text;
  };
  std::vector<LoadRequest> requests(5, request("ruler@builtin", 512));
  requests[1].length = 600;
  requests[2].limit = 2;
  requests[3].seed = 43;
  requests[4].profile = "ruler@gen-b";
  std::set<std::string> different;
  for (const LoadRequest& wanted : requests) different.insert(shown(wanted));
  EXPECT_EQ(different.size(), requests.size());
  for (const LoadRequest& wanted : requests) EXPECT_TRUE(different.contains(shown(wanted)));
}

TEST(RulerTaskRules, PromptsFitOrAreRefused) {
  const auto task = make_task("ruler/niah_single_1");
  const Sample sample = task->load(request("ruler@builtin", 512))[1];
  const auto prompt = [&](std::int64_t most) {
    return task->prompt(sample, {.tokenizer = &demo_tokenizer(), .max_length = most});
  };
  const Prompt whole = prompt(0);
  EXPECT_EQ(whole.stop, sample.stop);
  EXPECT_EQ(whole.truncated_tokens, 0);
  const auto size = static_cast<std::int64_t>(whole.ids.size());
  EXPECT_EQ(prompt(size).ids, whole.ids);
  for (const std::int64_t most : {size - 1, std::int64_t{1}}) {
    EXPECT_EQ(refused([&] { prompt(most); }),
              fmt::format("ruler/niah_single_1 sample 1: the prompt has {} tokens, {} fit; RULER "
                          "prompts are never cut",
                          size, most));
  }
}

TEST(RulerTaskRules, QuestionsAskForOneReferenceTheOthersForAll) {
  for (const std::string& name : resolve_tasks("ruler")) {
    const double half = make_task(name)->score({.references = {"Aa", "Bb"}}, "\x01 an aA\n");
    EXPECT_EQ(half, name.starts_with("ruler/qa") ? 1 : .5) << name;
  }
}

TEST(RulerTaskRules, SourcesHaveLicences) {
  std::string all = "\n";
  for (const auto& [name, profile] : {std::pair("ruler/niah_single_2", "ruler@gen-b"),
                                      {"ruler/niah_single_2", "ruler@builtin"},
                                      {"ruler/qa_1", "ruler@gen-a"},
                                      {"ruler/qa_2", "ruler@builtin"},
                                      {"ruler/cwe", "ruler@gen-b"}}) {
    all += fmt::format("{} {}\n", name, profile);
    const DataIdentity identity = make_task(name)->identity(request(profile, 2048, 1));
    for (const auto& [file, hash] : identity.source_ids) {
      EXPECT_EQ(hash.size(), 64u);
      all += fmt::format("  {}: {}\n", file, identity.licences.at(file));
    }
    EXPECT_EQ(identity.licences.size(), identity.source_ids.size());
  }
  EXPECT_EQ(all, R"(
ruler/niah_single_2 ruler@gen-b
  ruler/PaulGrahamEssays.json: no right to redistribute
  ruler/prompts-gen-b.json: Apache-2.0
  ruler/punkt_tab_english/abbrev_types.txt: none declared (NLTK data; NLTK is Apache-2.0)
  ruler/punkt_tab_english/collocations.tab: none declared (NLTK data; NLTK is Apache-2.0)
  ruler/punkt_tab_english/ortho_context.tab: none declared (NLTK data; NLTK is Apache-2.0)
  ruler/punkt_tab_english/sent_starters.txt: none declared (NLTK data; NLTK is Apache-2.0)
  ruler/wonderwords-3.0.1/adjectivelist.txt: MIT
  ruler/wonderwords-3.0.1/nounlist.txt: MIT
ruler/niah_single_2 ruler@builtin
  builtin/prose: own
  ruler/wonderwords-3.0.1/adjectivelist.txt: MIT
  ruler/wonderwords-3.0.1/nounlist.txt: MIT
ruler/qa_1 ruler@gen-a
  ruler/prompts-gen-a.json: Apache-2.0
  ruler/squad_dev-v2.0_small.json: CC BY-SA 4.0
ruler/qa_2 ruler@builtin
  builtin/questions: own
ruler/cwe ruler@gen-b
  ruler/english_words.json: Unlicense (dwyl/english-words)
  ruler/prompts-gen-b.json: Apache-2.0
  ruler/wonderwords-3.0.1/adjectivelist.txt: MIT
  ruler/wonderwords-3.0.1/nounlist.txt: MIT
  ruler/wonderwords-3.0.1/verblist.txt: MIT
)");
}

// Essays longer than there are: gen-a takes all, gen-b begins again.
TEST(RulerTaskRules, EssaysEndOrBeginAgain) {
  std::string all;
  for (const char* name : {"ruler@gen-a", "ruler@gen-b"}) {
    const auto profile = make_ruler_profile(name, testing::fixture("ruler/data"), "");
    const GeneratedSet set = generate_ruler(
        {.task = "niah_single_2", .length = 24000, .count = 1, .counter = whitespace_counter()},
        *profile);
    all += fmt::format("{} {}\n", name, set.lines[0].size());
  }
  EXPECT_EQ(all, "ruler@gen-a 57882\nruler@gen-b 122517\n");
}

TEST(LongbenchBuiltinPrompts, StayWhatTheyAre) {
  std::string all = "\n";
  for (const auto& [set, prompt] : builtin_longbench_prompts()) {
    all += fmt::format("{} {}\n", set, sha256_hex(prompt).substr(0, 6));
  }
  EXPECT_EQ(all, R"(
2wikimqa 87d753
dureader e045fd
gov_report 869254
hotpotqa 87d753
lcc 53bf17
lsht 463867
multi_news 869254
multifieldqa_en 87d753
multifieldqa_zh e045fd
musique 87d753
narrativeqa 87d753
passage_count dfeeac
passage_retrieval_en 38fc0e
passage_retrieval_zh 513f23
qasper 87d753
qmsum 869254
repobench-p 53bf17
samsum 463867
trec 463867
triviaqa 463867
vcsum a3556f
)");
}

std::string shown_options(const std::string& more) {
  Json json = parse_json(more, "test");
  if (!json.contains("files")) json["files"] = {"a", "b"};
  try {
    ConfigKeys keys(json, "data");
    const FileOptions o = read_file_options(keys);
    std::string text =
        fmt::format("{} seed {} batch {} least {} text {} end {}", fmt::join(o.files, " "), o.seed,
                    o.tokens_per_batch, o.min_tokens, o.text, o.end);
    for (const auto& task : o.tasks)
      text += fmt::format(" | {} {}", task.name, task.target_sparsity);
    for (const auto& [task, w] : o.wrappings) text += fmt::format(" | {}", task);
    return replace_all(text, "\n", "/") + "\n";
  } catch (const Error& error) {
    return fmt::format("{} {}\n", static_cast<int>(error.kind()), error.what());
  }
}

TEST(TrainingFileOptions, AreReadToTheirBounds) {
  std::string all = "\n";
  for (const char* more :
       {"{}", R"({"seed": 0, "tokens_per_batch": 1, "min_tokens": 0, "end": ""})",
        R"({"tokens_per_batch": 16777216, "min_tokens": 16777216, "text": "{prompt}{answer}"})",
        R"({"text": "{answer}"})", R"({"text": "{answer}{prompt}"})", R"({"text": "{prompt}"})",
        R"({"targets": {"Code": 0, "Mine": 0.5}, "target_sensitive": 0, "target_robust": 0.25})",
        R"({"files": []})", R"({"files": 3})", R"({"seed": -1})", R"({"tokens_per_batch": 0})",
        R"({"tokens_per_batch": 16777217})", R"({"min_tokens": -1})", R"({"min_tokens": 16777217})",
        R"({"targets": {"Code": 1.5}})", R"({"target_sensitive": -0.5})",
        R"({"target_robust": 1.5})", R"({"file": 1})"}) {
    all += shown_options(more);
  }
  EXPECT_EQ(all, R"(
a b seed 1 batch 65536 least 0 text {prompt}/{answer} end </s> | Single QA 0.7 | MultiHop QA 0.7 | Summarization 1 | Code 1 | In-Context Learning 1 | Code | Summarization
a b seed 0 batch 1 least 0 text {prompt}/{answer} end  | Single QA 0.7 | MultiHop QA 0.7 | Summarization 1 | Code 1 | In-Context Learning 1 | Code | Summarization
a b seed 1 batch 16777216 least 16777216 text {prompt}{answer} end </s> | Single QA 0.7 | MultiHop QA 0.7 | Summarization 1 | Code 1 | In-Context Learning 1 | Code | Summarization
0 data: key `text` is "{answer}", expected a text with {prompt} and, behind it, {answer}
0 data: key `text` is "{answer}{prompt}", expected a text with {prompt} and, behind it, {answer}
0 data: key `text` is "{prompt}", expected a text with {prompt} and, behind it, {answer}
a b seed 1 batch 65536 least 0 text {prompt}/{answer} end </s> | Single QA 0 | MultiHop QA 0 | Summarization 0.25 | Code 0 | In-Context Learning 0.25 | Mine 0.5 | Code | Summarization
0 data: key `files` names no file
0 data: key `files` is 3, expected a list of strings
0 data: key `seed` is -1, expected a number of at least 0
0 data: key `tokens_per_batch` is 0, expected 1 to 16777216
0 data: key `tokens_per_batch` is 16777217, expected 1 to 16777216
0 data: key `min_tokens` is -1, expected 0 to 16777216
0 data: key `min_tokens` is 16777217, expected 0 to 16777216
0 data: key `targets` is {"Code":1.5}, expected 0 to 1
0 data: key `target_sensitive` is -0.5, expected 0 to 1
0 data: key `target_robust` is 1.5, expected 0 to 1
0 data: unknown key `file`; did you mean `files`? known: files, seed, tokens_per_batch, min_tokens, text, end, target_sensitive, target_robust, targets, data_dir, prompts
)");
}

// Lines with and without an end, an empty file: all are counted before they are read.
TEST(TrainingFileOptions, LinesAreCountedForTheOnlooker) {
  const testing::TemporaryFolder folder;
  const std::string row = R"({"context": "p", "question": "q", "answer": "w", "task": "Code"})";
  write_file_atomic(folder / "a", row + "\n" + row);
  write_file_atomic(folder / "b", "");
  write_file_atomic(folder / "c", row + "\n");
  FileOptions options;
  options.tasks = {{"Code", 1}};
  for (const char* name : {"a", "b", "c"}) options.files.push_back((folder / name).string());
  ::testing::internal::CaptureStderr();
  make_file_mix(options, demo_tokenizer());
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("lines of training data 3/3  99% of tokens"), std::string::npos) << said;
}

std::vector<std::int64_t> rooms_asked;

// As many tokens as there is room, and 30 more.
MixDocument overlong(const DocumentShape& shape, const MixSources&, MixRandom&) {
  rooms_asked.push_back(shape.room);
  MixDocument drawn;
  drawn.document.ids.assign(static_cast<std::size_t>(shape.room + 30), 1);
  return drawn;
}

TEST(TrainingDocuments, AreDrawnAgainWithLessRoomUntilTheyFit) {
  const Family family{.name = "mine", .draw = overlong};
  MixRandom random(1);
  const auto drawn = [&](std::int64_t length) {
    rooms_asked.clear();
    return draw_document(family, {.length = length, .room = length - 1}, sources(), random);
  };
  EXPECT_EQ(drawn(300).tokens(), 300);
  EXPECT_EQ(rooms_asked, (std::vector<std::int64_t>{299, 300, 294, 288, 282, 276, 270}));
  EXPECT_EQ(drawn(31).tokens(), 31);
  EXPECT_EQ(refused([&] { drawn(29); }),
            "family `mine`: no document fits into 29 tokens with this tokenizer; take the length "
            "out of `curriculum` or set the family's weight to 0");
  EXPECT_EQ(rooms_asked.size(), 50u);
  EXPECT_EQ(rooms_asked.back(), 1);
}

}  // namespace
}  // namespace elastic::tasks
