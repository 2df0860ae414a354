#include "engine/tokenizer/template_value.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/python_number.h"
#include "base/unicode.h"

namespace elastic::engine {
namespace {

constexpr int kMaxValueDepth = 64;  // of values printed or compared; a cycle would be deeper

[[noreturn]] void too_deep() {
  throw Error(ErrorKind::kCorrupt, "chat template: a value nested too deeply");
}

// repr() of a string: quotes chosen and escaped as Python does.
std::string repr_string(std::string_view text) {
  const char quote =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos ? '"'
                                                                                            : '\'';
  std::string out(1, quote);
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text, i);
    if (c.value == '\n') {
      out += "\\n";
    } else if (c.value == '\r') {
      out += "\\r";
    } else if (c.value == '\t') {
      out += "\\t";
    } else if (c.value == '\\' || c.value == static_cast<unsigned char>(quote)) {
      out += '\\';
      out += static_cast<char>(c.value);
    } else if (!is_printable(c.value)) {
      out += c.value < 0x100     ? fmt::format("\\x{:02x}", static_cast<std::uint32_t>(c.value))
             : c.value < 0x10000 ? fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c.value))
                                 : fmt::format("\\U{:08x}", static_cast<std::uint32_t>(c.value));
    } else {
      out.append(text.substr(i, c.bytes));
    }
    i += c.bytes;
  }
  return out + quote;
}

std::string repr(const Value& value, int depth);

std::string repr_items(const ValueList& items, int depth) {
  std::string out = "[";
  for (std::size_t i = 0; i < items.size(); ++i) {
    out += (i == 0 ? "" : ", ") + repr(items[i], depth + 1);
  }
  return out + "]";
}

std::string repr_entries(const ValueMap& map, int depth) {
  std::string out = "{";
  for (const auto& [key, item] : map.entries) {
    out += (out.size() == 1 ? "" : ", ") + repr_string(key) + ": " + repr(item, depth + 1);
  }
  return out + "}";
}

std::string repr(const Value& value, int depth) {
  if (depth > kMaxValueDepth) too_deep();
  if (const auto* text = value.get<std::string>()) return repr_string(*text);
  if (const ValueList* items = value.as_list()) return repr_items(*items, depth);
  if (const ValueMap* map = value.as_map()) return repr_entries(*map, depth);
  return value.is_undefined() ? "Undefined" : to_text(value);
}

// The document under construction and how it is laid out.
class JsonWriter {
 public:
  explicit JsonWriter(std::optional<std::int64_t> indent) : indent_(indent) {}

  void write(const Value& value, int depth) {
    if (depth > kMaxValueDepth) too_deep();
    if (const auto* text = value.get<std::string>()) {
      out += dump_line(*text);
    } else if (const ValueList* items = value.as_list()) {
      open('[');
      for (const Value& item : *items) {
        next(&item != items->data(), depth + 1);
        write(item, depth + 1);
      }
      close(']', !items->empty(), depth);
    } else if (const ValueMap* map = value.as_map()) {
      open('{');
      for (const auto& entry : map->entries) {
        next(&entry != map->entries.data(), depth + 1);
        out += dump_line(entry.first) + ": ";
        write(entry.second, depth + 1);
      }
      close('}', !map->entries.empty(), depth);
    } else if (const auto* flag = value.get<bool>()) {
      out += *flag ? "true" : "false";
    } else if (value.is_none()) {
      out += "null";
    } else if (value.is_number()) {
      out += to_text(value);
    } else {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("chat template: tojson of a value of type {}", value.type_name()));
    }
  }

  std::string out;

 private:
  void open(char c) { out += c; }
  void line(int depth) {
    out += '\n';
    out.append(static_cast<std::size_t>(*indent_ * depth), ' ');
  }
  void next(bool further, int depth) {
    if (further) out += indent_ ? "," : ", ";
    if (indent_) line(depth);
  }
  void close(char c, bool any, int depth) {
    if (indent_ && any) line(depth);
    out += c;
  }

  std::optional<std::int64_t> indent_;
};

