// Exercises for any model: what they ask has the answer that the text gives, documents fit with
// tokenizers that merge as they like, and nothing is worded as ruler@builtin words it.

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "engine/api/chat_template.h"
#include "tasks/ruler/builtin_pack.h"
#include "tasks/training/exercise.h"
#include "tasks/training/instruct_mix.h"
#include "tasks/training/training_mix.h"
#include "tests/tasks/training_documents.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kRoom = 700;

// Merges across blanks and line ends as byte-level tokenizers do.
const engine::Tokenizer& byte_tokenizer() {
  static const auto kTokenizer =
      engine::Tokenizer::load(elastic::testing::fixture("tokenizers/bpe-prefix-space"));
  return kTokenizer;
}

Exercise draw_one(std::string_view family, std::uint64_t seed, std::int64_t room = kRoom,
                  const ProseSources& prose = {}) {
  MixRandom random(seed);
  TextBudget budget(demo_tokenizer(), room);
  return find_exercise(family).draw(budget, prose, random);
}

Json instruct_config(const std::string& more = "{}") {
  Json json = parse_json(more, "test");
  json["kind"] = "instruct";
  return json;
}

std::string said(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing";
}

std::string options_refusal(const std::string& more) {
  return said([&] {
    const Json json = instruct_config(more);
    ConfigKeys keys(json, "data");
    keys.text("kind", "");
    read_instruct_options(keys);
  });
}

// Lower-case words; what stands in braces is `*`.
std::vector<std::string> plain_words(std::string_view text) {
  std::vector<std::string> words(1);
  bool field = false;
  for (const char c : text) {
    if (c == '{') words.emplace_back("*"), field = true;
    if (c == '}') words.emplace_back(), field = false;
    if (field || c == '}') continue;
    const char low = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool letter = (low >= 'a' && low <= 'z') || (low >= '0' && low <= '9');
    if (letter) words.back() += low;
    if (!letter && !words.back().empty()) words.emplace_back();
  }
  std::erase(words, "");
  return words;
}

// Runs of four words without a field.
std::set<std::string> word_runs(std::string_view text) {
  constexpr std::size_t kWords = 4;
  const std::vector<std::string> words = plain_words(text);
  std::set<std::string> runs;
  for (std::size_t i = 0; i + kWords <= words.size(); ++i) {
    std::string run;
    for (std::size_t j = i; j < i + kWords; ++j) run += words[j] + " ";
    if (run.find('*') == std::string::npos) runs.insert(run);
  }
  return runs;
}

void add_texts(const Json& json, std::vector<std::string>& texts) {
  if (json.is_string()) texts.push_back(json.get<std::string>());
  if (!json.is_structured()) return;
  for (const auto& item : json) add_texts(item, texts);
}

std::string whole_text(const Exercise& e) {
  return join({e.instruction, e.text, e.question, e.lead, e.answer}, "\n");
}

TEST(InstructWordings, NothingIsWordedAsTheBenchmarkIs) {
  std::vector<std::string> texts;
  add_texts(parse_json(builtin_prompt_pack(), "pack"), texts);
  std::set<std::string> benchmark;
  for (const std::string& text : texts) benchmark.merge(word_runs(text));
  ASSERT_TRUE(benchmark.contains("values are attached to "));
  ASSERT_TRUE(benchmark.contains("the lake lies still "));
  ASSERT_GT(benchmark.size(), 100u);
  std::size_t seen = 0;
  std::set<std::string> shared;
  for (const ExerciseFamily& family : exercise_families()) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      const std::string text = whole_text(draw_one(family.name, seed));
      EXPECT_EQ(text.find("VAR "), std::string::npos) << "RULER's variables";
      for (const std::string& run : word_runs(text)) {
        ++seen;
        if (benchmark.contains(run)) shared.insert(run);
      }
    }
  }
  EXPECT_EQ(shared, std::set<std::string>());
  EXPECT_GT(seen, 50'000u);
}

