#include "tasks/training/training_mix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <thread>

#include <fmt/format.h>

#include "base/error.h"
#include "tasks/metrics/string_match.h"
#include "tasks/ruler/generate.h"
#include "tests/tasks/training_documents.h"

namespace elastic::tasks {
namespace {

// What differs between samples replaced by letters.
std::string masked(std::string text) {
  static const std::regex kUuid("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}");
  static const std::regex kNumber("\\b[0-9]{7}\\b"), kValue("\\b[0-9]{5}\\b");
  static const std::regex kName("\\b(?!VAR\\b)[A-Z]{3,5}\\b");
  static const std::regex kKey("\\b[a-z']+(-[a-z']+)+");
  text = std::regex_replace(text, kUuid, "U");
  text = std::regex_replace(text, kNumber, "N");
  text = std::regex_replace(text, kValue, "X");
  text = std::regex_replace(text, kName, "V");
  return std::regex_replace(text, kKey, "K");
}

class TrainingFamily : public ::testing::TestWithParam<std::string> {};

TEST_P(TrainingFamily, IsWhatTheTokenizerMakesOfTheWholeText) {
  const Family& family = find_family(GetParam());
  int compared = 0;
  for (const std::int64_t length : {256, 512, 1024, 4096}) {
    if (length < family.min_length) continue;
    for (const Style style : kStyles) {
      for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        const MixDocument drawn = draw(GetParam(), {.length = length, .style = style}, seed);
        if (!drawn.has_text) continue;
        ASSERT_EQ(demo_tokenizer().encode(drawn.text), drawn.document.ids)
            << length << " " << seed << "\n"
            << drawn.text;
        ++compared;
      }
    }
  }
  EXPECT_GE(compared, 12);
}

TEST_P(TrainingFamily, FillsItsRoomAndMarksItsAnswers) {
  const Family& family = find_family(GetParam());
  for (const std::int64_t length : {256, 1024, 4096}) {
    if (length < family.min_length) continue;
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      const MixDocument drawn =
          draw(GetParam(), {.length = length, .style = kStyles[seed % 3]}, seed);
      const auto& document = drawn.document;
      EXPECT_LE(drawn.tokens(), length);
      EXPECT_GE(drawn.tokens(), length * 6 / 10) << length << " " << seed;
      ASSERT_EQ(document.is_answer.size(), document.ids.size());
      ASSERT_LT(document.prompt_tokens, drawn.tokens());
      const auto answer = static_cast<std::size_t>(document.prompt_tokens);
      EXPECT_EQ(document.is_answer[answer - 1], 0);
      EXPECT_EQ(document.is_answer[answer], 1);
      EXPECT_EQ(document.is_answer.back(), 1);
      EXPECT_EQ(document.ids.front(), *demo_tokenizer().bos_id());
    }
  }
}

TEST_P(TrainingFamily, ThePromptIsEncodedAsItWillBeAtTestTime) {
  const Family& family = find_family(GetParam());
  for (const std::int64_t length : {512, 1024}) {
    if (length < family.min_length) continue;
    const MixDocument drawn = draw(GetParam(), {.length = length, .max_questions = 1}, 3);
    const auto& ids = drawn.document.ids;
    const std::vector<std::int32_t> prompt(ids.begin(), ids.begin() + drawn.document.prompt_tokens);
    EXPECT_EQ(demo_tokenizer().encode(prompt_of(drawn)), prompt);
  }
}

