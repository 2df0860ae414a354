#include "base/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "base/error.h"
#include "tests/testing/folders.h"

namespace elastic {
namespace {

std::string error_of(auto&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Json, TypedAccessNamesSourceKeyAndValue) {
  const Json object =
      parse_json(R"({"layers": 3, "eps": 1e-5, "name": "x", "tied": true, "none": null})", "c");
  const JsonSource in{object, "config.json"};
  EXPECT_EQ(json_get<std::int64_t>(in, "layers"), 3);
  EXPECT_DOUBLE_EQ(json_get<double>(in, "eps"), 1e-5);
  EXPECT_EQ(json_get<std::string>(in, "name"), "x");
  EXPECT_TRUE(json_get<bool>(in, "tied"));
  EXPECT_EQ(json_get_or<std::int64_t>(in, "none", 7), 7);
  EXPECT_EQ(json_get_or<std::string>(in, "absent", "d"), "d");
  EXPECT_EQ(error_of([&] { json_get<bool>(in, "absent"); }),
            "config.json: key `absent` is missing");
  EXPECT_EQ(error_of([&] { json_get<std::int64_t>(in, "name"); }),
            "config.json: key `name` is \"x\", expected an integer");
  EXPECT_EQ(error_of([&] { json_get_or<bool>(in, "layers", false); }),
            "config.json: key `layers` is 3, expected true or false");
}

TEST(Json, IntegersMustBeWholeAndInRange) {
  const Json object = parse_json(
      R"({"whole": 128.0, "half": 0.5, "huge": 1e300, "unsigned": 18446744073709551615})", "t");
  const JsonSource in{object, "t"};
  EXPECT_EQ(json_get<std::int64_t>(in, "whole"), 128);
  EXPECT_THROW(json_get<std::int64_t>(in, "half"), Error);
  EXPECT_THROW(json_get<std::int64_t>(in, "huge"), Error);
  EXPECT_THROW(json_get<std::int64_t>(in, "unsigned"), Error);
}

TEST(Json, MalformedTextIsCorruptAndNamesItsSource) {
  for (const char* text :
       {"", "{", "[1,", "{\"a\" 1}", "nul", "{\"a\":1}x", "\"\\ud800\"", "\x00\x01"}) {
    try {
      parse_json(text, "line 3 of x.jsonl");
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
      EXPECT_TRUE(std::string(error.what()).starts_with("line 3 of x.jsonl: ")) << error.what();
    }
  }
}

TEST(Json, AKeyThatStandsTwiceIsRefusedByName) {
  for (const char* text : {R"({"a": 1, "b": 2, "a": 1})", R"([{"x": {"b": 0, "a": [], "a": {}}}])",
                           R"({"a": ":", "\u0061": 2})"}) {
    const std::string message = error_of([&] { parse_json(text, "config.json"); });
    EXPECT_EQ(message, "config.json: key `a` stands twice in one object") << text;
  }
  EXPECT_EQ(parse_json(R"({"a": {"a": [{"a": ":"}, {"a": "\":{"}]}, ":": 1})", "t").size(), 2u);
}

TEST(Json, DeepNestingIsRefusedBeforeItExhaustsTheStack) {
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  EXPECT_NE(error_of([&] { parse_json(deep, "t"); }).find("nested deeper"), std::string::npos);
  EXPECT_EQ(parse_json("\"" + std::string(5000, '[') + "\"", "t").get<std::string>().size(), 5000u);
}

TEST(Json, DumpKeepsOrderAndNeverWritesNan) {
  Json value;
  value["z"] = 1;
  value["a"] = std::numeric_limits<double>::quiet_NaN();
  value["s"] = "\xff";
  EXPECT_EQ(dump_line(value), "{\"z\":1,\"a\":null,\"s\":\"\xEF\xBF\xBD\"}");
}

TEST(Json, MissingFileIsNotFound) {
  try {
    read_json("/nonexistent/config.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
  }
}

TEST(Json, LoneSurrogateEscapes) {
  std::string text = R"({"a": "\ud83d \ud83d\ude00 \udc00 \\ud800"})";
  EXPECT_TRUE(replace_lone_surrogates(text));
  EXPECT_EQ(text, R"({"a": "\ufffd \ud83d\ude00 \ufffd \\ud800"})");
  EXPECT_FALSE(replace_lone_surrogates(text));
}

}  // namespace
}  // namespace elastic
