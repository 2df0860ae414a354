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
  // A file whose end was lost in a crash is often zeros.
  const std::string zeros(3, '\0');
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[1,"), std::string("{\"a\" 1}"),
        std::string("nul"), std::string("{\"a\":1}x"), std::string("\"\\ud800\""), zeros + "\x01",
        "{\"a\":1}" + zeros, "6" + zeros + "\"}\"*: ]}", "\"" + zeros + "\""}) {
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

TEST(Json, NestingIsCountedByDepthOutsideOfStrings) {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_EQ(parse_json(nested(512), "t").size(), 1u);
  EXPECT_THROW(parse_json(nested(513), "t"), Error);
  std::string siblings = "[";
  for (int i = 0; i < 600; ++i) siblings += "{},";
  EXPECT_EQ(parse_json(siblings + "[]]", "t").size(), 601u);
  EXPECT_EQ(parse_json(R"(["\\", "\"[)" + std::string(600, '{') + R"("])", "t").size(), 2u);
}

TEST(Json, BracesNestAsBracketsDo) {
  const auto nested = [](int depth) {
    std::string open, close;
    for (int i = 0; i < depth; ++i) {
      open += i % 2 == 0 ? R"({"a":)" : "[";
      close = (i % 2 == 0 ? "}" : "]") + close;
    }
    return open + "0" + close;
  };
  EXPECT_EQ(parse_json(nested(512), "t").size(), 1u);
  EXPECT_EQ(error_of([&] { parse_json(nested(513), "t"); }),
            "t: JSON nested deeper than 512 levels");
  EXPECT_EQ(error_of([] { parse_json(std::string("[1,\0]", 5), "t"); }),
            "t: not valid JSON: byte 3 is zero");
}

TEST(Json, AKeyIsRepeatedOnlyWithinItsOwnObject) {
  const auto repeated = [](const char* text) { return error_of([&] { parse_json(text, "t"); }); };
  EXPECT_EQ(repeated(R"({"a": {"b": 1}, "b": 2, "c": [{"c": 1}, {"c": 2}], "a": 3})"),
            "t: key `a` stands twice in one object");
  EXPECT_EQ(repeated(R"([{"a": 1}, {"a": 1}, {"b": 1, "a": {"a": 2}, "b": 3}])"),
            "t: key `b` stands twice in one object");
}

TEST(Json, EveryTypeRefusesTheOthers) {
  const Json object = {{"flag", true}, {"whole", 3}, {"real", 0.5}, {"text", "3"}, {"list", {1}}};
  const JsonSource in{object, "t"};
  const auto refused = [](const char* key, const char* value, const char* expected) {
    return std::string("t: key `") + key + "` is " + value + ", expected " + expected;
  };
  const std::pair<const char*, const char*> values[] = {
      {"flag", "true"}, {"whole", "3"}, {"real", "0.5"}, {"text", "\"3\""}, {"list", "[1]"}};
  for (const auto& [key, value] : values) {
    const std::string name = key;
    if (name != "flag") {
      EXPECT_EQ(error_of([&] { json_get<bool>(in, name); }), refused(key, value, "true or false"));
    }
    if (name != "whole") {
      EXPECT_EQ(error_of([&] { json_get<std::int64_t>(in, name); }),
                refused(key, value, "an integer"));
    }
    if (name != "whole" && name != "real") {
      EXPECT_EQ(error_of([&] { json_get<double>(in, name); }), refused(key, value, "a number"));
    }
    if (name != "text") {
      EXPECT_EQ(error_of([&] { json_get<std::string>(in, name); }),
                refused(key, value, "a string"));
    }
  }
}

TEST(Json, LargeAndNegativeNumbers) {
  const Json object = parse_json(
      R"({"a": 8999999999999999.0, "b": 9e15, "c": -128.0, "d": 9223372036854775807, "e": 3})",
      "t");
  const JsonSource in{object, "t"};
  EXPECT_EQ(json_get<std::int64_t>(in, "a"), 8999999999999999);
  EXPECT_THROW(json_get<std::int64_t>(in, "b"), Error);
  EXPECT_EQ(json_get<std::int64_t>(in, "c"), -128);
  EXPECT_EQ(json_get<std::int64_t>(in, "d"), INT64_MAX);
  EXPECT_EQ(json_get<double>(in, "e"), 3);
  const Json least = parse_json(R"({"a": -9223372036854775808, "b": 9223372036854775808})", "t");
  EXPECT_EQ(json_get<std::int64_t>({least, "t"}, "a"), INT64_MIN);
  EXPECT_THROW(json_get<std::int64_t>({least, "t"}, "b"), Error);
}

TEST(Json, LongValuesAreShortenedInErrors) {
  const Json object = {{"fits", std::string(58, 'x')}, {"long", std::string(59, 'x')}};
  const JsonSource in{object, "t"};
  EXPECT_NE(error_of([&] { json_get<bool>(in, "fits"); }).find(std::string(58, 'x') + "\","),
            std::string::npos);
  EXPECT_NE(error_of([&] { json_get<bool>(in, "long"); }).find(std::string(56, 'x') + "...,"),
            std::string::npos);
  EXPECT_EQ(error_of([&] {
              json_get<bool>({Json::array(), "list.json"}, "a");
            }),
            "list.json: expected a JSON object");
  EXPECT_EQ(error_of([&] {
              json_get_or<bool>({Json::array(), "list.json"}, "a", true);
            }),
            "list.json: expected a JSON object");
}

TEST(Json, UnknownKeysAreNamed) {
  const Json object = {{"layers", 1}, {"laeyrs", 2}};
  EXPECT_NO_THROW(refuse_unknown_keys({object, "c.json"}, {"layers", "laeyrs"}));
  EXPECT_EQ(error_of([&] {
              refuse_unknown_keys({object, "c.json"}, {"layers"});
            }),
            "c.json: unknown key `laeyrs`; did you mean `layers`? known: layers");
}

TEST(Json, PrettyTextIsIndentedAndEndsInALineEnd) {
  const Json value = {{"a", Json::array({"\u00e9"})}};
  EXPECT_EQ(dump_pretty(value), "{\n  \"a\": [\n    \"\u00e9\"\n  ]\n}\n");
  EXPECT_EQ(dump_line(value), "{\"a\":[\"\u00e9\"]}");
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
  const auto replaced = [](std::string escapes) {
    replace_lone_surrogates(escapes);
    return escapes;
  };
  EXPECT_EQ(replaced(R"(\ud7ff\ue000\n\)"), R"(\ud7ff\ue000\n\)") << "neighbours of the range";
  EXPECT_EQ(replaced(R"(\udbff\udfff\ud800\udc00)"), R"(\udbff\udfff\ud800\udc00)");
  EXPECT_EQ(replaced(R"(\ud83d\ud83d\ude00\ud83d)"), R"(\ufffd\ud83d\ude00\ufffd)");
  EXPECT_EQ(replaced(R"(\ud83)"), R"(\ud83)") << "cut off";
  EXPECT_EQ(replaced(R"(\ud83dxude00\ud83d\nde00)"), R"(\ufffdxude00\ufffd\nde00)");
  EXPECT_EQ(replaced(R"(\ud83d\ude00\ude00\\\ude00)"), R"(\ud83d\ude00\ufffd\\\ufffd)");
}

}  // namespace
}  // namespace elastic