std::vector<std::string> family_names() {
  std::vector<std::string> names;
  for (const Family& family : families()) names.emplace_back(family.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(training, TrainingFamily, ::testing::ValuesIn(family_names()),
                         [](const auto& test) { return test.param; });

// Family, a task of RULER that asks the same, its length, bytes of the beginning that are equal
// once masked: the instruction, with needle haystacks the first lines too.
struct Likeness {
  const char* family;
  const char* task;
  std::int64_t length;
  std::size_t equal;
};

class TrainingWording : public ::testing::TestWithParam<Likeness> {};

TEST_P(TrainingWording, EqualsTheBuiltinProfileInItsFixedParts) {
  const Likeness& likeness = GetParam();
  const auto profile = make_ruler_profile("ruler@builtin", testing::fixture("ruler/data"), "");
  GenerateRequest request{
      .task = likeness.task, .length = likeness.length, .count = 1, .counter = {}};
  request.counter = model_counter(demo_tokenizer());
  const GeneratedSet set = generate_ruler(request, *profile);
  const RulerRecord record = parse_record(set.lines.front(), "generated");
  const std::string wanted = masked(record.input + record.answer_prefix);
  // Some documents of a family have several needles: the first that has RULER's shape is taken.
  bool equal = false;
  std::string got;
  for (std::uint64_t seed = 1; seed <= 40 && !equal; ++seed) {
    const MixDocument drawn =
        draw(likeness.family, {.length = likeness.length, .max_questions = 1}, seed);
    got = masked(prompt_of(drawn));
    const std::size_t question = got.rfind("\nQuestion"),
                      wanted_question = wanted.rfind("\nQuestion");
    ASSERT_NE(question, std::string::npos);
    const bool begins = got.substr(0, likeness.equal) == wanted.substr(0, likeness.equal);
    equal = begins && got.substr(question) == wanted.substr(wanted_question);
  }
  EXPECT_TRUE(equal) << "generated:\n" << wanted << "\ntrained on:\n" << got;
}

INSTANTIATE_TEST_SUITE_P(
    training, TrainingWording,
    ::testing::Values(Likeness{"single", "niah_single_1", 1024, 72},
                      Likeness{"single", "niah_single_2", 1024, 72},
                      Likeness{"single", "niah_single_3", 1024, 72},
                      Likeness{"multikey", "niah_multikey_1", 1024, 72},
                      Likeness{"needles", "niah_multikey_2", 1024, 600},
                      Likeness{"uuids", "niah_multikey_3", 1024, 400},
                      Likeness{"multivalue", "niah_multivalue", 1024, 72},
                      Likeness{"multiquery", "niah_multiquery", 1024, 72},
                      Likeness{"vt", "vt", 512, 62}, Likeness{"vt", "vt", 1024, 62},
                      Likeness{"frequent", "fwe", 1024, 84}, Likeness{"common", "cwe", 1024, 96}),
    [](const auto& test) {
      return fmt::format("{}_{}_{}", test.param.family, test.param.task, test.param.length);
    });

// The references of the question asked, read from the document's own text.
std::vector<std::string> references_of(const MixDocument& drawn) {
  const std::string prompt = prompt_of(drawn);
  std::smatch asked;
  static const std::regex kAsked("which values? belongs? to ([^?]+)\\?");
  EXPECT_TRUE(std::regex_search(prompt, asked, kAsked)) << prompt;
  std::vector<std::string> references;
  const std::string keys = asked[1];
  static const std::regex kKey("[^,]+");
  for (std::sregex_iterator key(keys.begin(), keys.end(), kKey), end; key != end; ++key) {
    const std::regex needle("The locker code of " + key->str() + " was set to ([^.]+)\\.");
    for (std::sregex_iterator found(prompt.begin(), prompt.end(), needle); found != end; ++found) {
      references.push_back((*found)[1]);
    }
  }
  return references;
}

TEST(training_mix, answers_hold_every_reference_of_the_prompt) {
  const std::pair<const char*, std::size_t> kCounts[] = {
      {"single", 1},     {"multikey", 1},   {"needles", 1}, {"uuids", 1},
      {"multivalue", 4}, {"multiquery", 4}, {"recent", 1}};
  for (const auto& [family, count] : kCounts) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      const MixDocument drawn = draw(family, {.length = 1024, .max_questions = 1}, seed);
      const auto references = references_of(drawn);
      EXPECT_EQ(references.size(), count) << drawn.text;
      EXPECT_EQ(string_match_all(answer_of(drawn), references), 1.0) << drawn.text;
      EXPECT_TRUE(answer_of(drawn).ends_with(".\n"));
    }
  }
}

