#pragma once

// Values of the chat template language, with Python's behaviour: truth, equality, str() and
// json.dumps().
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

namespace elastic::engine {

struct Value;
using ValueList = std::vector<Value>;

/// Keys in order of insertion. Namespaces are maps that `set` may change.
struct ValueMap {
  std::vector<std::pair<std::string, Value>> entries;
  bool is_namespace = false;

  Value* find(std::string_view key);
  void set(std::string_view key, Value value);
};

struct CallArguments;
using Callable = std::function<Value(const CallArguments&)>;

struct Undefined {
  std::string name;  // what was asked for, named in errors
};
struct None {};

struct Value {
  std::variant<Undefined, None, bool, std::int64_t, double, std::string, std::shared_ptr<ValueList>,
               std::shared_ptr<ValueMap>, std::shared_ptr<Callable>>
      data;

  Value() = default;
  template <typename T>
  Value(T value) : data(std::move(value)) {}  // NOLINT: values convert from what they hold

  static Value from_json(const Json& json);
  static Value list(ValueList items);
  static Value map(ValueMap entries);

  template <typename T>
  const T* get() const {
    return std::get_if<T>(&data);
  }
  const ValueList* as_list() const;
  ValueMap* as_map() const;
  bool is_undefined() const { return get<Undefined>() != nullptr; }
  bool is_none() const { return get<None>() != nullptr; }
  bool is_number() const;
  double number() const;  // of an integer, a float or a truth value

  bool truth() const;
  std::string type_name() const;  // "string", "list", ... for errors
};

struct CallArguments {
  ValueList positional;
  std::vector<std::pair<std::string, Value>> named;

  /// The argument at `position` or of that name; null where it was not given.
  const Value* find(std::size_t position, std::string_view name) const;
};

bool equal(const Value& a, const Value& b);

/// Negative, 0, positive; nothing where the two cannot be ordered.
std::optional<int> order(const Value& a, const Value& b);

/// str() of Python; "" for an undefined value.
std::string to_text(const Value& value);

/// json.dumps(value, ensure_ascii=False), or with that indent.
std::string to_json_text(const Value& value, std::optional<std::int64_t> indent);

}  // namespace elastic::engine
