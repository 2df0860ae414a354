// The chat template language on templates of our own, and what is refused with which words.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "engine/api/chat_template.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

const Json kTokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};

std::string render(std::string_view source, const Json& messages = Json::array(),
                   const ChatOptions& options = {}) {
  return ChatTemplate(source, "test.jinja", kTokens).render(messages, options);
}

// The text, or what is said in its place.
std::string rendered_or_error(std::string_view source) {
  try {
    return render(source);
  } catch (const Error& error) {
    return error.what();
  }
}

struct Case {
  std::string source, expected;
};

TEST(ChatTemplate, Language) {
  const std::vector<Case> cases = {
      {"a{{ 1 + 2 * 3 }}b", "a7b"},
      {"{{ 'x' ~ 1 ~ none }}", "x1None"},
      {"{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 / 2 }} {{ -7 % 3 }}", "3 -4 3.5 2"},
      {"{{ [1, 'a', true] }}", "[1, 'a', True]"},
      {"{{ {'a': 1}['a'] }}{{ {'a': 1}.a }}", "11"},
      {"{% if x is defined %}y{% else %}n{% endif %}", "n"},
      {"{% if not x %}n{% elif 1 %}m{% endif %}", "n"},
      {"{{ 'yes' if 1 > 2 else 'no' }}", "no"},
      {"{% for i in range(3) %}{{ loop.index }}{{ ',' if not loop.last }}{% endfor %}", "1,2,3"},
      {"{% for a, b in {'k': 2}.items() %}{{ a }}={{ b }}{% endfor %}", "k=2"},
      {"{% for i in [1, 2, 3, 4] if i is even %}{{ i }}{% endfor %}", "24"},
      {"{% for i in [] %}x{% else %}none{% endfor %}", "none"},
      {"{% for i in range(9223372036854775800, 9223372036854775807, 5) %}{{ i }},{% endfor %}",
       "9223372036854775800,9223372036854775805,"},
      {"{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "01"},
      {"{% set x = 1 %}{% for i in [2] %}{% set x = i %}{% endfor %}{{ x }}", "1"},
      {"{% set n = namespace(x=1) %}{% for i in [2] %}{% set n.x = i %}{% endfor %}{{ n.x }}", "2"},
      {"{% set t %}a{{ 1 }}{% endset %}{{ t|upper }}", "A1"},
      {"{% macro m(a, b='z') %}[{{ a }}{{ b }}]{% endmacro %}{{ m('x') }}{{ m(1, b=2) }}",
       "[xz][12]"},
      {"{{ ' a '|trim }}|{{ [3, 4]|length }}|{{ ['a', 'b']|join('-') }}", "a|2|a-b"},
      {"{{ x|default('d') }}{{ ''|default('e', true) }}", "de"},
      {"{{ {'a': [1, none, 'ü']}|tojson }}", "{\"a\": [1, null, \"ü\"]}"},
      {"{{ {'a': 1}|tojson(indent=2) }}", "{\n  \"a\": 1\n}"},
      {"{{ [1, 2, 3][1:] }}{{ 'abc'[::-1] }}{{ [1, 2, 3][-1] }}", "[2, 3]cba3"},
      {"{{ 'a,b'.split(',')[1] }}{{ '  x'.lstrip() }}{{ 'xyx'.strip('x') }}", "bxy"},
      {"{{ 'ab'.startswith('a') }}{{ 'b' in 'abc' }}{{ 4 not in [1] }}", "TrueTrueTrue"},
      {"{{ bos_token }}{{ \"\\n\" }}{{ 'a' 'b' }}", "<s>\nab"},
      {"a  {%- if true -%}  b  {%- endif %}", "ab"},
      {"  {% if true %}\nb\n  {% endif %}\nc", "b\nc"},
      {"{# gone #}x{% raw %}{{ y }}{% endraw %}\n", "x{{ y }}"},
      {"{{ [{'r': 'u'}, {'r': 's'}]|selectattr('r', 'equalto', 's')|list|length }}", "1"},
      {"{% generation %}g{% endgeneration %}", "g"},
  };
  for (const Case& c : cases) EXPECT_EQ(render(c.source), c.expected) << c.source;
}

// Expressions of our own with what jinja2 3.1.6 makes of them (sandboxed, blocks trimmed).
TEST(ChatTemplate, ExpressionsAreThoseOfJinja) {
  const std::string file = read_file(testing::fixture("chat_templates/expressions.jsonl"));
  int cases = 0;
  for (const std::string_view line : split(strip(file), '\n')) {
    const Json row = parse_json(line, "expressions.jsonl");
    const auto source = row.at("source").get<std::string>();
    EXPECT_EQ(rendered_or_error(source), row.at("expected").get<std::string>()) << source;
    ++cases;
  }
  EXPECT_GE(cases, 140);
}

// What is refused, in which line and with which words.
TEST(ChatTemplate, RefusalsSayWhere) {
  const std::string file = read_file(testing::fixture("chat_templates/refusals.jsonl"));
  constexpr std::string_view kNoPart =
      "is not part of the template language that this program reads";
  for (const std::string_view line : split(strip(file), '\n')) {
    const Json row = parse_json(line, "refusals.jsonl");
    const auto source = row.at("source").get<std::string>();
    const auto said = row.at("said").get<std::string>();
    try {
      ADD_FAILURE() << source << " gave " << render(source);
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), "test.jinja, " + said) << source;
      EXPECT_EQ(error.kind(),
                said.ends_with(kNoPart) ? ErrorKind::kUnsupported : ErrorKind::kCorrupt)
          << source;
    }
  }
}

