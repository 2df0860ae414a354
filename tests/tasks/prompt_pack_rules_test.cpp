// Prompt packs key by key: what is read, what is left at upstream's, what is refused.

#include "tasks/ruler/prompt_pack.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <functional>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"

namespace elastic::tasks {
namespace {

std::string told(const std::function<std::string()>& act) {
  try {
    return act() + "\n";
  } catch (const Error& error) {
    return fmt::format("{} {}\n", static_cast<int>(error.kind()), error.what());
  }
}

Json small_pack() {
  Json pack = parse_json(R"({"schema_version": 1, "profile": "p", "texts": {"needle": "n",
      "noise": "z", "qa_document": "d"}, "model_templates": {"m": "<{task_template}>"}})",
                         "pack");
  int tokens = 1;
  for (const char* task :
       {"niah", "variable_tracking", "common_words_extraction", "freq_words_extraction", "qa"}) {
    pack["tasks"][task] = {{"template", fmt::format("{} of", task)},
                           {"answer_prefix", fmt::format("a {}", task)},
                           {"tokens_to_generate", tokens++}};
  }
  return pack;
}

std::string shown_pack(const Json& json) {
  return told([&] {
    const std::string bytes = json.dump();
    const PromptPack p = parse_prompt_pack(bytes, "pack.json");
    EXPECT_EQ(p.sha256, sha256_hex(bytes));
    std::string text =
        fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}\n", p.profile, p.needle, p.noise,
                    p.qa_document, p.query_separator, p.query_last_separator, p.noise_separator,
                    p.needle_separator, p.first_link, p.link, p.prose_step, p.line_step,
                    p.document_step, p.stop, p.examples_from);
    for (const auto& [name, t] : p.tasks) {
      text += fmt::format("{}|{}|{}|{}|{}|{}\n", name, t.prompt, t.answer_prefix, t.prompt_one,
                          t.answer_prefix_one, t.tokens_to_generate);
    }
    for (const auto& [name, value] : p.model_templates) text += fmt::format("{}={}", name, value);
    return text;
  });
}

TEST(PromptPackRules, PacksAreReadKeyByKey) {
  std::string all = "\n" + shown_pack(small_pack());
  Json whole = small_pack();
  whole["texts"].update(parse_json(
      R"({"query_separator": "1", "query_last_separator": "2", "noise_separator": "3",
          "needle_separator": "4", "first_link": "5", "link": "6"})",
      "texts"));
  whole.update(parse_json(R"({"stop": "s", "examples_from": 7,
                              "steps": {"prose": 8, "lines": 9, "documents": 10}})",
                          "more"));
  whole["tasks"]["niah"].update({{"template_one", "t"}, {"answer_prefix_one", "u"}});
  whole["model_templates"]["o"] = "{task_template}{task_template}";
  all += shown_pack(whole);
  EXPECT_EQ(all, R"(
p|n|z|d|, |, and |
|
|VAR {name} = {value}|VAR {name} = VAR {previous} |0|0|0||0
common_words_extraction|common_words_extraction of|a common_words_extraction|||3
freq_words_extraction|freq_words_extraction of|a freq_words_extraction|||4
niah|niah of|a niah|||1
qa|qa of|a qa|||5
variable_tracking|variable_tracking of|a variable_tracking|||2
m=<{task_template}>
p|n|z|d|1|2|3|4|5|6|8|9|10|s|7
common_words_extraction|common_words_extraction of|a common_words_extraction|||3
freq_words_extraction|freq_words_extraction of|a freq_words_extraction|||4
niah|niah of|a niah|t|u|1
qa|qa of|a qa|||5
variable_tracking|variable_tracking of|a variable_tracking|||2
m=<{task_template}>o={task_template}{task_template}
)");
}

TEST(PromptPackRules, BadPacksAreNamed) {
  std::string all = "\n";
  for (const char* changes : {R"({"schema_version": 0})",
                              R"({"schema_version": null})",
                              R"({"texts": []})",
                              R"({"texts": null})",
                              R"({"texts": {"noise": 3}})",
                              R"({"texts": {"link": 3}})",
                              R"({"profile": null})",
                              R"({"steps": 3})",
                              R"({"steps": {"prose": -1}})",
                              R"({"steps": {"lines": -1}})",
                              R"({"steps": {"documents": -1}})",
                              R"({"steps": {"lines": "x"}})",
                              R"({"tasks": null})",
                              R"({"tasks": 3})",
                              R"({"tasks": {"qa": null}})",
                              R"({"tasks": {"niah": 3}})",
                              R"({"tasks": {"qa": {"tokens_to_generate": 0}}})",
                              R"({"tasks": {"qa": {"tokens_to_generate": -1}}})",
                              R"({"tasks": {"qa": {"answer_prefix": ""}}})",
                              R"({"tasks": {"qa": {"template": null}}})",
                              R"({"model_templates": null})",
                              R"({"model_templates": {"m": 3}})",
                              R"({"model_templates": {"m": "x"}})",
                              R"({"model_templates": {"n": "{task_template"}})",
                              R"({"stop": 3})"}) {
    Json pack = small_pack();
    pack.merge_patch(parse_json(changes, "changes"));
    all += shown_pack(pack);
  }
  all += shown_pack(Json::array());
  EXPECT_EQ(all, R"(
4 pack.json: schema_version 0, expected 1
2 pack.json: key `schema_version` is missing
2 pack.json: key `texts` is not an object
2 pack.json: key `texts` is not an object
2 pack.json, texts: key `noise` is 3, expected a string
2 pack.json, texts: key `link` is 3, expected a string
2 pack.json: key `profile` is missing
2 pack.json: key `steps` is not an object
2 pack.json, steps: a negative step
2 pack.json, steps: a negative step
2 pack.json, steps: a negative step
2 pack.json, steps: key `lines` is "x", expected an integer
2 pack.json: key `tasks` is not an object
2 pack.json: key `tasks` is not an object
2 pack.json, tasks: key `qa` is not an object
2 pack.json, tasks: key `niah` is not an object
2 pack.json, tasks.qa: answer_prefix is empty or tokens_to_generate is not positive
2 pack.json, tasks.qa: answer_prefix is empty or tokens_to_generate is not positive
2 pack.json, tasks.qa: answer_prefix is empty or tokens_to_generate is not positive
2 pack.json, tasks.qa: key `template` is missing
2 pack.json: key `model_templates` is not an object
2 pack.json: model_templates.m has no {task_template}
2 pack.json: model_templates.m has no {task_template}
2 pack.json: model_templates.n has no {task_template}
2 pack.json: key `stop` is 3, expected a string
2 pack.json: expected a JSON object
)");
}

TEST(PromptPackRules, FieldsAreFilled) {
  const Fields fields = {{"a", "1"}, {"b", "{a}"}, {"", "empty"}, {"a", "second"}};
  std::string all = "\n";
  for (const char* text :
       {"", "x", "{a}", "{b}{a}", "}{a}", "x}y{a}z}", "{a", "{", "{}", "{c}", "{a}{ b}", "{{a}}"}) {
    all += told([&] { return fill_fields(text, fields); });
  }
  EXPECT_EQ(all, R"(

x
1
{a}1
}1
x}y1z}
{a
{
empty
2 prompt pack: unknown field `{c}` in a template
2 prompt pack: unknown field `{ b}` in a template
2 prompt pack: unknown field `{{a}` in a template
)");
}

}  // namespace
}  // namespace elastic::tasks