std::size_t times_in(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; ++at) ++count;
  return count;
}

TEST(InstructFamilies, LookUpsAskForWhatStandsInTheText) {
  for (const char* family : {"entry", "register", "collection", "several", "closing"}) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      const Exercise e = draw_one(family, seed);
      std::size_t from = 0;
      for (const std::string& value : split_list(e.answer)) {
        EXPECT_EQ(times_in(e.text, value), 1u) << family << " " << value << "\n" << e.text;
        if (std::string_view(family) == "collection") {
          EXPECT_GT(e.text.find(value), from) << "in the order of the text";
          from = e.text.find(value);
        }
      }
      const bool several = std::string_view(family) == "collection" || family[0] == 's';
      EXPECT_EQ(split_list(e.answer).size() > 1, several) << family << ": " << e.answer;
    }
  }
}

TEST(InstructFamilies, ClosingEntriesStandInTheLastSentences) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Exercise e = draw_one("closing", seed, 2000);
    const std::size_t behind = e.text.size() - e.text.find(e.answer);
    EXPECT_LT(behind, 600u) << e.text;
  }
}

TEST(InstructFamilies, CopiesLeadBackToTheStamp) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Exercise e = draw_one("copies", seed);
    const std::vector<std::string> names = split_list(e.answer);
    ASSERT_EQ(names.size(), 4u);
    std::size_t from = 0;
    for (std::size_t i = 0; i < names.size(); ++i) {
      EXPECT_GE(e.text.find(names[i]), from);
      from = e.text.find(names[i]);
      EXPECT_EQ(times_in(e.text, names[i]), i + 1 < names.size() ? 2u : 1u);
    }
  }
}

TEST(InstructFamilies, WholeTextsAnswerTheOthers) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Exercise summary = draw_one("summary", seed, 2000);
    for (const std::string_view sentence : split(summary.answer, '.')) {
      EXPECT_NE(summary.text.find(sentence), std::string::npos) << sentence;
    }
    const Exercise program = draw_one("program", seed);
    EXPECT_FALSE(strip(program.answer).empty());
    EXPECT_EQ(program.answer.find('\n'), std::string::npos);
    EXPECT_TRUE(program.question.empty() && program.lead.empty());
    const Exercise examples = draw_one("examples", seed);
    EXPECT_GT(times_in(examples.text + "\n", "Label: " + examples.answer + "\n"), 0u);
  }
}

// One document of each family as it is, so that a change of wording or draws is seen.
TEST(InstructFamilies, DocumentsAreThese) {
  std::string all = "\n";
  for (const ExerciseFamily& family : exercise_families()) {
    all += fmt::format("{} {} {} {}\n", family.name, family.robust, family.weight,
                       sha256_hex(whole_text(draw_one(family.name, 11))).substr(0, 16));
  }
  EXPECT_EQ(all, R"(
entry false 3 0ef5da53ef6754fd
register false 3 d8d491794f28d91a
collection false 2 2e11f0ba8acb1341
several false 2 ae748a05b41bfa50
copies false 2 2f104983582e5f28
closing true 1 94fdfe9150c7d332
summary true 1.5 baa1f19c43a1731a
program true 1.5 26a67d606d46f99a
examples true 1.5 8d45eca009d9a061
)");
  EXPECT_EQ(whole_text(draw_one("register", 5, 250)),
            "Below is a document. Use nothing but the document to answer.\n"
            "Somebody pencilled 4404700b-0369-4f61-a12b-1ccb1f14ed4c beside the enamel trumpet in "
            "the register.\n"
            "Somebody pencilled c37a5055-a8ce-4ef2-abfa-87548d13eecf beside the borrowed bellows "
            "in the register.\n"
            "Look up the enamel trumpet in the document and report the entry.\n"
            "The entry of the enamel trumpet:\n"
            "4404700b-0369-4f61-a12b-1ccb1f14ed4c");
}