TEST(ChatTemplate, RefusedWithLineAndConstruct) {
  const std::vector<Case> cases = {
      {"\n{% include 'x' %}", "line 2: the statement `include`"},
      {"{{ 'a'|frobnicate }}", "the filter `frobnicate`"},
      {"{{ [1]|tojson(separators=(',', ':')) }}", "tojson with `separators`"},
      {"{{ 'a'.zfill(3) }}", "the string method `zfill`"},
      {"{{ 1 is prime }}", "the test `prime`"},
      {"{{ strftime_now('%d') }}", "the function `strftime_now`"},
      {"{{ 2 ** 3 }}", "`**`"},
      {"{% for x in y recursive %}{% endfor %}", "a recursive loop"},
      {"{{ 1 < 2 < 3 }}", "a chain of comparisons"},
      {"{{ f(*x) }}", "`*` arguments"},
      {"{{ {1: 2} }}", "a key that is no string"},
      {"{{ x.y }}", "`x` is undefined"},
      {"{{ x + 1 }}", "`x` is undefined"},
      {"{{ 'a' + 1 }}", "`+` of a string and a integer"},
      {"{{ 1 / 0 }}", "division by zero"},
      {"{{ 9223372036854775807 + 1 }}", "out of range"},
      {"{{ 99999999999999999999 }}", "out of range"},
      {"{{ -(-9223372036854775807 - 1) }}", "out of range"},
      {"{{ range(1000000000) }}", "a range too long"},
      {"{% if x %}", "no `endif`"},
      {"{% endif %}", "`endif` without a beginning"},
      {"{{ 'a }}", "never"},
      {"{{ a", "never closed"},
      {"{{ }}", "ends too early"},
      {"{{ a b }}", "unexpected `b`"},
      {"{% raw %}x", "never ends"},
      {"{{ raise_exception('no ' ~ 'good') }}", "no good"},
      {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "too deeply"},
      {"{% set x.y = 1 %}", "no namespace"},
      {"{% set a, b = [1] %}", "cannot be taken apart"},
      {"{{ " + std::string(200, '(') + " }}", "nested too deeply"},
      {"{% for a in range(100000) %}{% for b in range(100000) %}{{ a }}{% endfor %}{% endfor %}",
       "too many steps"},
      {"{% set n = namespace(x='xxxxxxxx') %}{% for i in range(40) %}{% set n.x = n.x + n.x %}"
       "{% endfor %}",
       "64 MB"},
  };
  for (const Case& c : cases) {
    try {
      const std::string text = render(c.source);
      ADD_FAILURE() << c.source << " gave " << text.substr(0, 60);
    } catch (const Error& error) {
      EXPECT_NE(std::string_view(error.what()).find(c.expected), std::string_view::npos)
          << c.source << ": " << error.what();
      EXPECT_NE(std::string_view(error.what()).find("test.jinja, line"), std::string_view::npos);
    }
  }
}

