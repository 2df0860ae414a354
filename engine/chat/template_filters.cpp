// apply_filter() and call_method() of template_functions.h.

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/unicode.h"
#include "base/utf8.h"
#include "engine/chat/template_functions.h"

namespace elastic::engine {
namespace {

const std::string& text_of(const Value& value, std::string_view where) {
  const auto* text = value.as_text();
  if (text == nullptr) fault(fmt::format("`{}` of a {}", where, value.type_name()));
  return *text;
}

ValueList items_of(TemplateBudget& budget, const Value& value, std::string_view where) {
  if (value.is_undefined()) return {};
  auto items = iterate(budget, value);
  if (!items) fault(fmt::format("`{}` of a {}", where, value.type_name()));
  return *std::move(items);
}

std::string text_argument(TemplateBudget& budget, const CallArguments& arguments,
                          std::size_t position, std::string_view name, std::string fallback) {
  const Value* given = arguments.find(position, name);
  return given == nullptr || given->is_none() ? std::move(fallback) : to_text(budget, *given);
}

enum Side : unsigned { kLeft = 1, kRight = 2 };

// str.strip(), lstrip(), rstrip(): white space, or any of the given characters.
std::string stripped(TemplateBudget& budget, std::string_view text, const Value* characters,
                     unsigned sides) {
  budget.bytes(text.size());
  const bool space = characters == nullptr || characters->is_none();
  const std::u32string set = space ? std::u32string() : code_points(to_text(budget, *characters));
  const auto drops = [&](char32_t c) {
    budget.elements(set.size());
    return space ? is_space(c) : set.find(c) != std::u32string::npos;
  };
  while ((sides & kLeft) != 0 && !text.empty()) {
    const CodePoint c = code_point_at(text, 0);
    if (!drops(c.value)) break;
    text.remove_prefix(c.bytes);
  }
  while ((sides & kRight) != 0 && !text.empty()) {
    const CodePoint c = code_point_before(text, text.size());
    if (!drops(c.value)) break;
    text.remove_suffix(c.bytes);
  }
  return std::string(text);
}

std::string upper_ascii(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return text;
}

// How many times at most; negative without that argument: as often as there is something.
std::int64_t times(const CallArguments& arguments, std::size_t position, std::string_view name) {
  const Value* most = arguments.find(position, name);
  return most != nullptr && most->get<std::int64_t>() != nullptr ? *most->get<std::int64_t>() : -1;
}

Value split_text(TemplateBudget& budget, const std::string& text, const CallArguments& arguments) {
  const Value* separator = arguments.find(0, "sep");
  std::int64_t left = times(arguments, 1, "maxsplit");
  ValueList parts;
  const auto add = [&](std::string_view part) {
    charge_text_item(budget, part.size());
    parts.emplace_back(std::string(part));
  };
  if (separator == nullptr || separator->is_none()) {
    if (left >= 0) throw TemplateFault{"split() by white space with a limit", true};
    budget.bytes(text.size());
    for (const std::string_view word : split_white_space(text)) add(word);
    return Value::list(budget, std::move(parts));
  }
  const std::string by = to_text(budget, *separator);
  if (by.empty()) fault("split() by an empty text");
  const std::string_view all = text;
  std::size_t begin = 0;
  while (left != 0) {
    const std::size_t at = find_part(budget, all, by, begin);
    if (at == std::string_view::npos) break;
    add(all.substr(begin, at - begin));
    begin = at + by.size();
    --left;
  }
  add(all.substr(begin));
  return Value::list(budget, std::move(parts));
}

bool has_affix(TemplateBudget& budget, const std::string& text, const CallArguments& arguments,
               bool prefix) {
  const Value* affix = arguments.find(0, "prefix");
  if (affix == nullptr) fault("startswith() and endswith() need a text");
  const auto matches = [&](const Value& option) {
    const std::string& part = text_of(option, "startswith");
    budget.elements(1);
    budget.bytes(std::min(part.size(), text.size()));
    return prefix ? text.starts_with(part) : text.ends_with(part);
  };
  const ValueList* options = affix->as_list();
  return options == nullptr ? matches(*affix)
                            : std::any_of(options->begin(), options->end(), matches);
}

std::string replaced(TemplateBudget& budget, std::string_view text, std::string_view from,
                     std::string_view to, std::int64_t left) {
  if (from.empty()) fault("replace() of an empty text");
  BudgetedText out(budget);
  std::size_t begin = 0;
  for (; left != 0; --left) {
    const std::size_t at = find_part(budget, text, from, begin);
    if (at == std::string_view::npos) break;
    out += text.substr(begin, at - begin);
    out += to;
    begin = at + from.size();
  }
  out += text.substr(begin);
  return out.take();
}

Value string_method(TemplateBudget& budget, const std::string& text, std::string_view name,
                    const CallArguments& arguments) {
  const auto strip = [&](unsigned sides) {
    return stripped(budget, text, arguments.find(0, "chars"), sides);
  };
  if (name == "strip") return strip(kLeft | kRight);
  if (name == "lstrip") return strip(kLeft);
  if (name == "rstrip") return strip(kRight);
  if (name == "split") return split_text(budget, text, arguments);
  if (name == "startswith") return has_affix(budget, text, arguments, true);
  if (name == "endswith") return has_affix(budget, text, arguments, false);
  budget.bytes(text.size());
  if (name == "lower") return lower_case(text);
  if (name == "replace") {
    return replaced(budget, text, text_argument(budget, arguments, 0, "old", ""),
                    text_argument(budget, arguments, 1, "new", ""), times(arguments, 2, "count"));
  }
  if (name == "find") {
    const std::string part = text_argument(budget, arguments, 0, "sub", "");
    const std::size_t at = find_part(budget, text, part);
    return at == std::string_view::npos ? std::int64_t{-1}
                                        : code_point_count(std::string_view(text).substr(0, at));
  }
  if (name == "upper" &&
      std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; })) {
    return upper_ascii(text);
  }
  throw TemplateFault{fmt::format("the string method `{}`", name), true};
}