void check_documents(const engine::BatchSource& source, const engine::Tokenizer& tokenizer,
                     std::int64_t most, const std::string& end) {
  std::set<int> tasks;
  for (std::int64_t step = 0; step < 24; ++step) {
    const auto documents = source.draw({.step = step, .progress = .5});
    const auto again = source.draw({.step = step, .progress = .5});
    ASSERT_EQ(documents.size(), again.size());
    for (std::size_t i = 0; i < documents.size(); ++i) {
      const engine::TrainingDocument& d = documents[i];
      EXPECT_EQ(d.ids, again[i].ids);
      EXPECT_LE(std::ssize(d.ids), most);
      ASSERT_GT(d.prompt_tokens, 0);
      ASSERT_LT(d.prompt_tokens, std::ssize(d.ids));
      for (std::int64_t t = 0; t < std::ssize(d.ids); ++t) {
        EXPECT_EQ(d.is_answer[static_cast<std::size_t>(t)], t >= d.prompt_tokens ? 1 : 0);
      }
      const std::string text = tokenizer.decode(d.ids);
      EXPECT_TRUE(text.ends_with(end)) << text;
      EXPECT_EQ(engine::encode_single_bos(tokenizer, text), d.ids) << "encoded whole";
      tasks.insert(d.task);
    }
  }
  EXPECT_EQ(tasks.size(), exercise_families().size());
}

TEST(InstructMix, DocumentsFitAndRepeatWithAnyTokenizer) {
  const Json json =
      instruct_config(R"({"tokens_per_batch": 4096, "curriculum": [{"lengths": [512, 768]}]})");
  for (const auto* tokenizer : {&demo_tokenizer(), &byte_tokenizer()}) {
    const engine::BatchSource source = make_training_mix(json, *tokenizer);
    EXPECT_EQ(source.tasks.size(), exercise_families().size());
    for (std::size_t i = 0; i < source.tasks.size(); ++i) {
      EXPECT_EQ(source.tasks[i].target_sparsity, exercise_families()[i].robust ? .8 : .6);
    }
    check_documents(source, *tokenizer, 768, "\n");
  }
}

TEST(InstructMix, ChatTemplatesGoRoundTheQuestion) {
  const elastic::testing::TemporaryFolder folder;
  write_file_atomic(folder / "tokenizer_config.json", "{\"bos_token\": \"<s>\"}");
  write_file_atomic(folder / "chat_template.jinja",
                    "{% for m in messages %}[{{ m.role }}]{{ m.content }}[end]\n{% endfor %}"
                    "{% if add_generation_prompt %}[assistant]{% endif %}");
  Json json = instruct_config(R"({"tokens_per_batch": 4096, "curriculum": [{"lengths": [768]}],
                         "chat_share": 1, "lead_share": 0.5})");
  const engine::BatchSource source = make_training_mix(json, demo_tokenizer(), folder.path());
  check_documents(source, demo_tokenizer(), 768, "[end]");
  int leads = 0, documents = 0;
  for (std::int64_t step = 0; step < 20; ++step) {
    for (const engine::TrainingDocument& d : source.draw({.step = step})) {
      const std::string text = demo_tokenizer().decode(d.ids);
      EXPECT_TRUE(text.starts_with("[user]")) << text;
      EXPECT_EQ(times_in(text, "[end]\n[assistant]"), 1u) << text;
      const std::string prompt = demo_tokenizer().decode(
          std::span(d.ids).first(static_cast<std::size_t>(d.prompt_tokens)));
      leads += prompt.ends_with("[assistant]") ? 0 : 1;
      ++documents;
    }
  }
  EXPECT_GT(leads, documents / 5);
  EXPECT_LT(leads, documents * 4 / 5);
  json["chat_share"] = 0.25;
  const elastic::testing::TemporaryFolder empty;
  EXPECT_EQ(
      said([&] { make_training_mix(json, demo_tokenizer(), empty.path()); }),
      "data: key `chat_share` is 0.25, but " + empty.path().string() +
          " has no chat template; set it to 0, or copy the model's chat_template.jinja there");
}