TEST(training_mix, chains_name_their_variables_in_order) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const MixDocument drawn = draw("vt", {.length = 512, .max_questions = 1}, seed);
    const std::string prompt = prompt_of(drawn);
    std::smatch asked;
    ASSERT_TRUE(std::regex_search(prompt, asked, std::regex("hold the value ([0-9]+)\\?")));
    std::smatch first;
    ASSERT_TRUE(
        std::regex_search(prompt, first, std::regex("VAR ([A-Z]{5}) = " + asked[1].str() + "\\.")));
    std::string expected = first[1], last = first[1];
    for (int hop = 0; hop < 4; ++hop) {
      std::smatch next;
      ASSERT_TRUE(
          std::regex_search(prompt, next, std::regex("VAR ([A-Z]{5}) = VAR " + last + "\\.")));
      last = next[1];
      expected += " " + last;
    }
    EXPECT_EQ(answer_of(drawn), expected + "\n");
  }
}

bool equal(const std::vector<engine::TrainingDocument>& a,
           const std::vector<engine::TrainingDocument>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.ids == y.ids && x.is_answer == y.is_answer && x.task == y.task &&
           x.prompt_tokens == y.prompt_tokens;
  });
}

constexpr const char* kSmall =
    R"({"tokens_per_batch": 4096, "curriculum": [{"until": 0.5, "lengths": [256]}, {"until": 1,
        "lengths": [512, 1024], "weights": [1, 3]}]})";

TEST(training_mix, a_batch_is_a_function_of_its_position) {
  const auto source = mix(kSmall), again = mix(kSmall);
  const engine::BatchPosition at{.step = 5, .progress = .7};
  const auto first = source.draw(at);
  EXPECT_TRUE(equal(first, source.draw(at)));
  EXPECT_TRUE(equal(first, again.draw(at)));
  EXPECT_FALSE(equal(first, source.draw({.step = 6, .progress = .7})));
  Json other = config(kSmall);
  other["seed"] = 2;
  EXPECT_FALSE(equal(first, make_training_mix(other, demo_tokenizer()).draw(at)));
}

TEST(training_mix, two_processes_draw_what_one_draws_in_two_micro_steps) {
  const auto source = mix(kSmall);
  for (int i = 0; i < 4; ++i) {
    const auto one = source.draw({.step = 3, .micro_step = i, .micro_steps = 4});
    const auto two =
        source.draw({.step = 3, .micro_step = i / 2, .micro_steps = 2, .rank = i % 2, .world = 2});
    EXPECT_TRUE(equal(one, two)) << i;
  }
}

TEST(training_mix, threads_draw_the_same) {
  const auto source = mix(kSmall);
  std::vector<std::vector<engine::TrainingDocument>> drawn(8);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      threads.emplace_back([&, i] {
        drawn[i] = source.draw({.step = static_cast<std::int64_t>(i), .progress = .9});
      });
    }
  }
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    EXPECT_TRUE(
        equal(drawn[i], source.draw({.step = static_cast<std::int64_t>(i), .progress = .9})));
  }
}

TEST(training_mix, batches_are_full_and_their_lengths_follow_the_progress) {
  const auto source = mix(kSmall);
  const auto longest_of = [&](std::int64_t step, double progress) {
    std::size_t tokens = 0, longest = 0;
    for (const auto& document : source.draw({.step = step, .progress = progress})) {
      tokens += document.ids.size();
      longest = std::max(longest, document.ids.size());
    }
    EXPECT_LE(tokens, 4096u);
    EXPECT_GT(tokens, 4096u - 1024u);
    return longest;
  };
  std::size_t early = 0, late = 0;
  for (int step = 0; step < 20; ++step) {
    early = std::max(early, longest_of(step, .4));
    late = std::max(late, longest_of(step, .5));
  }
  EXPECT_LE(early, 256u);
  EXPECT_GT(early, 200u);
  EXPECT_LE(late, 1024u);
  EXPECT_GT(late, 800u);
}

