// Comma-separated values by RFC 4180: what is written reads back, and what is no CSV is named.

#include "base/csv.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace elastic {
namespace {

using Rows = std::vector<std::vector<std::string>>;

TEST(Csv, RowsAndFields) {
  EXPECT_EQ(parse_csv("", "t"), Rows{});
  EXPECT_EQ(parse_csv("\n\r\n\n", "t"), Rows{}) << "empty lines are left out";
  EXPECT_EQ(parse_csv("a", "t"), (Rows{{"a"}}));
  EXPECT_EQ(parse_csv("a,b\n,\nc", "t"), (Rows{{"a", "b"}, {"", ""}, {"c"}}));
  EXPECT_EQ(parse_csv("a,b\r\nc,\r\n", "t"), (Rows{{"a", "b"}, {"c", ""}}));
  EXPECT_EQ(parse_csv("\"a\"", "t"), (Rows{{"a"}}));
  EXPECT_EQ(parse_csv("\"a,b\",\"c\"\"d\"\n\"\",\"\"\"\"\n", "t"),
            (Rows{{"a,b", "c\"d"}, {"", "\""}}));
  EXPECT_EQ(parse_csv("\"a\nb\"\r\n\"c\r\nd\",e", "t"), (Rows{{"a\nb"}, {"c\r\nd", "e"}}));
  EXPECT_EQ(parse_csv("a\"b,c", "t"), (Rows{{"a\"b", "c"}})) << "a quote within a plain field";
}

// A view may be a part of a longer text: what lies behind it is not read.
TEST(Csv, EveryBeginningOfATextStandsForItself) {
  const std::string_view text = "a,\"b\"\"c\",\r\nd\n\"e\nf\",\"\"\r\n,\n\"g\"";
  const auto result = [](std::string_view part) {
    try {
      std::string all;
      for (const auto& row : parse_csv(part, "t")) {
        for (const std::string& field : row) all += field + "|";
        all += ";";
      }
      return all;
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  for (std::size_t n = 0; n <= text.size(); ++n) {
    EXPECT_EQ(result(text.substr(0, n)), result(std::string(text.substr(0, n)))) << n;
  }
}

TEST(Csv, FieldsReadBack) {
  for (const std::string text : {"", "a", "a,b", "\"", "a\"\"b", "\n", "a\nb", ",", "é, \"x\"\n"}) {
    const std::string line = csv_field(text) + "," + csv_field("end") + "\n";
    EXPECT_EQ(parse_csv(line, "t"), (Rows{{text, "end"}})) << line;
  }
  EXPECT_EQ(csv_field("plain text"), "plain text") << "no quotes without need";
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
}

TEST(Csv, FormulasAreText) {
  for (const char first : {'=', '+', '-', '@', '\t'}) {
    EXPECT_TRUE(csv_text(std::string(1, first) + "1").starts_with("'")) << first;
  }
  EXPECT_EQ(csv_text("1=2"), "1=2");
  EXPECT_EQ(csv_text(""), "");
  EXPECT_EQ(csv_text("=a,b"), "\"'=a,b\"");
}

TEST(Csv, WhatIsNoCsvNamesItsLine) {
  const std::pair<const char*, const char*> rows[] = {
      {"\"a", "t, line 1: CSV: a quote is not closed"},
      {"a\n\"b\nc", "t, line 2: CSV: a quote is not closed"},
      {"\"a\nb\"\n\"c\"d", "t, line 3: CSV: text after a closing quote"},
      {"\"a\" ,b", "t, line 1: CSV: text after a closing quote"}};
  for (const auto& [text, expected] : rows) {
    try {
      parse_csv(text, "t");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
      EXPECT_STREQ(error.what(), expected);
    }
  }
}

}  // namespace
}  // namespace elastic
