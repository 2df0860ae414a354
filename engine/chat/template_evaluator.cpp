#include "engine/chat/template_evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/chat/template_budget.h"
#include "engine/chat/template_functions.h"
#include "engine/chat/template_lexer.h"

namespace elastic::engine {
namespace {

enum class Flow { kNext, kBreak, kContinue };

class Evaluator {
 public:
  Evaluator(std::string_view name, const Json& variables) : name_(name) {
    scopes_.resize(2);
    located(1, [&] {
      for (const auto& [key, item] : variables.items()) {
        scopes_.front().set(budget_, key, Value::from_json(item));
      }
      add_global_functions(budget_, scopes_.front());
    });
  }

  std::string run(const Body& body) {
    BudgetedText out(budget_);
    execute(body, out);
    return out.take();
  }

 private:
  // ---- statements

  Flow execute(const Body& body, BudgetedText& out) {
    for (const Statement& statement : body) {
      const Flow flow = located(statement.line, [&] { return execute(statement, out); });
      if (flow != Flow::kNext) return flow;
    }
    return Flow::kNext;
  }

  // Names file and line in the faults of `act`.
  template <typename Act>
  auto located(int line, Act act) -> decltype(act()) {
    try {
      const TemplateBudget::Nested nested(budget_);
      budget_.step();
      return act();
    } catch (const TemplateFault& fault) {
      if (fault.unsupported) template_unsupported(name_, line, fault.what);
      template_error(name_, line, fault.what);
    }
  }

  Flow execute(const Statement& s, BudgetedText& out) {
    switch (s.kind) {
      case StatementKind::kText:
        out += s.text;
        return Flow::kNext;
      case StatementKind::kOutput:
        print(value(*s.values.front()), out);
        return Flow::kNext;
      case StatementKind::kIf:
        for (const auto& [condition, body] : s.branches) {
          if (condition == nullptr || value(*condition).truth()) return execute(body, out);
        }
        return Flow::kNext;
      case StatementKind::kFor:
        loop(s, out);
        return Flow::kNext;
      case StatementKind::kSet:
        set(s);
        return Flow::kNext;
      case StatementKind::kSetBlock:
        define(s.names.front(), printed(s.branches.front().second));
        return Flow::kNext;
      case StatementKind::kMacro:
        define_macro(s);
        return Flow::kNext;
      case StatementKind::kBreak:
        return Flow::kBreak;
      case StatementKind::kContinue:
        return Flow::kContinue;
    }
    return Flow::kNext;
  }

  void print(const Value& value, BudgetedText& out) {
    if (const auto* text = value.as_text()) {
      out += *text;
    } else {
      out += to_text(budget_, value);
    }
  }

  std::string printed(const Body& body) {
    BudgetedText text(budget_);
    execute(body, text);
    return text.take();
  }

  void define(const std::string& name, Value value) {
    scopes_.back().set(budget_, name, std::move(value));
  }

  void assign(const std::vector<std::string>& names, Value value) {
    if (names.size() == 1) return define(names.front(), std::move(value));
    const ValueList* parts = value.as_list();
    if (parts == nullptr || parts->size() != names.size()) {
      fault(
          fmt::format("a {} cannot be taken apart into {} names", value.type_name(), names.size()));
    }
    for (std::size_t i = 0; i < names.size(); ++i) define(names[i], (*parts)[i]);
  }

  void set(const Statement& s) {
    Value assigned = value(*s.values.front());
    if (s.attribute.empty()) return assign(s.names, std::move(assigned));
    const Value target = lookup(s.names.front());
    ValueMap* map = target.as_map();
    if (map == nullptr || !map->is_namespace) {
      fault(fmt::format("`{}` is no namespace", s.names.front()));
    }
    assigned.depth_around();  // only values that a namespace may hold
    map->set(budget_, s.attribute, std::move(assigned));
  }

  ValueList items_of(const Value& sequence) {
    if (sequence.is_undefined()) return {};
    auto items = iterate(budget_, sequence);
    if (!items) fault(fmt::format("a {} cannot be looped over", sequence.type_name()));
    return *std::move(items);
  }

