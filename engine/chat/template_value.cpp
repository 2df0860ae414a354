#include "engine/chat/template_value.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/python_number.h"
#include "base/unicode.h"
#include "base/utf8.h"

namespace elastic::engine {
namespace {

constexpr int kMaxValueDepth = 64;       // of lists and mappings within each other
constexpr std::size_t kNameBytes = 100;  // of the name of an undefined value, for errors

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

void write_repr(BudgetedText& out, TemplateBudget& budget, const Value& value) {
  budget.elements(1);
  if (const auto* text = value.as_text()) {
    budget.bytes(text->size());
    out += repr_string(*text);
  } else if (const ValueList* items = value.as_list()) {
    out += "[";
    for (const Value& item : *items) {
      if (&item != items->data()) out += ", ";
      write_repr(out, budget, item);
    }
    out += "]";
  } else if (const ValueMap* map = value.as_map()) {
    out += "{";
    for (const auto& entry : map->entries) {
      if (&entry != map->entries.data()) out += ", ";
      out += repr_string(entry.first) + ": ";
      write_repr(out, budget, entry.second);
    }
    out += "}";
  } else {
    out += value.is_undefined() ? "Undefined" : to_text(budget, value);
  }
}

// The document under construction and how it is laid out.
class JsonWriter {
 public:
  JsonWriter(TemplateBudget& budget, std::optional<std::int64_t> indent)
      : budget_(budget), out_(budget), indent_(indent) {}

  std::string take() { return out_.take(); }

  void write(const Value& value, int depth) {
    budget_.elements(1);
    if (const auto* text = value.as_text()) {
      budget_.bytes(text->size());
      out_ += dump_line(*text);
    } else if (const ValueList* items = value.as_list()) {
      out_ += "[";
      for (const Value& item : *items) {
        next(&item != items->data(), depth + 1);
        write(item, depth + 1);
      }
      close("]", !items->empty(), depth);
    } else if (const ValueMap* map = value.as_map()) {
      out_ += "{";
      for (const auto& entry : map->entries) {
        next(&entry != map->entries.data(), depth + 1);
        out_ += dump_line(entry.first) + ": ";
        write(entry.second, depth + 1);
      }
      close("}", !map->entries.empty(), depth);
    } else if (const auto* flag = value.get<bool>()) {
      out_ += *flag ? "true" : "false";
    } else if (value.is_none()) {
      out_ += "null";
    } else if (value.is_number()) {
      out_ += to_text(budget_, value);
    } else {
      fault(fmt::format("tojson of a value of type {}", value.type_name()));
    }
  }

 private:
  void line(int depth) {
    out_ += "\n" + std::string(static_cast<std::size_t>(*indent_ * depth), ' ');
  }
  void next(bool further, int depth) {
    if (further) out_ += indent_ ? "," : ", ";
    if (indent_) line(depth);
  }
  void close(std::string_view bracket, bool any, int depth) {
    if (indent_ && any) line(depth);
    out_ += bracket;
  }

  TemplateBudget& budget_;
  BudgetedText out_;
  std::optional<std::int64_t> indent_;
};

bool equal_texts(TemplateBudget& budget, const std::string& a, const std::string& b) {
  if (&a == &b) return true;
  if (a.size() != b.size()) return false;
  budget.bytes(a.size());
  return a == b;
}

Value list_of(ValueList items) {
  Value list;
  for (const Value& item : items) list.depth = std::max(list.depth, item.depth_around());
  list.data = std::make_shared<const ValueList>(std::move(items));
  return list;
}

Value map_of(ValueMap entries) {
  Value map;
  for (const auto& [key, item] : entries.entries) {
    map.depth = std::max(map.depth, item.depth_around());
  }
  map.data = std::make_shared<ValueMap>(std::move(entries));
  return map;
}

}  // namespace

const Value* ValueMap::find(TemplateBudget& budget, std::string_view key) const {
  budget.names(entries.size());
  for (const auto& [name, value] : entries) {
    if (name == key) return &value;
  }
  return nullptr;
}

void ValueMap::set(TemplateBudget& budget, std::string_view key, Value value) {
  budget.names(entries.size());
  for (auto& [name, known] : entries) {
    if (name == key) {
      known = std::move(value);
      return;
    }
  }
  budget.bytes(sizeof(entries[0]) + key.size());
  entries.emplace_back(key, std::move(value));
}

Value Value::list(TemplateBudget& budget, ValueList items) {
  budget.elements(items.size());
  budget.bytes(items.size() * sizeof(Value));
  return list_of(std::move(items));
}

Value Value::map(TemplateBudget& budget, ValueMap entries) {
  budget.elements(entries.entries.size());
  return map_of(std::move(entries));
}

Value Value::undefined(std::string_view name) {
  return Undefined{std::string(name.substr(0, kNameBytes))};
}

Value Value::from_json(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_array()) {
    ValueList items;
    for (const Json& item : json) items.push_back(from_json(item));
    return list_of(std::move(items));
  }
  if (json.is_object()) {
    ValueMap entries;
    for (const auto& [key, item] : json.items()) entries.entries.emplace_back(key, from_json(item));
    return map_of(std::move(entries));
  }
  return None{};
}

