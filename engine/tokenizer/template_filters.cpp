// apply_filter() and call_method() of template_functions.h.

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/unicode.h"
#include "engine/tokenizer/template_functions.h"

namespace elastic::engine {
namespace {

const std::string& text_of(const Value& value, std::string_view where) {
  const auto* text = value.get<std::string>();
  if (text == nullptr) fault(fmt::format("`{}` of a {}", where, value.type_name()));
  return *text;
}

ValueList items_of(const Value& value, std::string_view where) {
  if (value.is_undefined()) return {};
  const auto items = iterate(value);
  if (!items) fault(fmt::format("`{}` of a {}", where, value.type_name()));
  return *items;
}

std::string text_argument(const CallArguments& arguments, std::size_t position,
                          std::string_view name, std::string fallback) {
  const Value* given = arguments.find(position, name);
  return given == nullptr || given->is_none() ? std::move(fallback) : to_text(*given);
}

enum Side : unsigned { kLeft = 1, kRight = 2 };

// str.strip(), lstrip(), rstrip(): white space, or any of the given characters.
std::string stripped(std::string_view text, const Value* characters, unsigned sides) {
  const bool space = characters == nullptr || characters->is_none();
  const std::u32string set = space ? std::u32string() : code_points(to_text(*characters));
  const auto drops = [&](char32_t c) {
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

Value split_text(const std::string& text, const CallArguments& arguments) {
  const Value* separator = arguments.find(0, "sep");
  const Value* most = arguments.find(1, "maxsplit");
  std::int64_t left =
      most != nullptr && most->get<std::int64_t>() != nullptr ? *most->get<std::int64_t>() : -1;
  ValueList parts;
  if (separator == nullptr || separator->is_none()) {
    if (left >= 0) throw TemplateFault{"split() by white space with a limit", true};
    for (const std::string_view word : split_white_space(text))
      parts.emplace_back(std::string(word));
    return Value::list(std::move(parts));
  }
  const std::string by = to_text(*separator);
  if (by.empty()) fault("split() by an empty text");
  std::size_t begin = 0;
  for (std::size_t at = text.find(by); at != std::string::npos && left != 0;
       at = text.find(by, begin)) {
    parts.emplace_back(text.substr(begin, at - begin));
    begin = at + by.size();
    --left;
  }
  parts.emplace_back(text.substr(begin));
  return Value::list(std::move(parts));
}

bool has_affix(const std::string& text, const CallArguments& arguments, bool prefix) {
  const Value* affix = arguments.find(0, "prefix");
  if (affix == nullptr) fault("startswith() and endswith() need a text");
  const ValueList options = affix->as_list() != nullptr ? *affix->as_list() : ValueList{*affix};
  return std::any_of(options.begin(), options.end(), [&](const Value& option) {
    const std::string& part = text_of(option, "startswith");
    return prefix ? text.starts_with(part) : text.ends_with(part);
  });
}

Value string_method(const std::string& text, std::string_view name,
                    const CallArguments& arguments) {
  if (name == "strip") return stripped(text, arguments.find(0, "chars"), kLeft | kRight);
  if (name == "lstrip") return stripped(text, arguments.find(0, "chars"), kLeft);
  if (name == "rstrip") return stripped(text, arguments.find(0, "chars"), kRight);
  if (name == "split") return split_text(text, arguments);
  if (name == "startswith") return has_affix(text, arguments, true);
  if (name == "endswith") return has_affix(text, arguments, false);
  if (name == "lower") return lower_case(text);
  if (name == "replace") {
    const std::string from = text_argument(arguments, 0, "old", "");
    if (from.empty()) fault("replace() of an empty text");
    return replace_all(text, from, text_argument(arguments, 1, "new", ""));
  }
  if (name == "find") {
    const std::size_t at = text.find(text_argument(arguments, 0, "sub", ""));
    return at == std::string::npos ? std::int64_t{-1} : code_point_count(text.substr(0, at));
  }
  if (name == "upper" &&
      std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; })) {
    return upper_ascii(text);
  }
  throw TemplateFault{fmt::format("the string method `{}`", name), true};
}

ValueList pairs_of(ValueMap& map) {
  ValueList pairs;
  for (const auto& [key, item] : map.entries) pairs.push_back(Value::list({key, item}));
  return pairs;
}

Value map_method(ValueMap& map, std::string_view name, const CallArguments& arguments) {
  if (name == "items") return Value::list(pairs_of(map));
  ValueList list;
  if (name == "keys" || name == "values") {
    for (const auto& [key, item] : map.entries) list.push_back(name == "keys" ? Value(key) : item);
    return Value::list(std::move(list));
  }
  if (name == "get") {
    const Value* found = map.find(text_argument(arguments, 0, "key", ""));
    const Value* fallback = arguments.find(1, "default");
    return found != nullptr ? *found : fallback != nullptr ? *fallback : Value(None{});
  }
  throw TemplateFault{fmt::format("the mapping method `{}`", name), true};
}

Value join(const Value& value, const CallArguments& arguments) {
  const std::string separator = text_argument(arguments, 0, "d", "");
  const Value* attribute = arguments.find(1, "attribute");
  std::string text;
  bool first = true;
  for (const Value& item : items_of(value, "join")) {
    if (!first) text += separator;
    first = false;
    ValueMap* map = item.as_map();
    const Value* part =
        attribute != nullptr && map != nullptr ? map->find(to_text(*attribute)) : &item;
    if (part != nullptr) text += to_text(*part);
  }
  return text;
}

// select, reject, selectattr, rejectattr.
Value selected(std::string_view name, const Value& value, const CallArguments& arguments) {
  const bool by_attribute = name.ends_with("attr"), keep = name.starts_with("select");
  const std::size_t test_at = by_attribute ? 1 : 0;
  const Value* test = arguments.find(test_at, "test");
  CallArguments rest;
  for (std::size_t i = test_at + 1; i < arguments.positional.size(); ++i) {
    rest.positional.push_back(arguments.positional[i]);
  }
  ValueList kept;
  for (const Value& item : items_of(value, name)) {
    Value subject = item;
    if (by_attribute) {
      ValueMap* map = item.as_map();
      const std::string key = text_argument(arguments, 0, "attribute", "");
      const Value* found = map == nullptr ? nullptr : map->find(key);
      subject = found == nullptr ? Value(Undefined{key}) : *found;
    }
    const bool passes =
        test == nullptr ? subject.truth() : apply_test(to_text(*test), subject, rest);
    if (passes == keep) kept.push_back(item);
  }
  return Value::list(std::move(kept));
}

Value mapped(const Value& value, const CallArguments& arguments) {
  const Value* attribute = arguments.find(99, "attribute");
  ValueList out;
  for (const Value& item : items_of(value, "map")) {
    if (attribute == nullptr) {
      out.push_back(apply_filter(text_argument(arguments, 0, "filter", ""), item, {}));
      continue;
    }
    ValueMap* map = item.as_map();
    const Value* found = map == nullptr ? nullptr : map->find(to_text(*attribute));
    out.push_back(found == nullptr ? Value(Undefined{to_text(*attribute)}) : *found);
  }
  return Value::list(std::move(out));
}

Value length_of(const Value& value) {
  if (const auto* text = value.get<std::string>()) return code_point_count(*text);
  return static_cast<std::int64_t>(items_of(value, "length").size());
}

Value json_of(const Value& value, const CallArguments& arguments) {
  std::optional<std::int64_t> indent;
  if (const Value* given = arguments.find(0, "indent"); given != nullptr && !given->is_none()) {
    const auto* width = given->get<std::int64_t>();
    if (width == nullptr || *width < 0 || *width > 16) fault("tojson with an indent that is none");
    indent = *width;
  }
  return to_json_text(value, indent);
}

Value integer_of(const Value& value) {
  if (const auto* text = value.get<std::string>()) {
    return parse_int(strip_white_space(*text)).value_or(0);
  }
  const bool fits = value.is_number() && value.number() > -9e15 && value.number() < 9e15;
  return fits ? static_cast<std::int64_t>(value.number()) : std::int64_t{0};
}

Value end_of(const Value& value, bool first) {
  const ValueList items = items_of(value, first ? "first" : "last");
  if (items.empty()) return Undefined{first ? "first item" : "last item"};
  return first ? items.front() : items.back();
}

}  // namespace

Value apply_filter(std::string_view name, const Value& value, const CallArguments& arguments) {
  if (name == "trim") {
    return stripped(to_text(value), arguments.find(0, "chars"), kLeft | kRight);
  }
  if (name == "tojson") return json_of(value, arguments);
  if (name == "length" || name == "count") return length_of(value);
  if (name == "join") return join(value, arguments);
  if (name == "default" || name == "d") {
    const Value* fallback = arguments.find(0, "default_value");
    const Value* also_false = arguments.find(1, "boolean");
    const bool absent =
        value.is_undefined() || (also_false != nullptr && also_false->truth() && !value.truth());
    if (!absent) return value;
    return fallback == nullptr ? Value(std::string()) : *fallback;
  }
  if (name == "items" && value.as_map() != nullptr) return Value::list(pairs_of(*value.as_map()));
  if (name == "list") return Value::list(items_of(value, name));
  if (name == "string") return to_text(value);
  if (name == "safe") return value;
  if (name == "int") return integer_of(value);
  if (name == "first" || name == "last") return end_of(value, name == "first");
  if (name == "reverse") {
    ValueList items = items_of(value, name);
    std::reverse(items.begin(), items.end());
    return Value::list(std::move(items));
  }
  if (name == "map") return mapped(value, arguments);
  if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr") {
    return selected(name, value, arguments);
  }
  if (name == "lower" || name == "upper" || name == "replace") {
    return string_method(to_text(value), name, arguments);
  }
  throw TemplateFault{fmt::format("the filter `{}`", name), true};
}

Value call_method(const Value& object, std::string_view name, const CallArguments& arguments) {
  if (const auto* text = object.get<std::string>()) return string_method(*text, name, arguments);
  if (ValueMap* map = object.as_map()) return map_method(*map, name, arguments);
  throw TemplateFault{fmt::format("the method `{}` of a {}", name, object.type_name()), true};
}

}  // namespace elastic::engine