Value pairs_of(TemplateBudget& budget, const ValueMap& map) {
  ValueList pairs;
  for (const auto& [key, item] : map.entries) {
    charge_text_item(budget, key.size());
    pairs.push_back(Value::list(budget, {key, item}));
  }
  return Value::list(budget, std::move(pairs));
}

Value map_method(TemplateBudget& budget, const ValueMap& map, std::string_view name,
                 const CallArguments& arguments) {
  if (name == "items") return pairs_of(budget, map);
  if (name == "keys" || name == "values") {
    ValueList list;
    for (const auto& [key, item] : map.entries) {
      charge_text_item(budget, key.size());
      list.push_back(name == "keys" ? Value(key) : item);
    }
    return Value::list(budget, std::move(list));
  }
  if (name == "get") {
    const Value* found = map.find(budget, text_argument(budget, arguments, 0, "key", ""));
    const Value* fallback = arguments.find(1, "default");
    return found != nullptr ? *found : fallback != nullptr ? *fallback : Value(None{});
  }
  throw TemplateFault{fmt::format("the mapping method `{}`", name), true};
}

// item.key, undefined where there is none.
Value attribute_of(TemplateBudget& budget, const Value& item, const std::string& key) {
  const ValueMap* map = item.as_map();
  const Value* found = map == nullptr ? nullptr : map->find(budget, key);
  return found == nullptr ? Value::undefined(key) : *found;
}

Value join(TemplateBudget& budget, const Value& value, const CallArguments& arguments) {
  const std::string separator = text_argument(budget, arguments, 0, "d", "");
  const Value* attribute = arguments.find(1, "attribute");
  const std::string key = attribute == nullptr ? "" : to_text(budget, *attribute);
  BudgetedText text(budget);
  bool first = true;
  for (const Value& item : items_of(budget, value, "join")) {
    if (!first) text += separator;
    first = false;
    const bool of_item = attribute == nullptr || item.as_map() == nullptr;
    text += to_text(budget, of_item ? item : attribute_of(budget, item, key));
  }
  return text.take();
}

// select, reject, selectattr, rejectattr.
Value selected(TemplateBudget& budget, std::string_view name, const Value& value,
               const CallArguments& arguments) {
  const bool by_attribute = name.ends_with("attr"), keep = name.starts_with("select");
  const std::size_t test_at = by_attribute ? 1 : 0;
  const std::string key = by_attribute ? text_argument(budget, arguments, 0, "attribute", "") : "";
  const Value* given = arguments.find(test_at, "test");
  const std::string test = given == nullptr ? "" : to_text(budget, *given);
  CallArguments rest;
  for (std::size_t i = test_at + 1; i < arguments.positional.size(); ++i) {
    rest.positional.push_back(arguments.positional[i]);
  }
  ValueList kept;
  for (const Value& item : items_of(budget, value, name)) {
    const Value subject = by_attribute ? attribute_of(budget, item, key) : item;
    const bool passes =
        given == nullptr ? subject.truth() : apply_test(budget, test, subject, rest);
    if (passes == keep) kept.push_back(item);
  }
  return Value::list(budget, std::move(kept));
}