  void loop(const Statement& s, BudgetedText& out) {
    ValueList items = items_of(value(*s.values[0]));
    if (s.values[1] != nullptr) {  // for x in y if condition
      ValueList kept;
      for (Value& item : items) {
        scopes_.emplace_back();
        assign(s.names, item);
        if (value(*s.values[1]).truth()) kept.push_back(std::move(item));
        scopes_.pop_back();
      }
      items = std::move(kept);
    }
    if (items.empty() && s.branches.size() > 1) {
      execute(s.branches[1].second, out);
      return;
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      budget_.step();
      scopes_.emplace_back();
      assign(s.names, items[i]);
      define("loop", loop_variables(items, i));
      const Flow flow = execute(s.branches[0].second, out);
      scopes_.pop_back();
      if (flow == Flow::kBreak) break;
    }
  }

  Value loop_variables(const ValueList& items, std::size_t i) {
    const auto n = static_cast<std::int64_t>(items.size()), at = static_cast<std::int64_t>(i);
    ValueMap loop;
    loop.entries = {
        {"index", at + 1},  {"index0", at},        {"revindex", n - at}, {"revindex0", n - at - 1},
        {"first", at == 0}, {"last", at == n - 1}, {"length", n}};
    if (i > 0) loop.entries.emplace_back("previtem", items[i - 1]);
    if (i + 1 < items.size()) loop.entries.emplace_back("nextitem", items[i + 1]);
    return Value::map(budget_, std::move(loop));
  }

  void define_macro(const Statement& s) {
    define(s.names.front(), std::make_shared<Callable>([this, &s](const CallArguments& arguments) {
             return call_macro(s, arguments);
           }));
  }

  Value call_macro(const Statement& s, const CallArguments& arguments) {
    ValueMap parameters;
    for (std::size_t i = 1; i < s.names.size(); ++i) {
      const Value* given = arguments.find(i - 1, s.names[i]);
      const ExpressionPtr& fallback = s.values[i - 1];
      parameters.set(budget_, s.names[i],
                     given != nullptr      ? *given
                     : fallback != nullptr ? value(*fallback)
                                           : Value::undefined(s.names[i]));
    }
    // A macro sees its parameters and the template's own names, not its caller's.
    std::vector<ValueMap> callers(std::make_move_iterator(scopes_.begin() + 2),
                                  std::make_move_iterator(scopes_.end()));
    scopes_.resize(2);
    scopes_.push_back(std::move(parameters));
    std::string text = printed(s.branches.front().second);
    scopes_.resize(2);
    std::move(callers.begin(), callers.end(), std::back_inserter(scopes_));
    return text;
  }

  // ---- expressions

  Value lookup(std::string_view name) {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      if (const Value* found = scope->find(budget_, name)) return *found;
    }
    return Value::undefined(name);
  }

  Value value(const Expression& e) {
    return located(e.line, [&] { return compute(e); });
  }

  Value compute(const Expression& e) {
    switch (e.kind) {
      case ExpressionKind::kLiteral:
        return e.value;
      case ExpressionKind::kName:
        return lookup(e.name);
      case ExpressionKind::kList: {
        ValueList items;
        for (const ExpressionPtr& child : e.children) items.push_back(value(*child));
        return Value::list(budget_, std::move(items));
      }
      case ExpressionKind::kMap:
        return map(e);
      case ExpressionKind::kAttribute:
        return member(value(*e.children[0]), e.name);
      case ExpressionKind::kSubscript:
        return subscript(e);
      case ExpressionKind::kSlice:
        return slice(e);
      case ExpressionKind::kCall:
        return call(e);
      case ExpressionKind::kFilter: {
        const Value subject = value(*e.children[0]);
        return apply_filter(budget_, e.name, subject, arguments(e));
      }
      case ExpressionKind::kTest: {
        const Value subject = value(*e.children[0]);
        return apply_test(budget_, e.name, subject, arguments(e));
      }
      case ExpressionKind::kUnary:
        return unary(e);
      case ExpressionKind::kBinary:
        return binary(e);
      case ExpressionKind::kCondition:
        if (value(*e.children[1]).truth()) return value(*e.children[0]);
        return e.children[2] == nullptr ? Value() : value(*e.children[2]);
    }
    return {};
  }

