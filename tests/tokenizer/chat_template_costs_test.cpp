// What a chat template's operations are charged: by the items and bytes that they touch, so that
// none is free. A budget of exactly the charge suffices, one less does not.

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/chat/template_budget.h"
#include "engine/chat/template_functions.h"
#include "engine/chat/template_value.h"

namespace elastic::engine {
namespace {

using Act = std::function<void(TemplateBudget&)>;
using Take = void (TemplateBudget::*)(std::size_t);

constexpr std::size_t kElements = 8'000'000, kBytes = std::size_t{256} << 20;

bool passes(const Act& act, Take take, std::size_t spent) {
  TemplateBudget budget;
  (budget.*take)(spent);
  try {
    act(budget);
  } catch (const TemplateFault&) {
    return false;
  }
  return true;
}

// The least that must be left of `all`.
std::size_t charge(const Act& act, Take take, std::size_t all) {
  std::size_t low = 0, high = all;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (passes(act, take, all - middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

Value text(std::size_t size, char c = 'x') { return std::string(size, c); }

Value list_of_numbers(std::int64_t count) {
  TemplateBudget budget;
  ValueList items;
  for (std::int64_t i = 0; i < count; ++i) items.emplace_back(i);  // NOLINT: a few
  return Value::list(budget, std::move(items));
}

Value list_of_texts(std::int64_t count, std::size_t size) {
  TemplateBudget budget;
  return Value::list(budget, ValueList(static_cast<std::size_t>(count), text(size)));
}

// Keys of three characters: k10, k11, ...
Value map_of_numbers(int count) {
  TemplateBudget budget;
  ValueMap map;
  for (int i = 0; i < count; ++i) map.set(budget, "k" + std::to_string(10 + i), std::int64_t{i});
  return Value::map(budget, std::move(map));
}

CallArguments given(ValueList positional) { return {.positional = std::move(positional)}; }

struct Row {
  const char* what;
  Act act;
  std::size_t elements, bytes;
};

void expect_charges(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    EXPECT_EQ(charge(row.act, &TemplateBudget::elements, kElements), row.elements) << row.what;
    EXPECT_EQ(charge(row.act, &TemplateBudget::bytes, kBytes), row.bytes) << row.what;
  }
}

Act operation(std::string_view op, const Value& a, const Value& b) {
  return [=](TemplateBudget& budget) { apply_operator(budget, op, a, b); };
}

Act filter(std::string_view name, const Value& value, const ValueList& arguments = {}) {
  return [=](TemplateBudget& budget) { apply_filter(budget, name, value, given(arguments)); };
}

Act method(const Value& object, std::string_view name, const ValueList& arguments = {}) {
  return [=](TemplateBudget& budget) { call_method(budget, object, name, given(arguments)); };
}

TEST(ChatTemplateCharges, Operators) {
  const Value t = text(100), other = text(100), numbers = list_of_numbers(20);
  expect_charges({
      {"texts joined", operation("+", t, text(50)), 0, 150},
      {"texts glued", operation("~", t, text(50)), 0, 300},
      {"lists joined", operation("+", numbers, list_of_numbers(5)), 50, 1200},
      {"equal texts", operation("==", t, other), 1, 100},
      {"one text", operation("==", t, t), 1, 0},
      {"texts of two lengths", operation("!=", t, text(99)), 1, 0},
      {"equal lists", operation("==", numbers, list_of_numbers(20)), 21, 0},
      {"lists of two lengths", operation("==", numbers, list_of_numbers(19)), 1, 0},
      {"equal maps", operation("==", map_of_numbers(40), map_of_numbers(40)), 161, 0},
      {"texts in order", operation("<", t, text(60)), 0, 60},
      {"a part", operation("in", text(10), t), 0, 10},
      {"no part", operation("in", text(10, 'y'), t), 0, 110},
      {"not in a list", operation("in", std::int64_t{-1}, numbers), 20, 0},
      {"in a map", operation("in", std::string("k10"), map_of_numbers(40)), 3, 0},
      {"numbers", operation("+", std::int64_t{1}, std::int64_t{2}), 0, 0},
  });
}

TEST(ChatTemplateCharges, Parts) {
  const Value t = text(100), numbers = list_of_numbers(20), map = map_of_numbers(10);
  const auto items = [](const Value& value) {
    return [=](TemplateBudget& budget) { iterate(budget, value); };
  };
  const auto slice = [](const Value& value) {
    return [=](TemplateBudget& budget) { slice_of(budget, value, 0, 5, 1); };
  };
  const auto item = [](const Value& value) {
    return [=](TemplateBudget& budget) { item_at(budget, value, 3); };
  };
  expect_charges({
      {"items of a list", items(numbers), 20, 960},
      {"characters", items(std::string("a\u00e9\u6c49")), 24, 390},
      {"keys to loop over", items(map), 80, 1310},
      {"items of no list", items(std::int64_t{1}), 0, 0},
      {"a part of a text", slice(t), 0, 100},
      {"a part of a list", slice(numbers), 25, 240},
      {"an item", item(numbers), 0, 0},
      {"a character", item(t), 0, 100},
      {"a range",
       [](TemplateBudget& budget) {
         ValueMap globals;
         add_global_functions(budget, globals);
         (*globals.entries[0].second.as_callable())(given({std::int64_t{30}}));
       },
       34, 1793},
      {"a map of names",
       [&](TemplateBudget& budget) {
         ValueMap globals;
         add_global_functions(budget, globals);
         (*globals.entries[1].second.as_callable())(given({map}));
       },
       24, 1183},
  });
}

TEST(ChatTemplateCharges, FiltersOfTexts) {
  const Value t = text(100), csv = std::string("a,b,c,d"), map = map_of_numbers(10);
  expect_charges({
      {"trim", filter("trim", t), 0, 200},
      {"trim a set", filter("trim", std::string("abcab"), {std::string("abx")}), 18, 13},
      {"lower", filter("lower", t), 0, 200},
      {"upper", filter("upper", t), 0, 200},
      {"string", filter("string", t), 0, 100},
      {"length", filter("length", t), 0, 100},
      {"int", filter("int", std::string("12")), 0, 2},
      {"reverse", filter("reverse", std::string("abc")), 30, 681},
      {"replace", filter("replace", csv, {std::string(","), std::string("--")}), 0, 35},
      {"tojson", filter("tojson", t), 1, 202},
      {"split", method(csv, "split", {std::string(",")}), 36, 717},
      {"split by blanks", method(std::string("a bc  d"), "split"), 27, 539},
      {"startswith", method(t, "startswith", {text(30)}), 1, 30},
      {"endswith one of", method(t, "endswith", {list_of_texts(4, 101)}), 4, 400},
      {"find", method(t, "find", {text(10, 'y')}), 0, 220},
      {"strip", method(t, "strip"), 0, 100},
  });
}

TEST(ChatTemplateCharges, FiltersOfListsAndMaps) {
  const Value numbers = list_of_numbers(20), texts = list_of_texts(5, 10), map = map_of_numbers(10);
  TemplateBudget spare;
  const Value maps = Value::list(spare, ValueList(4, map));
  expect_charges({
      {"list", filter("list", numbers), 40, 1920},
      {"first", filter("first", numbers), 20, 960},
      {"reverse", filter("reverse", numbers), 40, 1920},
      {"join", filter("join", texts, {std::string(", ")}), 5, 350},
      {"string", filter("string", texts), 6, 120},
      {"string of a map", filter("string", map), 11, 100},
      {"tojson", filter("tojson", texts), 6, 120},
      {"tojson of a map", filter("tojson", map, {std::int64_t{2}}), 11, 122},
      {"map", filter("map", texts, {std::string("upper")}), 10, 585},
      {"select", filter("select", numbers, {std::string("odd")}), 30, 1443},
      {"select all", filter("select", texts), 10, 480},
      {"selectattr", filter("selectattr", maps, {std::string("k13")}), 12, 387},
      {"length", filter("length", numbers), 0, 0},
      {"length of a map", filter("length", map), 0, 0},
      {"items", filter("items", map), 110, 2750},
      {"keys", method(map, "keys"), 90, 1790},
      {"values", method(map, "values"), 90, 1790},
      {"get", method(map, "get", {std::string("k15")}), 1, 3},
  });
}

TEST(ChatTemplateCharges, Maps) {
  expect_charges({
      {"a name among 40",
       [map = map_of_numbers(40)](TemplateBudget& budget) { map.as_map()->find(budget, "k11"); }, 3,
       0},
      {"a new name",
       [](TemplateBudget& budget) {
         ValueMap map = *map_of_numbers(40).as_map();
         map.set(budget, "new", std::int64_t{1});
       },
       3, 83},
      {"a known name",
       [](TemplateBudget& budget) {
         ValueMap map = *map_of_numbers(40).as_map();
         map.set(budget, "k11", std::int64_t{1});
       },
       3, 0},
  });
}

}  // namespace
}  // namespace elastic::engine
