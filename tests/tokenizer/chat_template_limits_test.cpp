// Chat templates that ask for too much: each ends in an Error, within seconds and bounded memory.

#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "engine/api/chat_template.h"

namespace elastic::engine {
namespace {

std::string render(std::string_view source) {
  return ChatTemplate(source, "test.jinja", Json::object()).render(Json::array(), {});
}

std::string repeated(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

void expect_error(std::string_view source, std::string_view named) {
  try {
    const std::string text = render(source);
    ADD_FAILURE() << source.substr(0, 100) << " gave " << text.substr(0, 60);
  } catch (const Error& error) {
    EXPECT_NE(std::string_view(error.what()).find(named), std::string_view::npos)
        << source.substr(0, 100) << ": " << error.what();
    EXPECT_TRUE(std::string_view(error.what()).starts_with("test.jinja, line ")) << error.what();
  }
}

// `n.x` doubled that often: a text of 8 << times characters, or a list of items that are each
// other.
std::string doubled(std::string_view name, std::string_view first, std::string_view twice,
                    int times) {
  std::string loop = "{% set N = namespace(x=" + std::string(first) + ") %}{% for i in range(" +
                     std::to_string(times) + ") %}{% set N.x = " + std::string(twice) +
                     " %}{% endfor %}";
  for (std::size_t at = loop.find('N'); at != std::string::npos; at = loop.find('N', at)) {
    loop.replace(at, 1, name);
  }
  return loop;
}
std::string big_text(std::string_view name, int times) {
  return doubled(name, "'xxxxxxxx'", "N.x + N.x", times);
}
std::string tower(std::string_view name) { return doubled(name, "[1]", "[N.x, N.x]", 50); }

// Long enough that a walk by recursion would leave the stack.
TEST(ChatTemplateLimits, ChainsOfEveryOperator) {
  constexpr int kLinks = 120'000;
  for (const std::string_view link :
       {".a", "[0]", "[:]", "['a']", "()", "|trim", " is defined", " is not defined", " + 1",
        " - 1", " * 1", " ~ 1", " and 1", " or 0", " if 1"}) {
    expect_error("{{ x" + repeated(link, kLinks) + " }}", "nested too deeply");
  }
  expect_error("{{ 1 is eq x" + repeated(".a", kLinks) + " }}", "nested too deeply");
  expect_error("{{ f(x" + repeated(".a", kLinks) + ") }}", "nested too deeply");
  EXPECT_EQ(render("{{ 1" + repeated(" + 1", 250) + " }}"), "251");
}

TEST(ChatTemplateLimits, ValuesWithinValues) {
  const auto nested = [](std::string_view first, std::string_view next) {
    return "{% set n = namespace(x=" + std::string(first) +
           ") %}{% for i in range(100000) %}{% for j in range(4) %}{% set n.x = " +
           std::string(next) + " %}{% endfor %}{% endfor %}";
  };
  expect_error(nested("[]", "[n.x]"), "nested too deeply");
  expect_error(nested("{}", "{'a': n.x}"), "nested too deeply");
  expect_error("{% set n = namespace(x=1) %}{% set n.x = n %}", "a namespace inside");
  expect_error("{% set n = namespace(x=1) %}{% set n.x = [n] %}", "a namespace inside");
  expect_error("{% set n = namespace(x=namespace()) %}", "a namespace inside");
}

// 2^50 items that are few objects.
TEST(ChatTemplateLimits, DoubledLists) {
  expect_error(tower("n") + tower("m") + "{{ n.x == m.x }}", "too long");
  expect_error(tower("n") + tower("m") + "{{ n.x in [m.x] }}", "too long");
  expect_error(tower("n") + "{{ n.x }}", "too long");
  expect_error(tower("n") + "{{ n.x|tojson }}", "too long");
  expect_error(tower("n") + "{{ n.x|join(',') }}", "too long");
  expect_error(doubled("n", "[1]", "N.x + N.x", 50), "too");
  const std::string map = "{'a': N.x, 'b': N.x}";
  expect_error(
      doubled("n", "{'a': 1}", map, 50) + doubled("m", "{'a': 1}", map, 50) + "{{ n.x == m.x }}",
      "too long");
}

TEST(ChatTemplateLimits, TextsThatExplode) {
  const std::string big = big_text("n", 20);  // 8 MB
  expect_error(big + "{{ n.x|replace('x', n.x) }}", "64 MB");
  expect_error(big + "{{ range(100000)|join(n.x) }}", "64 MB");
  expect_error(big + "{{ n.x|list }}", "too long");
  expect_error(big + "{{ n.x.split('x') }}", "too long");
  expect_error(big + "{{ n.x.strip('y' + n.x) }}", "too long");
  expect_error(big + "{% for i in range(100000) %}{% set y = n[n.x + 'a'] %}{% endfor %}",
               "too much text");
  expect_error(
      big + big_text("m", 20) + "{% for i in range(100000) %}{% set y = n.x == m.x %}{% endfor %}",
      "too much text");
}

// What looks like one step takes one step's time: a search of a text that almost fits everywhere,
// an item of a long list.
TEST(ChatTemplateLimits, StepsAreShort) {
  EXPECT_EQ(render(big_text("n", 18) + big_text("m", 17) + "{{ (m.x + 'y') in n.x }}"), "False");
  EXPECT_EQ(render("{% set l = range(100000) %}{% for i in l %}{% set y = l[-1] %}{% endfor %}"
                   "{{ l[99999] }}"),
            "99999");
}

TEST(ChatTemplateLimits, MacrosWithinMacros) {
  expect_error("{% macro m() %}{{ m() " + repeated("~ 1", 250) + " }}{% endmacro %}{{ m() }}",
               "too deeply");
  expect_error("{% macro m() %}" + repeated("{% if 1 %}", 55) + "{{ m() }}" +
                   repeated("{% endif %}", 55) + "{% endmacro %}{{ m() }}",
               "too deeply");
}

TEST(ChatTemplateLimits, ASignalEndsTheEvaluation) {
  {
    const InterruptGuard guard("");
    EXPECT_EQ(render("a"), "a");
    std::raise(SIGTERM);
    try {
      render("{% for a in range(100000) %}{% endfor %}");
      ADD_FAILURE() << "not ended";
    } catch (const Interrupted& stop) {
      EXPECT_EQ(stop.signal, SIGTERM);
    }
  }
  const InterruptGuard forgets("");  // for the tests after this one
}

}  // namespace
}  // namespace elastic::engine