  CallArguments arguments(const Expression& e) {
    CallArguments result;
    for (const auto& [name, argument] : e.arguments) {
      if (name.empty()) {
        result.positional.push_back(value(*argument));
      } else {
        result.named.emplace_back(name, value(*argument));
      }
    }
    return result;
  }

  Value map(const Expression& e) {
    ValueMap entries;
    for (std::size_t i = 0; i + 1 < e.children.size(); i += 2) {
      const Value key = value(*e.children[i]);
      if (key.as_text() == nullptr) {
        throw TemplateFault{"a mapping with a key that is no string", true};
      }
      entries.set(budget_, *key.as_text(), value(*e.children[i + 1]));
    }
    return Value::map(budget_, std::move(entries));
  }

  Value member(const Value& object, const std::string& name) {
    if (const auto* undefined = object.get<Undefined>()) {
      fault(fmt::format("`{}` is undefined, so it has no `{}`", undefined->name,
                        Value::undefined(name).get<Undefined>()->name));
    }
    if (const ValueMap* map = object.as_map()) {
      if (const Value* found = map->find(budget_, name)) return *found;
    }
    return Value::undefined(name);
  }

  Value subscript(const Expression& e) {
    const Value object = value(*e.children[0]);
    const Value key = value(*e.children[1]);
    if (const auto* name = key.as_text()) return member(object, *name);
    if (object.is_undefined()) return member(object, to_text(budget_, key));
    if (const auto* position = key.get<std::int64_t>()) {
      if (auto item = item_at(budget_, object, *position)) return *std::move(item);
    }
    return Value::undefined(to_text(budget_, key));
  }

  Value slice(const Expression& e) {
    const auto bound = [&](std::size_t i) -> std::optional<std::int64_t> {
      if (e.children[i] == nullptr) return std::nullopt;
      const Value given = value(*e.children[i]);
      if (given.is_none()) return std::nullopt;
      if (const auto* number = given.get<std::int64_t>()) return *number;
      fault("a slice's bound that is no integer");
    };
    const Value object = value(*e.children[0]);
    return slice_of(budget_, object, bound(1), bound(2), bound(3));
  }

  Value call(const Expression& e) {
    const Expression& callee = *e.children[0];
    if (callee.kind == ExpressionKind::kAttribute) {
      const Value object = value(*callee.children[0]);
      const ValueMap* map = object.as_map();
      const Value* own = map == nullptr ? nullptr : map->find(budget_, callee.name);
      if (own == nullptr || own->as_callable() == nullptr) {
        if (object.is_undefined()) return member(object, callee.name);
        return call_method(budget_, object, callee.name, arguments(e));
      }
    }
    const Value function = value(callee);
    const Callable* callable = function.as_callable();
    if (callable == nullptr) {
      const std::string name = callee.name.empty() ? function.type_name() : callee.name;
      if (function.is_undefined()) {
        throw TemplateFault{fmt::format("the function `{}`", name), true};
      }
      fault(fmt::format("`{}` cannot be called", name));
    }
    return (*callable)(arguments(e));
  }

  Value unary(const Expression& e) {
    const Value operand = value(*e.children[0]);
    if (e.name == "not") return !operand.truth();
    if (const auto* integer = operand.get<std::int64_t>()) {
      return e.name == "-" ? apply_operator(budget_, "-", std::int64_t{0}, operand) : *integer;
    }
    if (const auto* number = operand.get<double>()) return e.name == "-" ? -*number : *number;
    fault(fmt::format("`{}` of a {}", e.name, operand.type_name()));
  }

  Value binary(const Expression& e) {
    const Value left = value(*e.children[0]);
    if (e.name == "and") return left.truth() ? value(*e.children[1]) : left;
    if (e.name == "or") return left.truth() ? left : value(*e.children[1]);
    const Value right = value(*e.children[1]);
    return apply_operator(budget_, e.name, left, right);
  }

  std::string_view name_;
  TemplateBudget budget_;
  std::vector<ValueMap> scopes_;  // what the caller gave, the template's own names, loops
};

}  // namespace

std::string evaluate_template(const Body& body, std::string_view name, const Json& variables) {
  return Evaluator(name, variables).run(body);
}

}  // namespace elastic::engine
