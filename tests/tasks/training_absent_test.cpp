// Questions for what a document lacks.

#include <algorithm>
#include <regex>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "tests/tasks/training_documents.h"

namespace elastic::tasks {
namespace {

constexpr std::string_view kAnswer = " none.\n";

class AbsentQuestion : public ::testing::TestWithParam<std::string> {};

struct Asked {
  std::string context;                            // all in front of the first question
  std::vector<std::vector<std::string>> queries;  // by question
};

// Questions end in the answer and lie between line ends; the query stands in front of the first
// question mark or full stop; values of variables have five digits.
Asked asked_of(const std::string& text) {
  Asked asked;
  std::size_t begin = text.rfind('\n', text.find(kAnswer));
  asked.context = text.substr(0, begin);
  while (begin + 1 < text.size()) {
    const std::size_t end = text.find(kAnswer, begin);
    if (end == std::string::npos) {
      ADD_FAILURE() << "another answer: " << text.substr(begin);
      break;
    }
    const std::string question = text.substr(begin, end - begin);
    static const std::regex kQuery("([^ ?]+)[?.]"), kValue("\\b[0-9]{5}\\b");
    std::smatch found;
    const bool variables = std::regex_search(question, found, kValue);
    EXPECT_TRUE(variables || std::regex_search(question, found, kQuery)) << question;
    std::vector<std::string>& keys = asked.queries.emplace_back();
    const std::string query = found[variables ? 0 : 1];
    for (const std::string_view key : split(query, ',')) keys.emplace_back(key);
    begin = end + kAnswer.size() - 1;
  }
  return asked;
}

TEST_P(AbsentQuestion, AsksForWhatIsNotThereAndIsAnsweredNone) {
  std::size_t most_questions = 0, most_keys = 0;
  for (const Style style : kStyles) {
    for (const std::int64_t length : {256, 1024, 4096}) {
      for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        const MixDocument drawn =
            draw(GetParam(), {.length = length, .absent_share = 1, .style = style}, seed);
        const Asked asked = asked_of(drawn.text);
        std::set<std::string> different;
        for (const auto& keys : asked.queries) {
          most_keys = std::max(most_keys, keys.size());
          for (const std::string& key : keys) {
            ASSERT_EQ(asked.context.find(key), std::string::npos) << key << "\n" << drawn.text;
            EXPECT_TRUE(different.insert(key).second) << key;
          }
        }
        most_questions = std::max(most_questions, asked.queries.size());
      }
    }
  }
  EXPECT_GE(most_questions, 3u);
  EXPECT_EQ(most_keys > 1, GetParam() == "multiquery") << most_keys;
}

TEST_P(AbsentQuestion, IsEncodedAsTheWholeText) {
  int compared = 0;
  for (const Style style : kStyles) {
    for (const std::int64_t length : {256, 1024}) {
      for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        const double share = seed % 2 == 0 ? 1 : .5;
        const MixDocument drawn =
            draw(GetParam(), {.length = length, .absent_share = share, .style = style}, seed);
        EXPECT_LE(drawn.tokens(), length);
        EXPECT_GE(drawn.tokens(), length * 6 / 10) << length << " " << seed;
        if (!drawn.has_text) continue;
        ASSERT_EQ(demo_tokenizer().encode(drawn.text), drawn.document.ids) << drawn.text;
        ++compared;
      }
    }
  }
  EXPECT_GE(compared, 20);
}

TEST_P(AbsentQuestion, AloneHasThePromptOfTestTime) {
  const MixDocument drawn =
      draw(GetParam(), {.length = 1024, .max_questions = 1, .absent_share = 1}, 3);
  EXPECT_EQ(answer_of(drawn), "none.\n");
  const auto& ids = drawn.document.ids;
  const std::vector<std::int32_t> prompt(ids.begin(), ids.begin() + drawn.document.prompt_tokens);
  EXPECT_EQ(demo_tokenizer().encode(prompt_of(drawn)), prompt);
}

INSTANTIATE_TEST_SUITE_P(training, AbsentQuestion,
                         ::testing::Values("single", "multikey", "needles", "uuids", "multivalue",
                                           "multiquery", "vt", "recent"),
                         [](const auto& test) { return test.param; });

TEST(training_absent, a_share_of_nothing_draws_nothing) {
  MixRandom asked(5), untouched(5);
  EXPECT_FALSE(draw_absent({.absent_share = 0}, asked));
  EXPECT_EQ(asked.next(), untouched.next());
  EXPECT_TRUE(draw_absent({.absent_share = 1}, asked));
}

TEST(training_absent, words_with_a_hyphen_hold_keys) {
  const auto& words = sources().words();
  const auto compound = std::find_if(words.begin(), words.end(), [](const std::string& word) {
    return word.find('-') != std::string::npos;
  });
  ASSERT_NE(compound, words.end());
  EXPECT_TRUE(sources().stands_in_a_word(*compound));
  EXPECT_FALSE(sources().stands_in_a_word("zzz-zzz"));
}

// Share of the documents with one question whose answer is none.
double share_of_none(const std::string& more) {
  const auto source = mix(fmt::format(R"({{"tokens_per_batch": 16384, "max_questions": 1,
      "curriculum": [{{"lengths": [256]}}], "weights": {{"frequent": 0}}{}}})",
                                      more));
  int none = 0, all = 0;
  for (int step = 0; step < 12; ++step) {
    for (const auto& document : source.draw({.step = step})) {
      const auto answer =
          std::span(document.ids).subspan(static_cast<std::size_t>(document.prompt_tokens));
      none += demo_tokenizer().decode(answer) == "none.\n";
      ++all;
    }
  }
  EXPECT_GT(all, 700);
  return static_cast<double>(none) / all;
}

TEST(training_absent, the_share_of_the_configuration_is_kept) {
  EXPECT_NEAR(share_of_none(""), .15, .04);
  EXPECT_EQ(share_of_none(R"(, "absent_share": 0)"), 0);
  EXPECT_NEAR(share_of_none(R"(, "absent_share": 0.5)"), .5, .06);
  EXPECT_EQ(share_of_none(R"(, "absent_share": 1)"), 1);
}

}  // namespace
}  // namespace elastic::tasks
