#pragma once

// Values of the chat template language, with Python's behaviour: truth, equality, str() and
// json.dumps(). Copies are cheap: texts, lists and mappings are shared. All but namespaces are
// immutable, and these lie in no list or mapping, so that a value is a tree of bounded depth.
//
//   Value v = Value::from_json(messages);

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"
#include "engine/chat/template_budget.h"

namespace elastic::engine {

struct Value;
using ValueList = std::vector<Value>;

/// Keys in order of insertion. Namespaces are maps that `set` may change.
struct ValueMap {
  std::vector<std::pair<std::string, Value>> entries;
  bool is_namespace = false;

  const Value* find(TemplateBudget& budget, std::string_view key) const;
  void set(TemplateBudget& budget, std::string_view key, Value value);
};

struct CallArguments;
using Callable = std::function<Value(const CallArguments&)>;

struct Undefined {
  std::string name;  // what was asked for, named in errors
};
struct None {};

struct Value {
  std::variant<Undefined, None, bool, std::int64_t, double, std::shared_ptr<const std::string>,
               std::shared_ptr<const ValueList>, std::shared_ptr<ValueMap>,
               std::shared_ptr<Callable>>
      data;
  int depth = 0;  // of lists and mappings within each other

  Value() = default;
  template <typename T>
  Value(T value) : data(std::move(value)) {}  // NOLINT: values convert from what they hold
  Value(std::string text)                     // NOLINT
      : data(std::make_shared<const std::string>(std::move(text))) {}

  static Value from_json(const Json& json);
  /// Both charge their elements; a fault where depth_around() of one is.
  static Value list(TemplateBudget& budget, ValueList items);
  static Value map(TemplateBudget& budget, ValueMap entries);
  static Value undefined(std::string_view name);

  template <typename T>
  const T* get() const {
    return std::get_if<T>(&data);
  }
  /// Depth of a list, mapping or namespace that holds this; a fault where none may.
  int depth_around() const;

  const std::string* as_text() const;
  const ValueList* as_list() const;
  ValueMap* as_map() const;
  const Callable* as_callable() const;
  bool is_undefined() const { return get<Undefined>() != nullptr; }
  bool is_none() const { return get<None>() != nullptr; }
  bool is_number() const;
  double number() const;  // of an integer, a float or a truth value

  bool truth() const;
  std::string type_name() const;  // "string", "list", ... for errors
};

/// A text that is made as one of many: its bytes, the value and, dearest, the allocation.
inline void charge_text_item(TemplateBudget& budget, std::size_t size) {
  budget.elements(8);
  budget.bytes(size + sizeof(Value) + 80);
}

struct CallArguments {
  ValueList positional;
  std::vector<std::pair<std::string, Value>> named;

  /// The argument at `position` or of that name; null where it was not given.
  const Value* find(std::size_t position, std::string_view name) const;
};

bool equal(TemplateBudget& budget, const Value& a, const Value& b);

/// Negative, 0, positive; nothing where the two cannot be ordered.
std::optional<int> order(TemplateBudget& budget, const Value& a, const Value& b);

/// str() of Python; "" for an undefined value.
std::string to_text(TemplateBudget& budget, const Value& value);

/// json.dumps(value, ensure_ascii=False), or with that indent.
std::string to_json_text(TemplateBudget& budget, const Value& value,
                         std::optional<std::int64_t> indent);

}  // namespace elastic::engine