int Value::depth_around() const {
  const ValueMap* map = as_map();
  if (map != nullptr && map->is_namespace) {
    throw TemplateFault{"a namespace inside a list, a mapping or another namespace", true};
  }
  if (depth >= kMaxValueDepth) fault("a value nested too deeply");
  return depth + 1;
}

const std::string* Value::as_text() const {
  const auto* held = get<std::shared_ptr<const std::string>>();
  return held == nullptr ? nullptr : held->get();
}

const ValueList* Value::as_list() const {
  const auto* held = get<std::shared_ptr<const ValueList>>();
  return held == nullptr ? nullptr : held->get();
}

ValueMap* Value::as_map() const {
  const auto* held = get<std::shared_ptr<ValueMap>>();
  return held == nullptr ? nullptr : held->get();
}

const Callable* Value::as_callable() const {
  const auto* held = get<std::shared_ptr<Callable>>();
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
  if (const auto* text = as_text()) return !text->empty();
  if (const ValueList* items = as_list()) return !items->empty();
  if (const ValueMap* map = as_map()) return map->is_namespace || !map->entries.empty();
  return as_callable() != nullptr;
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

bool equal(TemplateBudget& budget, const Value& a, const Value& b) {
  budget.elements(1);
  if (a.is_number() && b.is_number()) return a.number() == b.number();
  if (a.data.index() != b.data.index()) return false;
  if (const auto* text = a.as_text()) return equal_texts(budget, *text, *b.as_text());
  if (const ValueList* x = a.as_list()) {
    const ValueList& y = *b.as_list();
    if (x->size() != y.size()) return false;
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (!equal(budget, (*x)[i], y[i])) return false;
    }
    return true;
  }
  if (const ValueMap* x = a.as_map()) {
    const ValueMap& y = *b.as_map();
    if (x->entries.size() != y.entries.size()) return false;
    for (const auto& [key, item] : x->entries) {
      const Value* other = y.find(budget, key);
      if (other == nullptr || !equal(budget, item, *other)) return false;
    }
    return true;
  }
  return a.is_none() || a.is_undefined();
}

std::optional<int> order(TemplateBudget& budget, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    return (a.number() > b.number()) - (a.number() < b.number());
  }
  const auto* x = a.as_text();
  const auto* y = b.as_text();
  if (x == nullptr || y == nullptr) return std::nullopt;
  budget.bytes(std::min(x->size(), y->size()));
  return x->compare(*y);  // UTF-8 sorts as its code points do
}

std::string to_text(TemplateBudget& budget, const Value& value) {
  if (const auto* text = value.as_text()) {
    budget.bytes(text->size());
    return *text;
  }
  if (const auto* integer = value.get<std::int64_t>()) return std::to_string(*integer);
  if (const auto* number = value.get<double>()) return python_float(*number);
  if (const auto* flag = value.get<bool>()) return *flag ? "True" : "False";
  if (value.is_none()) return "None";
  if (value.is_undefined()) return "";
  if (value.as_list() == nullptr && value.as_map() == nullptr) return "<function>";
  BudgetedText out(budget);
  write_repr(out, budget, value);
  return out.take();
}

std::string to_json_text(TemplateBudget& budget, const Value& value,
                         std::optional<std::int64_t> indent) {
  JsonWriter writer(budget, indent);
  writer.write(value, 0);
  return writer.take();
}

}  // namespace elastic::engine
