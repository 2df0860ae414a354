#include "engine/chat/template_functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/utf8.h"

namespace elastic::engine {
namespace {

constexpr std::int64_t kMaxRange = 100'000;
constexpr std::size_t kMaxMessage = 1000;  // bytes of what a template says when it refuses

[[noreturn]] void bad_operands(std::string_view op, const Value& a, const Value& b) {
  const auto* undefined = a.is_undefined() ? a.get<Undefined>() : b.get<Undefined>();
  if (undefined != nullptr) fault(fmt::format("`{}` is undefined in `{}`", undefined->name, op));
  fault(fmt::format("`{}` of a {} and a {}", op, a.type_name(), b.type_name()));
}

bool contains(TemplateBudget& budget, const Value& container, const Value& item) {
  if (const auto* text = container.as_text()) {
    const auto* part = item.as_text();
    if (part == nullptr) bad_operands("in", item, container);
    return find_part(budget, *text, *part) != std::string_view::npos;
  }
  if (const ValueMap* map = container.as_map()) {
    const auto* key = item.as_text();
    return key != nullptr && map->find(budget, *key) != nullptr;
  }
  if (container.is_undefined()) return false;
  const ValueList* items = container.as_list();
  if (items == nullptr) bad_operands("in", item, container);
  return std::any_of(items->begin(), items->end(),
                     [&](const Value& other) { return equal(budget, other, item); });
}

Value concatenated(TemplateBudget& budget, std::string_view a, std::string_view b) {
  BudgetedText text(budget);
  text += a;
  text += b;
  return text.take();
}

Value add(TemplateBudget& budget, const Value& a, const Value& b) {
  if (const auto* x = a.as_text(), *y = b.as_text(); x != nullptr && y != nullptr) {
    return concatenated(budget, *x, *y);
  }
  if (const ValueList* x = a.as_list(), *y = b.as_list(); x != nullptr && y != nullptr) {
    budget.elements(x->size() + y->size());
    ValueList both = *x;
    both.insert(both.end(), y->begin(), y->end());
    return Value::list(budget, std::move(both));
  }
  bad_operands("+", a, b);
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

// Python's a % b: of b's sign, and exact.
std::int64_t floor_rest(std::int64_t a, std::int64_t b) {
  const std::int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

double floor_rest(double a, double b) {
  const double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(rest, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
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
  if (op == '%') result = floor_rest(a, b);
  if (overflow) fault("a number out of range");
  return result;
}

Value arithmetic(TemplateBudget& budget, std::string_view op, const Value& a, const Value& b) {
  if (op == "+" && !a.is_number()) return add(budget, a, b);
  if (!a.is_number() || !b.is_number()) bad_operands(op, a, b);
  const auto *x = a.get<std::int64_t>(), *y = b.get<std::int64_t>();
  if (x != nullptr && y != nullptr && op != "/") return integer_arithmetic(op.front(), *x, *y);
  const double m = a.number(), n = b.number();
  if (op == "+") return m + n;
  if (op == "-") return m - n;
  if (op == "*") return m * n;
  if (n == 0) fault("division by zero");
  if (op == "/") return m / n;
  const double rest = floor_rest(m, n);
  return op == "%" ? rest : std::round((m - rest) / n);
}

bool compare(TemplateBudget& budget, std::string_view op, const Value& a, const Value& b) {
  const std::optional<int> sign = order(budget, a, b);
  if (!sign) bad_operands(op, a, b);
  if (op == "<") return *sign < 0;
  if (op == ">") return *sign > 0;
  return op == "<=" ? *sign <= 0 : *sign >= 0;
}

Value range(TemplateBudget& budget, const CallArguments& arguments) {
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
  return Value::list(budget, std::move(items));
}

ValueMap named_map(TemplateBudget& budget, const CallArguments& arguments) {
  ValueMap map;
  for (const Value& value : arguments.positional) {
    const ValueMap* other = value.as_map();
    if (other == nullptr) fault("expected names with values, or a mapping");
    for (const auto& [key, item] : other->entries) map.set(budget, key, item);
  }
  for (const auto& [key, item] : arguments.named) map.set(budget, key, item);
  return map;
}

// Python's index: from the end where negative.
std::optional<std::size_t> index_of(std::int64_t position, std::size_t size) {
  const auto n = static_cast<std::int64_t>(size);
  const std::int64_t at = position < 0 ? position + n : position;
  return at < 0 || at >= n ? std::nullopt : std::optional(static_cast<std::size_t>(at));
}

std::u32string characters(TemplateBudget& budget, const std::string& text) {
  budget.bytes(text.size());
  return code_points(text);
}

struct SliceBounds {
  std::optional<std::int64_t> begin, end, step;
};

// sequence[begin:end:step]
template <typename Sequence>
Sequence sliced(const Sequence& sequence, const SliceBounds& bounds) {
  const auto n = static_cast<std::int64_t>(sequence.size());
  const std::int64_t by = bounds.step.value_or(1);
  if (by == 0 || by == INT64_MIN) fault("a slice with a step of 0");
  const std::int64_t low = by > 0 ? 0 : -1, high = by > 0 ? n : n - 1;
  const auto clamp = [&](std::optional<std::int64_t> bound, std::int64_t fallback) {
    if (!bound) return fallback;
    return std::clamp(*bound < 0 ? *bound + n : *bound, low, high);
  };
  Sequence taken;
  const std::int64_t from = clamp(bounds.begin, by > 0 ? 0 : n - 1);
  const std::int64_t to = clamp(bounds.end, by > 0 ? n : -1);
  for (std::int64_t i = from; by > 0 ? i < to : i > to; i += by) {
    taken.push_back(sequence[static_cast<std::size_t>(i)]);
    if (std::abs(by) > n) break;
  }
  return taken;
}

}  // namespace

bool is_iterable(const Value& value) {
  return value.as_list() != nullptr || value.as_map() != nullptr || value.as_text() != nullptr;
}

std::optional<ValueList> iterate(TemplateBudget& budget, const Value& value) {
  if (!is_iterable(value)) return std::nullopt;
  if (const ValueList* items = value.as_list()) {
    budget.elements(items->size());
    budget.bytes(items->size() * sizeof(Value));
    return *items;
  }
  ValueList items;
  if (const auto* text = value.as_text()) {
    for (std::size_t i = 0; i < text->size();) {
      const std::size_t bytes = code_point_at(*text, i).bytes;
      charge_text_item(budget, bytes);
      items.emplace_back(text->substr(i, bytes));
      i += bytes;
    }
    return items;
  }
  for (const auto& entry : value.as_map()->entries) {
    charge_text_item(budget, entry.first.size());
    items.emplace_back(entry.first);
  }
  return items;
}

std::optional<Value> item_at(TemplateBudget& budget, const Value& value, std::int64_t position) {
  if (const ValueList* items = value.as_list()) {
    const auto at = index_of(position, items->size());
    return at ? std::optional((*items)[*at]) : std::nullopt;
  }
  const auto* text = value.as_text();
  if (text == nullptr) return std::nullopt;
  const std::u32string all = characters(budget, *text);
  const auto at = index_of(position, all.size());
  return at ? std::optional<Value>(to_utf8(all.substr(*at, 1))) : std::nullopt;
}

Value slice_of(TemplateBudget& budget, const Value& value, std::optional<std::int64_t> begin,
               std::optional<std::int64_t> end, std::optional<std::int64_t> step) {
  const SliceBounds bounds{begin, end, step};
  if (const auto* text = value.as_text()) {
    return to_utf8(sliced(characters(budget, *text), bounds));
  }
  const ValueList* items = value.as_list();
  if (items == nullptr) fault(fmt::format("a slice of a {}", value.type_name()));
  budget.elements(items->size());
  return Value::list(budget, sliced(*items, bounds));
}

std::size_t find_part(TemplateBudget& budget, std::string_view text, std::string_view part,
                      std::size_t from) {
  if (from > text.size()) return std::string_view::npos;
  const std::string_view rest = text.substr(from);
  const void* found = ::memmem(rest.data(), rest.size(), part.data(), part.size());
  const auto skipped =
      found == nullptr ? rest.size()
                       : static_cast<std::size_t>(static_cast<const char*>(found) - rest.data());
  budget.bytes(skipped + part.size());
  return found == nullptr ? std::string_view::npos : from + skipped;
}

Value apply_operator(TemplateBudget& budget, std::string_view op, const Value& a, const Value& b) {
  if (op == "==") return equal(budget, a, b);
  if (op == "!=") return !equal(budget, a, b);
  if (op == "in") return contains(budget, b, a);
  if (op == "not in") return !contains(budget, b, a);
  if (op == "~") return concatenated(budget, to_text(budget, a), to_text(budget, b));
  if (op == "<" || op == ">" || op == "<=" || op == ">=") return compare(budget, op, a, b);
  return arithmetic(budget, op, a, b);
}

bool apply_test(TemplateBudget& budget, std::string_view name, const Value& value,
                const CallArguments& arguments) {
  const auto* integer = value.get<std::int64_t>();
  const auto* flag = value.get<bool>();
  if (name == "defined") return !value.is_undefined();
  if (name == "undefined") return value.is_undefined();
  if (name == "none") return value.is_none();
  if (name == "string") return value.as_text() != nullptr;
  if (name == "mapping") return value.as_map() != nullptr;
  if (name == "iterable" || name == "sequence") return is_iterable(value);
  if (name == "number") return value.is_number();
  if (name == "integer") return integer != nullptr;
  if (name == "float") return value.get<double>() != nullptr;
  if (name == "boolean") return flag != nullptr;
  if (name == "true") return flag != nullptr && *flag;
  if (name == "false") return flag != nullptr && !*flag;
  if (name == "callable") return value.as_callable() != nullptr;
  if (name == "odd" || name == "even") {
    if (integer == nullptr) fault(fmt::format("`{}` of a {}", name, value.type_name()));
    return (*integer % 2 != 0) == (name == "odd");
  }
  const Value* other = arguments.find(0, "other");
  if (other == nullptr) other = arguments.find(0, "seq");
  if (other != nullptr) {
    if (name == "equalto" || name == "eq" || name == "==") return equal(budget, value, *other);
    if (name == "ne") return !equal(budget, value, *other);
    if (name == "in") return contains(budget, *other, value);
  }
  throw TemplateFault{fmt::format("the test `{}`", name), true};
}

void add_global_functions(TemplateBudget& budget, ValueMap& globals) {
  const auto add = [&](const char* name, Callable function) {
    globals.set(budget, name, std::make_shared<Callable>(std::move(function)));
  };
  add("range", [&budget](const CallArguments& arguments) { return range(budget, arguments); });
  add("dict", [&budget](const CallArguments& arguments) {
    return Value::map(budget, named_map(budget, arguments));
  });
  add("namespace", [&budget](const CallArguments& arguments) {
    Value map = Value::map(budget, named_map(budget, arguments));
    map.as_map()->is_namespace = true;
    return map;
  });
  add("raise_exception", [&budget](const CallArguments& arguments) -> Value {
    const Value* text = arguments.find(0, "message");
    fault(fmt::format("the template refuses these messages: {}",
                      text == nullptr ? "" : to_text(budget, *text).substr(0, kMaxMessage)));
  });
}

}  // namespace elastic::engine
