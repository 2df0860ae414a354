// Patterns of tokenizer.json files as their own engine reads them,
// where PCRE2 reads them otherwise.

#include "engine/tokenizer/regex.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace elastic::engine {
namespace {

// Matches in brackets within the text.
std::string marked(std::string_view pattern, std::string_view text) {
  std::string out;
  std::size_t done = 0;
  Regex(pattern, "t").for_each_match(text, [&](std::size_t begin, std::size_t end) {
    out.append(text.substr(done, begin - done)).append("[");
    out.append(text.substr(begin, end - begin)).append("]");
    done = end;
  });
  return out.append(text.substr(done));
}

struct Case {
  std::string_view pattern, text, expected;
};

TEST(Regex, ClassesAndEscapes) {
  const Case cases[] = {
      {"\\s", "a b\u180ec\u3000d\u0085e\u00a0", "a[ ]b\u180ec[\u3000]d[\u0085]e[\u00a0]"},
      {"\\S+", "ab \u180e\tc", "[ab] [\u180e]\t[c]"},
      {"[\\s.]", "a b.c\u180e", "a[ ]b[.]c\u180e"},
      {"[^\\s]+", "a b\u180e", "[a] [b\u180e]"},
      {"\\w+", "a1_\u00e9e\u0301-\u00b2\u00b9\u00bc\u2160\u2167",
       "[a1_\u00e9e\u0301]-[\u00b2\u00b9\u00bc\u2160\u2167]"},
      {"[\\w]+", "a\u00b2b\u00bc", "[a]\u00b2[b]\u00bc"},
      {"\\W", "a-b\u00b2", "a[-]b\u00b2"},
      {"\\b", "ab c", "[]ab[] []c[]"},
      {"\\ba", "a ba \u00b2a", "[a] ba \u00b2a"},
      {"a\\B", "ab a", "[a]b a"},
      {"\\B", "ab", "a[]b"},
      {"\\.\\\\\\[\\]", "a.\\[]", "a[.\\[]]"},
      {"[\\]x]", "a]x", "a[]][x]"},
      {"[a][b]", "abab", "[ab][ab]"},
      {"a]", "a]", "[a]]"},
      {"\\p{L}+|\\d", "ab1", "[ab][1]"},
      {"^a$", "a\nb\na", "[a]\nb\n[a]"},
      {"a.", "ab a\n a\r", "[ab] a\n [a\r]"},
      {"(?i:A)", "aA", "[a][A]"},
  };
  for (const auto& [pattern, text, expected] : cases) {
    EXPECT_EQ(marked(pattern, text), expected) << pattern;
  }
}

// An empty match counts, but not where the match before it ended.
TEST(Regex, EmptyMatches) {
  EXPECT_EQ(marked("a*", "baac"), "[]b[aa]c[]");
  EXPECT_EQ(marked("", "\u00e9\u6c49"), "[]\u00e9[]\u6c49[]");
  EXPECT_EQ(marked("x*", ""), "[]");
  EXPECT_EQ(marked("(?=b)|a", "abab"), "[a]b[a]b");
  EXPECT_EQ(marked("$", "a\n"), "a[]\n[]");
}

TEST(Regex, WhatIsNotReadIsNamed) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"[a[b]]", "nested character class"},     {"[\\S]", "`\\S` here is not supported"},
      {"[\\W]", "`\\W` here is not supported"}, {"\\h", "`\\h` here is not supported"},
      {"a\\H", "`\\H` here is not supported"},  {"(a", "missing closing parenthesis"},
      {"a\\", "\\ at end of pattern"},
  };
  for (const auto& [pattern, said] : cases) {
    try {
      const Regex regex(pattern, "file");
      ADD_FAILURE() << pattern;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
      EXPECT_EQ(error.what(),
                "file: pre-tokenizer pattern `" + std::string(pattern) + "`: " + std::string(said));
    }
  }
}

// A pattern that backtracks without end is given up on, not waited for.
TEST(Regex, ARunawayPatternIsAnError) {
  const std::string text(2000, 'a');
  try {
    marked("(a+)+(?<=c)", text);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
    EXPECT_TRUE(
        std::string_view(error.what())
            .starts_with("the pre-tokenizer pattern gave up on a text of 2000 bytes (PCRE2"))
        << error.what();
  }
}

}  // namespace
}  // namespace elastic::engine
