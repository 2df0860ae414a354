// Settings of training text and what is made of them, exactly: defaults, the table of families,
// packs of files, lines for a tokenizer.

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "datasets/word_lists.h"
#include "tasks/training/file_mix.h"
#include "tasks/training/synthetic_mix.h"
#include "tasks/training/tokenizer_text.h"
#include "tests/tasks/training_documents.h"

namespace elastic::tasks {
namespace {

std::string shown_options(const std::string& more) {
  Json json = config(more);
  json.erase("kind");
  ConfigKeys keys(json, "data");
  const SyntheticOptions o = read_synthetic_options(keys);
  std::string text =
      fmt::format("\nseed {} batch {} questions {} shares {} {} {} fill {} {}\n", o.seed,
                  o.tokens_per_batch, o.max_questions, o.builtin_share, o.random_template_share,
                  o.absent_share, o.fill.least, o.fill.most);
  text +=
      fmt::format("weights {}\ntargets {}\n", fmt::join(o.weights, " "), fmt::join(o.targets, " "));
  for (const LengthStage& stage : o.curriculum) {
    text += fmt::format("until {}: {} by {}\n", stage.until, fmt::join(stage.lengths, " "),
                        fmt::join(stage.weights, " "));
  }
  return text;
}

TEST(TrainingRules, DefaultsAreTheDocumentedOnes) {
  EXPECT_EQ(shown_options("{}"), R"(
seed 1 batch 65536 questions 16 shares 0.5 0.45 0.15 fill 0.35 0.97
weights 1 3 4 3 2 3 3 1 1.5 0.5
targets 0.7 0.7 0.7 0.7 0.7 0.7 0.7 1 1 1
until 0.1: 256 by 1
until 0.2: 256 512 by 0.3 0.7
until 0.35: 512 1024 by 0.4 0.6
until 0.55: 512 1024 2048 by 0.2 0.3 0.5
until 0.85: 512 1024 2048 4096 by 0.1 0.2 0.3 0.4
until 1: 1024 2048 4096 8192 by 0.15 0.2 0.4 0.25
)");
  EXPECT_EQ(shown_options(
                R"({"seed": 0, "tokens_per_batch": 128, "max_questions": 1024, "fill": [0.5, 0.5],
      "curriculum": [{"until": 0, "lengths": [128]}, {"lengths": [128, 128], "weights": [0, 2]}],
      "weights": {"vt": 0}, "targets": {"vt": 1, "common": 0}, "target_robust": 0.9})"),
            R"(
seed 0 batch 128 questions 1024 shares 0.5 0.45 0.15 fill 0.5 0.5
weights 1 3 4 3 2 3 0 1 1.5 0.5
targets 0.7 0.7 0.7 0.7 0.7 0.7 1 0.9 0.9 0
until 0: 128 by 1
until 1: 128 128 by 0 2
)");
}

TEST(TrainingRules, SettingsEndAtTheirBounds) {
  std::string all = "\n";
  for (const char* bad :
       {R"({"tokens_per_batch": 127})",
        R"({"tokens_per_batch": 16777217})",
        R"({"tokens_per_batch": 1000.5})",
        R"({"max_questions": 0})",
        R"({"max_questions": 1025})",
        R"({"fill": [0.5]})",
        R"({"fill": [0.5, 0.4]})",
        R"({"fill": [0.1, 0.2, 0.3]})",
        R"({"fill": [0.1, 1.5]})",
        R"({"curriculum": [{"lengths": [127]}]})",
        R"({"curriculum": [{"lengths": [200], "weights": [0]}]})",
        R"({"curriculum": [{"until": 0.5, "lengths": [200]}, {"until": 0.5, "lengths": [200]}]})",
        R"({"curriculum": {}})",
        R"({"curriculum": [{}]})",
        R"({"targets": {"vt": 2}})",
        R"({"weights": {"vt": "x"}})",
        R"({"weights": 3})",
        R"({"data_dir": 3})",
        R"({"fill": 0.5})",
        R"({"fill": ["x", 1]})"}) {
    try {
      shown_options(bad);
      all += fmt::format("{}: no error\n", bad);
    } catch (const Error& error) {
      all += fmt::format("{}\n", error.what());
    }
  }
  EXPECT_EQ(replace_all(all, testing::fixture("").string(), "DATA/"), R"(
data: key `tokens_per_batch` is 127, expected 128 to 16777216
data: key `tokens_per_batch` is 16777217, expected 128 to 16777216
data: key `tokens_per_batch` is 1000.5, expected a whole number
data: key `max_questions` is 0, expected 1 to 1024
data: key `max_questions` is 1025, expected 1 to 1024
data: key `fill` is [0.5], expected [least, most], shares of 1
data: key `fill` is [0.5,0.4], expected [least, most], shares of 1
data: key `fill` is [0.1,0.2,0.3], expected [least, most], shares of 1
data: key `fill` is [0.1,1.5], expected 0 to 1
data.curriculum[0]: key `lengths` is [127], expected 128 to 16777216
data.curriculum[0]: key `weights` is [0], expected one weight for each of `lengths`, not all 0
data: key `curriculum` is [{"until":0.5,"lengths":[200]},{"until":0.5,"lengths":[200]}], expected stages with ascending `until`
data: key `curriculum` is {}, expected a list of stages
data.curriculum[0]: key `lengths` names no length
data: key `targets` is {"vt":2}, expected 0 to 1
data: key `weights` is {"vt":"x"}, expected an object of numbers
data: key `weights` is 3, expected an object of numbers
{"data_dir": 3}: no error
data: key `fill` is 0.5, expected a list of numbers
data: key `fill` is ["x",1], expected a list of numbers
)");
}

TEST(TrainingRules, FamiliesHaveWeightsAndLeastLengths) {
  std::string table = "\n";
  for (const Family& f : families()) {
    table += fmt::format("{} {} {} {}\n", f.name, f.robust ? "robust" : "retrieval", f.weight,
                         f.min_length);
  }
  EXPECT_EQ(table, R"(
single retrieval 1 128
multikey retrieval 3 128
needles retrieval 4 128
uuids retrieval 3 256
multivalue retrieval 2 256
multiquery retrieval 3 256
vt retrieval 3 256
recent robust 1 256
frequent robust 1.5 256
common robust 0.5 1024
)");
}

// Lengths between the usual ones, few questions, many absent ones, rooms of their own.
TEST(TrainingRules, OddShapesAreDrawnAsEver) {
  std::vector<std::int32_t> all;
  for (const Family& family : families()) {
    for (const std::int64_t length : {1023, 1025, 1400, 2048}) {
      if (length < family.min_length) continue;
      for (const Style style : kStyles) {
        for (const std::int64_t questions : {1, 2, 5, 60}) {
          MixRandom random(static_cast<std::uint64_t>(length + questions));
          const MixDocument drawn = draw_document(family,
                                                  {.length = length,
                                                   .room = length * (100 - questions) / 100,
                                                   .max_questions = questions,
                                                   .absent_share = questions == 5 ? 1.0 : 0.0,
                                                   .style = style},
                                                  sources(), random);
          const auto& ids = drawn.document.ids;
          all.insert(all.end(), ids.begin(), ids.end());
          all.insert(all.end(), drawn.document.is_answer.begin(), drawn.document.is_answer.end());
        }
      }
    }
  }
  EXPECT_EQ(sha256_ids(all).substr(0, 16), "6ecbbf5e92dcf9de");
}

TEST(TrainingRules, TokenizerLinesAreAFunctionOfListsAndSeed) {
  const auto lists =
      datasets::load_word_lists(testing::fixture("ruler/data/ruler/wonderwords-3.0.1"));
  std::string all;
  for (const std::string& line : tokenizer_lines(lists, 7)) all += line + "\n";
  for (const std::string& symbol : tokenizer_symbols()) all += symbol + "\n";
  EXPECT_EQ(sha256_hex(all).substr(0, 16), "706b22f19f6971ee");
}

// Documents of 8 and more tokens in packs of at most 40.
TEST(TrainingRules, FilesArePackedByLength) {
  const testing::TemporaryFolder folder;
  std::string rows = "\xEF\xBB\xBF";
  for (int i = 0; i < 24; ++i) {
    std::string answer;
    for (int k = 0; k <= i % 7; ++k) answer += " x";
    rows += fmt::format(
        "{}{{\"context\": \"p\", \"question\": \"q\", \"answer\": \"{}{}\", \"task\": "
        "\"Code\"}}{}\n",
        i % 5 == 0 ? " " : "", 100 + i, answer, i % 4 == 0 ? " \r" : "");
  }
  write_file_atomic(folder / "a.jsonl", rows);
  write_file_atomic(folder / "b.jsonl",
                    R"({"context": "p", "question": "q", "answer": "w", "task": "Code"})");
  const auto packs = [&](std::int64_t batch, std::int64_t least) {
    FileOptions options;
    options.files = {(folder / "a.jsonl").string(), (folder / "b.jsonl").string()};
    options.tokens_per_batch = batch;
    options.min_tokens = least;
    options.tasks = {{"Code", 1}};
    const engine::BatchSource source = make_file_mix(options, demo_tokenizer());
    std::string text;
    for (std::int64_t step = 0; step < 14; ++step) {
      for (const auto& document : source.draw(
               {.step = step, .micro_step = static_cast<int>(step % 2), .micro_steps = 2})) {
        text += fmt::format("{}:{} ", document.ids.size(), demo_tokenizer().decode(document.ids));
      }
      text += "|";
    }
    return replace_all(text, "\n", "/");
  };
  std::string all;
  try {
    for (const std::int64_t least : {0, 9, 10, 11})
      all += packs(40, least) + "\n" + packs(57, least) + "\n";
    packs(40, 100);
  } catch (const Error& error) {
    all += replace_all(error.what(), folder.path().string(), "ROOT");
  }
  EXPECT_EQ(all.substr(all.rfind('\n') + 1),
            "ROOT/a.jsonl: no document of at least 100 tokens; give files with documents or lower "
            "`min_tokens`");
  EXPECT_EQ(sha256_hex(all).substr(0, 16), "1f1e2f70b0bcfffd");
}

}  // namespace
}  // namespace elastic::tasks
