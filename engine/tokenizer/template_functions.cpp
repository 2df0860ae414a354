#include "engine/tokenizer/template_functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/unicode.h"

namespace elastic::engine {
namespace {

constexpr std::int64_t kMaxRange = 100'000;
constexpr std::size_t kMaxText = std::size_t{64} << 20;

[[noreturn]] void bad_operands(std::string_view op, const Value& a, const Value& b) {
  const auto* undefined = a.is_undefined() ? a.get<Undefined>() : b.get<Undefined>();
  if (undefined != nullptr) fault(fmt::format("`{}` is undefined in `{}`", undefined->name, op));
  fault(fmt::format("`{}` of a {} and a {}", op, a.type_name(), b.type_name()));
}

bool contains(const Value& container, const Value& item) {
  if (const auto* text = container.get<std::string>()) {
    const auto* part = item.get<std::string>();
    if (part == nullptr) bad_operands("in", item, container);
    return text->find(*part) != std::string::npos;
  }
  if (ValueMap* map = container.as_map()) {
    const auto* key = item.get<std::string>();
    return key != nullptr && map->find(*key) != nullptr;
  }
  const auto items = iterate(container);
  if (container.is_undefined()) return false;
  if (!items) bad_operands("in", item, container);
  return std::any_of(items->begin(), items->end(),
                     [&](const Value& other) { return equal(other, item); });
}

Value add(const Value& a, const Value& b) {
  if (const auto* x = a.get<std::string>(), *y = b.get<std::string>();
      x != nullptr && y != nullptr) {
    if (x->size() + y->size() > kMaxText) fault("a text of more than 64 MB");
    return *x + *y;
  }
  if (const ValueList* x = a.as_list(), *y = b.as_list(); x != nullptr && y != nullptr) {
    ValueList both = *x;
    both.insert(both.end(), y->begin(), y->end());
    return Value::list(std::move(both));
  }
  bad_operands("+", a, b);
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

Value integer_arithmetic(char op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = false;
  if ((op == '/' || op == '%') && (b == 0 || (b == -1 && a == INT64_MIN)))
    fault("division by zero");
  if (op == '+') overflow = __builtin_add_overflow(a, b, &result);
  if (op == '-') overflow = __builtin_sub_overflow(a, b, &result);
  if (op == '*') overflow = __builtin_mul_overflow(a, b, &result);
  if (op == '/') result = floor_divide(a, b);
  if (op == '%') result = a - floor_divide(a, b) * b;
  if (overflow) fault("a number out of range");
  return result;
}

Value arithmetic(std::string_view op, const Value& a, const Value& b) {
  if (op == "+" && !a.is_number()) return add(a, b);
  if (!a.is_number() || !b.is_number()) bad_operands(op, a, b);
  const auto *x = a.get<std::int64_t>(), *y = b.get<std::int64_t>();
  if (x != nullptr && y != nullptr && op != "/") return integer_arithmetic(op.front(), *x, *y);
  const double m = a.number(), n = b.number();
  if (op == "+") return m + n;
  if (op == "-") return m - n;
  if (op == "*") return m * n;
  if (n == 0) fault("division by zero");
  if (op == "/") return m / n;
  return op == "//" ? std::floor(m / n) : m - std::floor(m / n) * n;
}

bool compare(std::string_view op, const Value& a, const Value& b) {
  const std::optional<int> sign = order(a, b);
  if (!sign) bad_operands(op, a, b);
  if (op == "<") return *sign < 0;
  if (op == ">") return *sign > 0;
  return op == "<=" ? *sign <= 0 : *sign >= 0;
}

Value range(const CallArguments& arguments) {
  std::int64_t part[3] = {0, 0, 1};
  const ValueList& given = arguments.positional;
  if (given.empty() || given.size() > 3) fault("range() takes one to three integers");
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto* number = given[i].get<std::int64_t>();
    if (number == nullptr) fault("range() takes integers");
    part[given.size() == 1 ? 1 : i] = *number;
  }
  if (part[2] == 0) fault("range() with a step of 0");
  ValueList items;
  bool past_the_end = false;  // of the 64-bit integers
  for (std::int64_t i = part[0]; !past_the_end && (part[2] > 0 ? i < part[1] : i > part[1]);
       past_the_end = __builtin_add_overflow(i, part[2], &i)) {
    if (static_cast<std::int64_t>(items.size()) >= kMaxRange) fault("a range too long");
    items.emplace_back(i);
  }
  return Value::list(std::move(items));
}

ValueMap named_map(const CallArguments& arguments) {
  ValueMap map;
  for (const Value& value : arguments.positional) {
    ValueMap* other = value.as_map();
    if (other == nullptr) fault("expected names with values, or a mapping");
    for (const auto& [key, item] : other->entries) map.set(key, item);
  }
  for (const auto& [key, item] : arguments.named) map.set(key, item);
  return map;
}

}  // namespace

std::optional<ValueList> iterate(const Value& value) {
  if (const ValueList* items = value.as_list()) return *items;
  ValueList items;
  if (const auto* text = value.get<std::string>()) {
    for (std::size_t i = 0; i < text->size();) {
      const std::size_t bytes = code_point_at(*text, i).bytes;
      items.emplace_back(text->substr(i, bytes));
      i += bytes;
    }
    return items;
  }
  if (ValueMap* map = value.as_map()) {
    for (const auto& entry : map->entries) items.emplace_back(entry.first);
    return items;
  }
  return std::nullopt;
}

Value slice_of(const Value& value, std::optional<std::int64_t> begin,
               std::optional<std::int64_t> end, std::optional<std::int64_t> step) {
  const auto items = value.as_map() == nullptr ? iterate(value) : std::nullopt;
  if (!items) fault(fmt::format("a slice of a {}", value.type_name()));
  const auto n = static_cast<std::int64_t>(items->size());
  const std::int64_t by = step.value_or(1);
  if (by == 0 || by == INT64_MIN) fault("a slice with a step of 0");
  const std::int64_t low = by > 0 ? 0 : -1, high = by > 0 ? n : n - 1;
  const auto clamp = [&](std::optional<std::int64_t> bound, std::int64_t fallback) {
    if (!bound) return fallback;
    return std::clamp(*bound < 0 ? *bound + n : *bound, low, high);
  };
  ValueList taken;
  const std::int64_t from = clamp(begin, by > 0 ? 0 : n - 1), to = clamp(end, by > 0 ? n : -1);
  for (std::int64_t i = from; by > 0 ? i < to : i > to; i += by) {
    taken.push_back((*items)[static_cast<std::size_t>(i)]);
    if (std::abs(by) > n) break;
  }
  if (value.get<std::string>() == nullptr) return Value::list(std::move(taken));
  std::string text;
  for (const Value& c : taken) text += *c.get<std::string>();
  return text;
}

Value apply_operator(std::string_view op, const Value& a, const Value& b) {
  if (op == "==") return equal(a, b);
  if (op == "!=") return !equal(a, b);
  if (op == "in") return contains(b, a);
  if (op == "not in") return !contains(b, a);
  if (op == "~") return to_text(a) + to_text(b);
  if (op == "<" || op == ">" || op == "<=" || op == ">=") return compare(op, a, b);
  return arithmetic(op, a, b);
}

bool apply_test(std::string_view name, const Value& value, const CallArguments& arguments) {
  const auto* integer = value.get<std::int64_t>();
  const auto* flag = value.get<bool>();
  if (name == "defined") return !value.is_undefined();
  if (name == "undefined") return value.is_undefined();
  if (name == "none") return value.is_none();
  if (name == "string") return value.get<std::string>() != nullptr;
  if (name == "mapping") return value.as_map() != nullptr;
  if (name == "iterable" || name == "sequence") return iterate(value).has_value();
  if (name == "number") return value.is_number();
  if (name == "integer") return integer != nullptr;
  if (name == "float") return value.get<double>() != nullptr;
  if (name == "boolean") return flag != nullptr;
  if (name == "true") return flag != nullptr && *flag;
  if (name == "false") return flag != nullptr && !*flag;
  if (name == "callable") return value.get<std::shared_ptr<Callable>>() != nullptr;
  if (name == "odd" || name == "even") {
    if (integer == nullptr) fault(fmt::format("`{}` of a {}", name, value.type_name()));
    return (*integer % 2 != 0) == (name == "odd");
  }
  const Value* other = arguments.find(0, "other");
  if (other == nullptr) other = arguments.find(0, "seq");
  if (other != nullptr) {
    if (name == "equalto" || name == "eq" || name == "==") return equal(value, *other);
    if (name == "ne") return !equal(value, *other);
    if (name == "in") return contains(*other, value);
  }
  throw TemplateFault{fmt::format("the test `{}`", name), true};
}

void add_global_functions(ValueMap& globals) {
  const auto add = [&globals](const char* name, Callable function) {
    globals.set(name, std::make_shared<Callable>(std::move(function)));
  };
  add("range", range);
  add("dict", [](const CallArguments& arguments) { return Value::map(named_map(arguments)); });
  add("namespace", [](const CallArguments& arguments) {
    ValueMap map = named_map(arguments);
    map.is_namespace = true;
    return Value::map(std::move(map));
  });
  add("raise_exception", [](const CallArguments& arguments) -> Value {
    const Value* text = arguments.find(0, "message");
    fault(fmt::format("the template refuses these messages: {}",
                      text == nullptr ? "" : to_text(*text)));
  });
}

}  // namespace elastic::engine