TEST(ChatTemplate, MessagesAndOptions) {
  const std::string_view source =
      "{% for m in messages %}<{{ m.role }}>{{ m['content'] }}{% endfor %}"
      "{% if add_generation_prompt %}<bot>{% endif %}"
      "{% if enable_thinking is defined and not enable_thinking %}<no>{% endif %}";
  const ChatTemplate chat(source, "test.jinja", kTokens);
  const std::vector<ChatMessage> messages = {{"user", "hi {{ x }}"}};
  EXPECT_EQ(chat.render(messages, {}), "<user>hi {{ x }}<bot>");
  EXPECT_EQ(chat.render(messages, {.add_generation_prompt = false, .enable_thinking = false}),
            "<user>hi {{ x }}<no>");
}

TEST(ChatTemplate, WhatAConfigurationHolds) {
  const testing::TemporaryFolder folder;
  const auto rendered = [&](const char* config) -> std::string {
    write_file_atomic(folder / "tokenizer_config.json", config);
    try {
      const auto chat = ChatTemplate::load(folder.path());
      return chat ? chat->render(Json::array(), {}) + "|" + chat->bos_text() : "none";
    } catch (const Error& error) {
      return error.what();
    }
  };
  const std::string at = (folder / "tokenizer_config.json").string();
  const std::string neither =
      at + ": key `chat_template` is neither a text nor a list with one named `default`";
  const std::pair<const char*, std::string> cases[] = {
      {"{}", "none"},
      {R"({"chat_template": null})", "none"},
      {R"({"chat_template": "a"})", "a|"},
      {R"({"chat_template": "{{ bos_token }}{{ eos_token }}{{ pad_token }}{{ unk_token }}",
           "bos_token": "b", "eos_token": {"content": "e"}, "pad_token": "p", "unk_token": "u"})",
       "bepu|b"},
      {R"({"chat_template": "{{ bos_token is defined }}", "bos_token": null})", "False|"},
      {R"({"chat_template": "{{ bos_token is defined }}", "bos_token": {}})", "False|"},
      {R"({"chat_template": "{{ bos_token is defined }}", "bos_token": {"content": 1}})", "False|"},
      {R"({"chat_template": [{"name": "x", "template": "x"},
           {"name": "default", "template": "d"}]})",
       "d|"},
      {R"({"chat_template": [{"name": "x", "template": "x"}]})", neither},
      {R"({"chat_template": [{"name": "default"}]})", neither},
      {R"({"chat_template": [{"name": "default", "template": 1}]})", neither},
      {R"({"chat_template": ["default"]})", neither},
      {R"({"chat_template": []})", neither},
      {R"({"chat_template": {"default": "a"}})", neither},
      {R"({"chat_template": 1})", neither},
      {"[]", at + ": expected an object"},
  };
  for (const auto& [config, expected] : cases) EXPECT_EQ(rendered(config), expected) << config;
}

TEST(ChatTemplate, FoundInACheckpointFolder) {
  const testing::TemporaryFolder folder;
  EXPECT_FALSE(ChatTemplate::load(folder.path()).has_value());
  write_file_atomic(folder / "tokenizer_config.json",
                    R"({"bos_token": {"content": "<b>"}, "chat_template": "{{ bos_token }}c"})");
  EXPECT_EQ(ChatTemplate::load(folder.path())->render(Json::array(), {}), "<b>c");
  EXPECT_EQ(ChatTemplate::load(folder.path())->source(),
            (folder / "tokenizer_config.json").string() + ", chat_template");
  write_file_atomic(folder / "chat_template.jinja", "{{ bos_token }}own");
  EXPECT_EQ(ChatTemplate::load(folder.path())->source(), (folder / "chat_template.jinja").string());
  EXPECT_EQ(ChatTemplate::load(folder.path())->sha256(), sha256_hex("{{ bos_token }}own"));
  EXPECT_EQ(ChatTemplate::load(folder.path())->text(), "{{ bos_token }}own");
  EXPECT_EQ(ChatTemplate::load(folder.path())->render(Json::array(), {}), "<b>own");
  write_file_atomic(folder / "chat_template.jinja", "{% if %}");
  EXPECT_THROW(ChatTemplate::load(folder.path()), Error);
}

}  // namespace
}  // namespace elastic::engine
