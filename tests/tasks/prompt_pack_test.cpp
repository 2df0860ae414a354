#include "tasks/ruler/prompt_pack.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"
#include "tasks/ruler/builtin_pack.h"
#include "tasks/ruler/record.h"

namespace elastic::tasks {
namespace {

std::string error_of(const Json& pack) {
  try {
    parse_prompt_pack(pack.dump(), "pack.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(prompt_pack, built_in_pack_is_whole) {
  const PromptPack pack = parse_prompt_pack(builtin_prompt_pack(), "built-in");
  EXPECT_EQ(pack.profile, "ruler@builtin");
  EXPECT_EQ(pack.tasks.size(), 5U);
  EXPECT_EQ(pack.tasks.at("niah").tokens_to_generate, 128);
  EXPECT_EQ(pack.examples_from, 1024);
}

TEST(prompt_pack, malformed_packs_are_named) {
  const Json whole = parse_json(builtin_prompt_pack(), "built-in");
  Json pack = whole;
  pack.erase("texts");
  EXPECT_NE(error_of(pack).find("`texts`"), std::string::npos);
  pack = whole;
  pack["texts"].erase("needle");
  EXPECT_NE(error_of(pack).find("needle"), std::string::npos);
  pack = whole;
  pack["texts"]["noise"] = 3;
  EXPECT_NE(error_of(pack).find("noise"), std::string::npos);
  pack = whole;
  pack["tasks"]["qa"] = "text";
  EXPECT_NE(error_of(pack).find("`qa`"), std::string::npos);
  pack = whole;
  pack["tasks"]["vt"] = pack["tasks"]["variable_tracking"];
  pack["tasks"].erase("variable_tracking");
  EXPECT_NE(error_of(pack).find("variable_tracking"), std::string::npos);
  pack = whole;
  pack["tasks"]["niah"]["tokens_to_generate"] = 0;
  EXPECT_NE(error_of(pack).find("tokens_to_generate"), std::string::npos);
  pack["tasks"]["niah"]["tokens_to_generate"] = 1;
  EXPECT_NO_THROW(parse_prompt_pack(pack.dump(), "pack.json"));
  for (const char* step : {"prose", "lines", "documents"}) {
    pack = whole;
    pack["steps"][step] = 0;
    EXPECT_NO_THROW(parse_prompt_pack(pack.dump(), "pack.json")) << step;
    pack["steps"][step] = -1;
    EXPECT_NE(error_of(pack).find("a negative step"), std::string::npos) << step;
  }
  pack = whole;
  pack["model_templates"]["base"] = "no field";
  EXPECT_NE(error_of(pack).find("model_templates.base"), std::string::npos);
  pack = whole;
  pack["schema_version"] = 2;
  EXPECT_NE(error_of(pack).find("schema_version 2"), std::string::npos);
  EXPECT_NE(error_of(Json::array()).find("pack.json"), std::string::npos);
}

TEST(prompt_pack, fields_are_filled_verbatim) {
  EXPECT_EQ(fill_fields("{a}-{b}-{a}", {{"a", "{b}"}, {"b", "2"}}), "{b}-2-{b}");
  EXPECT_EQ(fill_fields("open { only", {}), "open { only");
  EXPECT_THROW(fill_fields("{unknown}", {{"a", "1"}}), Error);
}

TEST(ruler_record, lines_are_ascii_escaped_as_python_writes_them) {
  const RulerRecord record{.index = 7,
                           .input = "a\"\\\n\t\x7f é 😀",
                           .outputs = {"x", "y"},
                           .length = 12,
                           .answer_prefix = " so",
                           .token_position_answer = 3};
  EXPECT_EQ(record_line(record, Vintage::kGenA),
            "{\"index\": 7, \"input\": \"a\\\"\\\\\\n\\t\\u007f \\u00e9 \\ud83d\\ude00\", "
            "\"outputs\": [\"x\", \"y\"], \"length\": 12}");
  EXPECT_TRUE(record_line(record, Vintage::kGenB)
                  .ends_with("\"length\": 12, \"length_w_model_temp\": 12, \"answer_prefix\": "
                             "\" so\", \"token_position_answer\": 3}"));
  const RulerRecord read = parse_record(record_line(record, Vintage::kGenB), "line 1");
  EXPECT_EQ(read.input, record.input);
  EXPECT_EQ(read.outputs, record.outputs);
  EXPECT_EQ(read.answer_prefix, " so");
  EXPECT_THROW(parse_record("{\"index\": 1, \"input\": \"\", \"length\": 2}", "line 1"), Error);
  EXPECT_THROW(
      parse_record("{\"index\": 1, \"input\": \"\", \"outputs\": [1], \"length\": 2}", "x"), Error);
}

TEST(ruler_record, lists_as_python_shows_them) {
  EXPECT_EQ(python_list({"a", "it's", "both ' and \""}), "['a', \"it's\", 'both \\' and \"']");
  EXPECT_EQ(python_list({"tab\t\x01\u00a0\u2028 é"}), "['tab\\t\\x01\\xa0\\u2028 é']");
  EXPECT_EQ(python_list({}), "[]");
  EXPECT_EQ(one_line(" a\n\tb\u00a0 c "), "a b c");
}

}  // namespace
}  // namespace elastic::tasks