Value mapped(TemplateBudget& budget, const Value& value, const CallArguments& arguments) {
  const Value* attribute = arguments.find(99, "attribute");
  const std::string name = attribute == nullptr ? text_argument(budget, arguments, 0, "filter", "")
                                                : to_text(budget, *attribute);
  ValueList out;
  for (const Value& item : items_of(budget, value, "map")) {
    out.push_back(attribute == nullptr ? apply_filter(budget, name, item, {})
                                       : attribute_of(budget, item, name));
  }
  return Value::list(budget, std::move(out));
}

Value length_of(TemplateBudget& budget, const Value& value) {
  if (const ValueList* items = value.as_list()) return static_cast<std::int64_t>(items->size());
  if (const ValueMap* map = value.as_map()) return static_cast<std::int64_t>(map->entries.size());
  if (value.is_undefined()) return std::int64_t{0};
  const std::string& text = text_of(value, "length");
  budget.bytes(text.size());
  return code_point_count(text);
}

Value json_of(TemplateBudget& budget, const Value& value, const CallArguments& arguments) {
  for (const auto& [name, given] : arguments.named) {
    if (name == "indent" || (name == "ensure_ascii" && !given.truth())) continue;
    throw TemplateFault{fmt::format("tojson with `{}`", name), true};
  }
  std::optional<std::int64_t> indent;
  if (const Value* given = arguments.find(0, "indent"); given != nullptr && !given->is_none()) {
    const auto* width = given->get<std::int64_t>();
    if (width == nullptr || *width < 0 || *width > 16) fault("tojson with an indent that is none");
    indent = *width;
  }
  return to_json_text(budget, value, indent);
}

Value integer_of(TemplateBudget& budget, const Value& value) {
  if (const auto* text = value.as_text()) {
    budget.bytes(text->size());
    return parse_int(strip_white_space(*text)).value_or(0);
  }
  const bool fits = value.is_number() && value.number() > -9e15 && value.number() < 9e15;
  return fits ? static_cast<std::int64_t>(value.number()) : std::int64_t{0};
}

Value end_of(TemplateBudget& budget, const Value& value, bool first) {
  const ValueList items = items_of(budget, value, first ? "first" : "last");
  if (items.empty()) return Value::undefined(first ? "first item" : "last item");
  return first ? items.front() : items.back();
}

Value default_of(const Value& value, const CallArguments& arguments) {
  const Value* fallback = arguments.find(0, "default_value");
  const Value* also_false = arguments.find(1, "boolean");
  const bool absent =
      value.is_undefined() || (also_false != nullptr && also_false->truth() && !value.truth());
  if (!absent) return value;
  return fallback == nullptr ? Value(std::string()) : *fallback;
}

}  // namespace

Value apply_filter(TemplateBudget& budget, std::string_view name, const Value& value,
                   const CallArguments& arguments) {
  if (name == "trim") {
    return stripped(budget, to_text(budget, value), arguments.find(0, "chars"), kLeft | kRight);
  }
  if (name == "tojson") return json_of(budget, value, arguments);
  if (name == "length" || name == "count") return length_of(budget, value);
  if (name == "join") return join(budget, value, arguments);
  if (name == "default" || name == "d") return default_of(value, arguments);
  if (name == "items" && value.as_map() != nullptr) return pairs_of(budget, *value.as_map());
  if (name == "list") return Value::list(budget, items_of(budget, value, name));
  if (name == "string") return to_text(budget, value);
  if (name == "safe") return value;
  if (name == "int") return integer_of(budget, value);
  if (name == "first" || name == "last") return end_of(budget, value, name == "first");
  if (name == "reverse") {
    ValueList items = items_of(budget, value, name);
    std::reverse(items.begin(), items.end());
    Value reversed = Value::list(budget, std::move(items));
    return value.as_text() == nullptr ? reversed : join(budget, reversed, {});
  }
  if (name == "map") return mapped(budget, value, arguments);
  if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr") {
    return selected(budget, name, value, arguments);
  }
  if (name == "lower" || name == "upper" || name == "replace") {
    return string_method(budget, to_text(budget, value), name, arguments);
  }
  throw TemplateFault{fmt::format("the filter `{}`", name), true};
}

Value call_method(TemplateBudget& budget, const Value& object, std::string_view name,
                  const CallArguments& arguments) {
  if (const auto* text = object.as_text()) return string_method(budget, *text, name, arguments);
  if (const ValueMap* map = object.as_map()) return map_method(budget, *map, name, arguments);
  throw TemplateFault{fmt::format("the method `{}` of a {}", name, object.type_name()), true};
}

}  // namespace elastic::engine