bool equal_at(const Value& a, const Value& b, int depth) {
  if (depth > kMaxValueDepth) too_deep();
  if (a.is_number() && b.is_number()) return a.number() == b.number();
  if (a.data.index() != b.data.index()) return false;
  if (const auto* text = a.get<std::string>()) return *text == *b.get<std::string>();
  if (const ValueList* x = a.as_list()) {
    const ValueList& y = *b.as_list();
    if (x->size() != y.size()) return false;
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (!equal_at((*x)[i], y[i], depth + 1)) return false;
    }
    return true;
  }
  if (const ValueMap* x = a.as_map()) {
    ValueMap& y = *b.as_map();
    if (x->entries.size() != y.entries.size()) return false;
    for (const auto& [key, item] : x->entries) {
      const Value* other = y.find(key);
      if (other == nullptr || !equal_at(item, *other, depth + 1)) return false;
    }
    return true;
  }
  return a.is_none() || a.is_undefined();
}

}  // namespace

Value* ValueMap::find(std::string_view key) {
  for (auto& [name, value] : entries) {
    if (name == key) return &value;
  }
  return nullptr;
}

void ValueMap::set(std::string_view key, Value value) {
  if (Value* known = find(key)) {
    *known = std::move(value);
  } else {
    entries.emplace_back(key, std::move(value));
  }
}

Value Value::list(ValueList items) { return std::make_shared<ValueList>(std::move(items)); }
Value Value::map(ValueMap entries) { return std::make_shared<ValueMap>(std::move(entries)); }

Value Value::from_json(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_array()) {
    ValueList items;
    for (const Json& item : json) items.push_back(from_json(item));
    return list(std::move(items));
  }
  if (json.is_object()) {
    ValueMap entries;
    for (const auto& [key, item] : json.items()) entries.entries.emplace_back(key, from_json(item));
    return map(std::move(entries));
  }
  return None{};
}

const ValueList* Value::as_list() const {
  const auto* held = get<std::shared_ptr<ValueList>>();
  return held == nullptr ? nullptr : held->get();
}

ValueMap* Value::as_map() const {
  const auto* held = get<std::shared_ptr<ValueMap>>();
  return held == nullptr ? nullptr : held->get();
}

bool Value::is_number() const {
  return get<std::int64_t>() != nullptr || get<double>() != nullptr || get<bool>() != nullptr;
}

double Value::number() const {
  if (const auto* integer = get<std::int64_t>()) return static_cast<double>(*integer);
  if (const auto* flag = get<bool>()) return *flag ? 1 : 0;
  const auto* value = get<double>();
  check(value != nullptr, "the number of a value that is one");
  return *value;
}

bool Value::truth() const {
  if (is_number()) return number() != 0;
  if (const auto* text = get<std::string>()) return !text->empty();
  if (const ValueList* items = as_list()) return !items->empty();
  if (const ValueMap* map = as_map()) return map->is_namespace || !map->entries.empty();
  return get<std::shared_ptr<Callable>>() != nullptr;
}

std::string Value::type_name() const {
  constexpr const char* kNames[] = {"undefined", "none", "boolean", "integer", "float",
                                    "string",    "list", "mapping", "function"};
  return kNames[data.index()];
}

const Value* CallArguments::find(std::size_t position, std::string_view name) const {
  if (position < positional.size()) return &positional[position];
  for (const auto& [key, value] : named) {
    if (key == name) return &value;
  }
  return nullptr;
}

bool equal(const Value& a, const Value& b) { return equal_at(a, b, 0); }

std::optional<int> order(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    return (a.number() > b.number()) - (a.number() < b.number());
  }
  const auto* x = a.get<std::string>();
  const auto* y = b.get<std::string>();
  if (x == nullptr || y == nullptr) return std::nullopt;
  return x->compare(*y);  // UTF-8 sorts as its code points do
}

std::string to_text(const Value& value) {
  if (const auto* text = value.get<std::string>()) return *text;
  if (const auto* integer = value.get<std::int64_t>()) return std::to_string(*integer);
  if (const auto* number = value.get<double>()) return python_float(*number);
  if (const auto* flag = value.get<bool>()) return *flag ? "True" : "False";
  if (value.is_none()) return "None";
  if (value.is_undefined()) return "";
  if (value.as_list() != nullptr || value.as_map() != nullptr) return repr(value, 0);
  return "<function>";
}

std::string to_json_text(const Value& value, std::optional<std::int64_t> indent) {
  JsonWriter writer(indent);
  writer.write(value, 0);
  return std::move(writer.out);
}

}  // namespace elastic::engine