// The tokenizer and the template that models/smollm2-router is trained with, at its lengths.
TEST(InstructMix, DocumentsOfTheShippedTrainingFileFit) {
  const fs::path model = elastic::testing::data_path("tokenizers/smollm2");
  if (model.empty()) GTEST_SKIP() << "tokenizer absent: smollm2";
  const Json file =
      read_json(elastic::testing::source_folder() / "models/smollm2-router/training/router.json");
  const auto tokenizer = engine::Tokenizer::load(model);
  const engine::BatchSource source = make_training_mix(file.at("data"), tokenizer, model);
  std::size_t chats = 0, documents = 0;
  for (std::int64_t step = 0; step < 6; ++step) {
    for (const engine::TrainingDocument& d : source.draw({.step = step})) {
      const std::string text = tokenizer.decode(d.ids);
      EXPECT_LE(std::ssize(d.ids), 8192);
      EXPECT_GE(std::ssize(d.ids), 1024 / 4);
      chats += text.ends_with("<|im_end|>") ? 1 : 0;
      EXPECT_EQ(text.ends_with("<|im_end|>"), text.starts_with("<|im_start|>system\n"));
      ++documents;
    }
  }
  EXPECT_GT(chats, documents / 4);
  EXPECT_LT(chats, documents * 3 / 4);
}

TEST(InstructMix, TextsOfTheUsersAreProse) {
  const elastic::testing::TemporaryFolder folder;
  std::string book;
  for (int i = 0; i < 300; ++i) {
    book += fmt::format("Sentence {} of\n  the book{}", i, i % 7 == 0 ? "!\n\n" : ". ");
  }
  write_file_atomic(folder / "book.txt", book);
  const ProseSources prose{read_sentences({folder / "book.txt"}), 1};
  ASSERT_EQ(prose.sentences.size(), 300u);
  EXPECT_EQ(prose.sentences[0], "Sentence 0 of the book!");
  EXPECT_EQ(prose.sentences[299], "Sentence 299 of the book.");
  EXPECT_NE(draw_one("entry", 1, kRoom, prose).text.find(" of the book. Sentence "),
            std::string::npos);
  const std::string file = (folder / "book.txt").string();
  write_file_atomic(folder / "book.txt", "Too short.");
  EXPECT_EQ(said([&] { read_sentences({file}); }),
            file +
                ": 1 sentences in `texts`, too few for documents; give files of at least 200 "
                "sentences together");
  write_file_atomic(folder / "book.txt", "\xff\xfe");
  EXPECT_EQ(said([&] { read_sentences({file}); }),
            file + ": is no UTF-8 text; give plain text, as .txt of a book");
}

TEST(InstructMix, WrongSettingsNameTheirKey) {
  EXPECT_EQ(options_refusal("{}"), "nothing");
  EXPECT_EQ(options_refusal(R"({"chat_share": 2})"),
            "data: key `chat_share` is 2, expected 0 to 1");
  EXPECT_NE(options_refusal(R"({"weights": {"entri": 1}})").find("did you mean `entry`?"),
            std::string::npos);
  EXPECT_NE(options_refusal(R"({"chat": 1})").find("unknown key `chat`"), std::string::npos);
  EXPECT_NE(options_refusal(R"({"weights": {"entry": 0, "register": 0, "collection": 0,
      "several": 0, "copies": 0, "closing": 0, "summary": 0, "program": 0, "examples": 0}})")
                .find("a weight above 0 for one family at least"),
            std::string::npos);
  const Json json =
      instruct_config(R"({"curriculum": [{"lengths": [128]}], "weights": {"several": 3}})");
  EXPECT_NE(said([&] {
              make_training_mix(json, byte_tokenizer());
            }).find("no document fits into 128 tokens with this tokenizer"),
            std::string::npos);
}

}  // namespace
}  // namespace elastic::tasks
