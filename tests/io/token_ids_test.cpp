#include "engine/api/token_ids.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace elastic::engine {
namespace {

using Ids = std::vector<std::int32_t>;

std::string refusal(auto&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(TokenIds, CommasWhiteSpaceAndListsAreAlike) {
  for (const char* text : {"1,2,30", "1 2\t30\r\n", "[1, 2, 30]"}) {
    EXPECT_EQ(parse_ids(text, "--ids"), (Ids{1, 2, 30})) << text;
  }
  EXPECT_EQ(parse_ids("2147483647", "--ids"), Ids{INT32_MAX});
}

TEST(TokenIds, WhatIsNoIdIsNamed) {
  EXPECT_EQ(refusal([] { parse_ids("1,-2", "--ids"); }), "--ids: `-2` is no token id");
  EXPECT_EQ(refusal([] { parse_ids("2147483648", "f"); }), "f: `2147483648` is no token id");
  EXPECT_EQ(refusal([] { parse_ids(" ", "f"); }), "f: no ids");
}

TEST(TokenIds, OfALineTheyBelongToTheVocabulary) {
  EXPECT_EQ(ids_of_line(parse_json(R"({"ids": [0, 9]})", "t"), "line 1", 10), (Ids{0, 9}));
  EXPECT_EQ(ids_of_line(parse_json(R"({"ids": []})", "t"), "line 1", 10), Ids{});
  for (const char* id : {"10", "-1", "1.5", "true"}) {
    const Json line = parse_json(R"({"ids": [)" + std::string(id) + "]}", "t");
    EXPECT_EQ(
        refusal([&] { ids_of_line(line, "line 1", 10); }),
        "line 1: `ids` holds " + std::string(id) + ", which is no id of this vocabulary (0 to 9)");
  }
  for (const char* line : {R"({"ids": 1})", R"({"id": [1]})"}) {
    EXPECT_EQ(refusal([&] { ids_of_line(parse_json(line, "t"), "line 1", 10); }),
              "line 1: key `ids` must be a list of ids");
  }
}

}  // namespace
}  // namespace elastic::engine