TEST(training_mix, tasks_carry_targets) {
  const auto source = mix(R"({"target_sensitive": 0.6, "targets": {"vt": 0.5}})");
  ASSERT_EQ(source.tasks.size(), families().size());
  for (const auto& task : source.tasks) {
    const double expected = find_family(task.name).robust ? 1 : task.name == "vt" ? .5 : .6;
    EXPECT_EQ(task.target_sparsity, expected) << task.name;
  }
}

struct BadConfig {
  const char* name;
  const char* config;
  const char* expected;  // part of the message
};

const BadConfig kBadConfigs[] = {
    {"unknown_key", R"({"tokens_per_bacth": 1024})",
     "unknown key `tokens_per_bacth`; did you mean `tokens_per_batch`?"},
    {"wrong_type", R"({"seed": "one"})", "data: key `seed` is \"one\", expected a whole number"},
    {"negative_seed", R"({"seed": -1})", "data: key `seed` is -1"},
    {"target_above_one", R"({"targets": {"vt": 1.5}})", "data: key `targets`"},
    {"unknown_family", R"({"weights": {"multikeys": 1}})",
     "unknown family `multikeys`; did you mean `multikey`?"},
    {"negative_weight", R"({"weights": {"vt": -1}})", "data: key `weights`"},
    {"share", R"({"builtin_share": 2})", "data: key `builtin_share` is 2, expected 0 to 1"},
    {"absent_share", R"({"absent_share": 1.1})",
     "data: key `absent_share` is 1.1, expected 0 to 1"},
    {"negative_share", R"({"absent_share": -0.1})", "data: key `absent_share` is -0.1"},
    {"fill", R"({"fill": [0.9, 0.2]})", "data: key `fill`"},
    {"no_stage", R"({"curriculum": []})", "data: key `curriculum`"},
    {"stages_fall",
     R"({"curriculum": [{"until": 0.5, "lengths": [256]}, {"until": 0.4, "lengths": [256]}]})",
     "ascending `until`"},
    {"stages_end_early", R"({"curriculum": [{"until": 0.5, "lengths": [256]}]})",
     "a last stage with `until` 1"},
    {"stage_key", R"({"curriculum": [{"until": 1, "lengths": [256], "weight": [1]}]})",
     "data.curriculum[0]: unknown key `weight`"},
    {"too_long", R"({"tokens_per_batch": 1024, "curriculum": [{"lengths": [2048]}]})",
     "lengths up to tokens_per_batch, 1024"},
    {"too_short", R"({"curriculum": [{"lengths": [8]}]})", "data.curriculum[0]: key `lengths`"},
    {"no_family", R"({"curriculum": [{"lengths": [512]}], "weights": {"single": 0, "multikey": 0,
        "needles": 0, "uuids": 0, "multivalue": 0, "multiquery": 0, "vt": 0, "recent": 0, "frequent": 0}})",
     "no family with a weight fits into 512 tokens"},
    {"weights_of_lengths", R"({"curriculum": [{"lengths": [256, 512], "weights": [1]}]})",
     "one weight for each"},
};

class TrainingConfig : public ::testing::TestWithParam<BadConfig> {};

TEST_P(TrainingConfig, IsRefusedNamingTheKey) {
  try {
    mix(GetParam().config);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find(GetParam().expected), std::string::npos)
        << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(training, TrainingConfig, ::testing::ValuesIn(kBadConfigs),
                         [](const auto& test) { return test.param.name; });

TEST(training_mix, a_tokenizer_that_merges_across_parts_is_refused) {
  const auto tokenizer = engine::Tokenizer::load(testing::fixture("tokenizers/bpe-template"));
  try {
    make_training_mix(config(), tokenizer);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported) << error.what();
  }
}

}  // namespace
}  // namespace elastic::tasks
