// Chat templates that ask for too much: each ends in an Error, within seconds and bounded memory.

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "engine/api/chat_template.h"
#include "engine/chat/template_budget.h"

namespace elastic::engine {
namespace {

std::string rendered(std::string_view source) {
  return ChatTemplate(source, "test.jinja", Json::object()).render(Json::array(), {});
}

std::string repeated(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

void expect_error(std::string_view source, std::string_view named) {
  try {
    const std::string text = rendered(source);
    ADD_FAILURE() << source.substr(0, 100) << " gave " << text.substr(0, 60);
  } catch (const Error& error) {
    EXPECT_NE(std::string_view(error.what()).find(named), std::string_view::npos)
        << source.substr(0, 100) << ": " << error.what();
    EXPECT_TRUE(std::string_view(error.what()).starts_with("test.jinja, line ")) << error.what();
  }
}

// `n.x` doubled that often: a text of 8 << times characters,
// or a list of items that are each other.
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
  EXPECT_EQ(rendered("{{ 1" + repeated(" + 1", 250) + " }}"), "251");
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

// The most that is read, and one more.
TEST(ChatTemplateLimits, NestingIsBoundedExactly) {
  const auto blocks = [](int depth) {
    return repeated("{% if 1 %}\n", depth) + "x" + repeated("{% endif %}", depth);
  };
  EXPECT_EQ(rendered(blocks(59)), "x");
  expect_error(blocks(60), "statements nested too deeply");
  expect_error(repeated("\n{% if 1 %}", 60), "line 61: statements nested too deeply");
  const auto brackets = [](int depth) {
    return "{{ " + repeated("(", depth) + "1" + repeated(")", depth) + " }}";
  };
  EXPECT_EQ(rendered(brackets(49)), "1");
  expect_error(brackets(50), "line 1: an expression nested too deeply");
  const auto chain = [](int links) { return "{{ 0" + repeated(" + 1", links) + " }}"; };
  EXPECT_EQ(rendered(chain(300)), "300");
  expect_error(chain(301), "line 1: an expression nested too deeply");
  const auto argument = [](int links) {
    return "{% set x = {} %}{{ range(1, 0" + repeated(" + 1", links) + ", 200)|list }}";
  };
  EXPECT_EQ(rendered(argument(297)), "[1, 201]");
  expect_error(argument(301), "line 1: an expression nested too deeply");
}

TEST(ChatTemplateLimits, ValuesNestBoundedly) {
  const auto messages = [](int depth) {
    Json list = 1;
    for (int i = 0; i < depth; ++i) list = i % 2 == 0 ? Json::array({list}) : Json{{"a", list}};
    return list;
  };
  const ChatTemplate chat("\n{{ messages|length }}", "test.jinja", Json::object());
  EXPECT_EQ(chat.render(messages(64), {}), "\n1");
  try {
    chat.render(messages(65), {});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "test.jinja, line 1: a value nested too deeply");
  }
}

TEST(ChatTemplateLimits, LoopsAndExpressionsAreSteps) {
  const std::string steps = "the template takes too many steps";
  const auto loops = [](int count) {
    return repeated("{% for a in range(100000) %}{{ 1 }}{% endfor %}", count);
  };
  EXPECT_EQ(rendered(loops(3)).size(), 300'000U) << "three steps each";
  expect_error(loops(4), steps);
  expect_error("{% for a in range(30000) %}{% set x = 1" + repeated(" + 1", 40) + " %}{% endfor %}",
               steps);
  EXPECT_EQ(rendered("{% for a in range(30000) %}{% set x = 1 + 1 %}{% endfor %}x"), "x");
}

TEST(ChatTemplateLimits, BudgetsAreSpentExactly) {
  TemplateBudget steps;
  for (int i = 0; i < 1'000'000; ++i) steps.step();
  EXPECT_THROW(steps.step(), TemplateFault);
  TemplateBudget budget;
  budget.bytes(std::size_t{256} << 20);
  EXPECT_THROW(budget.bytes(1), TemplateFault);
  budget.elements(7'999'999);
  EXPECT_THROW(budget.elements(2), TemplateFault);
  budget.names(15);
  EXPECT_THROW(budget.names(0), TemplateFault);
  budget.text_of(std::size_t{64} << 20);
  EXPECT_THROW(budget.text_of((std::size_t{64} << 20) + 1), TemplateFault);
  std::vector<std::unique_ptr<TemplateBudget::Nested>> nested;
  for (int i = 0; i < 1000; ++i) {  // NOLINT: grows by one
    nested.push_back(std::make_unique<TemplateBudget::Nested>(budget));
  }
  EXPECT_THROW(TemplateBudget::Nested{budget}, TemplateFault);
  nested.pop_back();
  EXPECT_NO_THROW(TemplateBudget::Nested{budget});
  try {
    budget.bytes(1);
  } catch (const TemplateFault& fault) {
    EXPECT_EQ(fault.what, "the template handles too much text");
    EXPECT_FALSE(fault.unsupported);
  }
}

TEST(ChatTemplateLimits, ARefusalIsCut) {
  const auto refused = [](int length) {
    return "{{ raise_exception('" + std::string(static_cast<std::size_t>(length), 'x') + "') }}";
  };
  for (const int length : {999, 1000, 1001, 2000}) {
    try {
      rendered(refused(length));
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      const std::string said(static_cast<std::size_t>(std::min(length, 1000)), 'x');
      EXPECT_EQ(error.what(), "test.jinja, line 1: the template refuses these messages: " + said);
    }
  }
  expect_error("{{ " + std::string(150, 'n') + ".a }}",
               "line 1: `" + std::string(100, 'n') + "` is undefined, so it has no `a`");
  EXPECT_EQ(rendered("{{ range(100000)|length }}"), "100000");
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
  EXPECT_EQ(rendered(big_text("n", 18) + big_text("m", 17) + "{{ (m.x + 'y') in n.x }}"), "False");
  EXPECT_EQ(rendered("{% set l = range(100000) %}{% for i in l %}{% set y = l[-1] %}{% endfor %}"
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
    EXPECT_EQ(rendered("a"), "a");
    std::raise(SIGTERM);
    try {
      rendered("{% for a in range(100000) %}{% endfor %}");
      ADD_FAILURE() << "not ended";
    } catch (const Interrupted& stop) {
      EXPECT_EQ(stop.signal, SIGTERM);
    }
  }
  const InterruptGuard forgets("");  // for the tests after this one
}

}  // namespace
}  // namespace elastic::engine
