#include "engine/tokenizer/template_evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "engine/tokenizer/template_functions.h"
#include "engine/tokenizer/template_lexer.h"

namespace elastic::engine {
namespace {

constexpr std::size_t kMaxOutput = std::size_t{64} << 20;
constexpr std::int64_t kMaxSteps = 5'000'000;
constexpr std::size_t kMaxCopied = std::size_t{4} << 30;  // bytes of texts handled on the way
constexpr int kMaxCalls = 60;

enum class Flow { kNext, kBreak, kContinue };

class Evaluator {
 public:
  Evaluator(std::string_view name, ValueMap globals) : name_(name) {
    scopes_.push_back(std::move(globals));
    scopes_.emplace_back();
  }

  std::string run(const Body& body) {
    std::string out;
    execute(body, out);
    return out;
  }

 private:
  [[noreturn]] void fail(int line, std::string_view what) const {
    template_error(name_, line, what);
  }

  void step(int line) {
    if (++steps_ > kMaxSteps) fail(line, "the template takes too many steps");
  }

  void print(std::string& out, std::string_view text, int line) {
    if (out.size() + text.size() > kMaxOutput) fail(line, "the template prints too much");
    out += text;
  }

  // ---- statements

  Flow execute(const Body& body, std::string& out) {
    for (const Statement& statement : body) {
      if (const Flow flow = execute(statement, out); flow != Flow::kNext) return flow;
    }
    return Flow::kNext;
  }

  Flow execute(const Statement& s, std::string& out) {
    step(s.line);
    switch (s.kind) {
      case StatementKind::kText:
        print(out, s.text, s.line);
        return Flow::kNext;
      case StatementKind::kOutput:
        print(out, to_text(value(*s.values.front())), s.line);
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
      case StatementKind::kSetBlock: {
        std::string text;
        execute(s.branches.front().second, text);
        scopes_.back().set(s.names.front(), std::move(text));
        return Flow::kNext;
      }
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

  void assign(const std::vector<std::string>& names, Value value, int line) {
    if (names.size() == 1) return scopes_.back().set(names.front(), std::move(value));
    const ValueList* parts = value.as_list();
    if (parts == nullptr || parts->size() != names.size()) {
      fail(line, fmt::format("a {} cannot be taken apart into {} names", value.type_name(),
                             names.size()));
    }
    for (std::size_t i = 0; i < names.size(); ++i) scopes_.back().set(names[i], (*parts)[i]);
  }

  void set(const Statement& s) {
    Value assigned = value(*s.values.front());
    if (s.attribute.empty()) return assign(s.names, std::move(assigned), s.line);
    ValueMap* target = lookup(s.names.front()).as_map();
    if (target == nullptr || !target->is_namespace) {
      fail(s.line, fmt::format("`{}` is no namespace", s.names.front()));
    }
    target->set(s.attribute, std::move(assigned));
  }

  ValueList items_of(const Value& sequence, int line) const {
    if (sequence.is_undefined()) return {};
    const auto items = iterate(sequence);
    if (!items) fail(line, fmt::format("a {} cannot be looped over", sequence.type_name()));
    return *items;
  }

  void loop(const Statement& s, std::string& out) {
    ValueList items = items_of(value(*s.values[0]), s.line);
    if (s.values[1] != nullptr) {  // for x in y if condition
      ValueList kept;
      for (Value& item : items) {
        scopes_.emplace_back();
        assign(s.names, item, s.line);
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
      step(s.line);
      scopes_.emplace_back();
      assign(s.names, items[i], s.line);
      scopes_.back().set("loop", loop_variables(items, i));
      const Flow flow = execute(s.branches[0].second, out);
      scopes_.pop_back();
      if (flow == Flow::kBreak) break;
    }
  }

  static Value loop_variables(const ValueList& items, std::size_t i) {
    const auto n = static_cast<std::int64_t>(items.size()), at = static_cast<std::int64_t>(i);
    ValueMap loop;
    loop.set("index", at + 1);
    loop.set("index0", at);
    loop.set("revindex", n - at);
    loop.set("revindex0", n - at - 1);
    loop.set("first", at == 0);
    loop.set("last", at == n - 1);
    loop.set("length", n);
    if (i > 0) loop.set("previtem", items[i - 1]);
    if (i + 1 < items.size()) loop.set("nextitem", items[i + 1]);
    return Value::map(std::move(loop));
  }

  void define_macro(const Statement& s) {
    scopes_.back().set(
        s.names.front(),
        std::make_shared<Callable>([this, &s](const CallArguments& arguments) -> Value {
          if (++calls_ > kMaxCalls) fail(s.line, "macros call each other too deeply");
          ValueMap parameters;
          for (std::size_t i = 1; i < s.names.size(); ++i) {
            const Value* given = arguments.find(i - 1, s.names[i]);
            const ExpressionPtr& fallback = s.values[i - 1];
            parameters.set(s.names[i], given != nullptr      ? *given
                                       : fallback != nullptr ? value(*fallback)
                                                             : Value(Undefined{s.names[i]}));
          }
          // A macro sees its parameters and the template's own names, not its caller's.
          std::vector<ValueMap> callers(std::make_move_iterator(scopes_.begin() + 2),
                                        std::make_move_iterator(scopes_.end()));
          scopes_.resize(2);
          scopes_.push_back(std::move(parameters));
          std::string text;
          execute(s.branches.front().second, text);
          scopes_.resize(2);
          std::move(callers.begin(), callers.end(), std::back_inserter(scopes_));
          --calls_;
          return text;
        }));
  }

  // ---- expressions

  Value lookup(std::string_view name) {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      if (const Value* found = scope->find(name)) return *found;
    }
    return Undefined{std::string(name)};
  }

  Value value(const Expression& e) {
    step(e.line);
    Value result = compute(e);
    if (const auto* text = result.get<std::string>()) {
      copied_ += text->size();
      if (copied_ > kMaxCopied) fail(e.line, "the template handles too much text");
    }
    return result;
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
        return Value::list(std::move(items));
      }
      case ExpressionKind::kMap:
        return map(e);
      case ExpressionKind::kAttribute:
        return member(value(*e.children[0]), e.name, e.line);
      case ExpressionKind::kSubscript:
        return subscript(e);
      case ExpressionKind::kSlice:
        return slice(e);
      case ExpressionKind::kCall:
        return call(e);
      case ExpressionKind::kFilter:
        return guarded(e,
                       [&] { return apply_filter(e.name, value(*e.children[0]), arguments(e)); });
      case ExpressionKind::kTest:
        return guarded(
            e, [&]() -> Value { return apply_test(e.name, value(*e.children[0]), arguments(e)); });
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

  // Names file and line in what library functions throw.
  template <typename Call>
  Value guarded(const Expression& e, Call call) {
    try {
      return call();
    } catch (const TemplateFault& fault) {
      if (fault.unsupported) template_unsupported(name_, e.line, fault.what);
      fail(e.line, fault.what);
    }
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
      if (key.get<std::string>() == nullptr) {
        template_unsupported(name_, e.line, "a mapping with a key that is no string");
      }
      entries.set(*key.get<std::string>(), value(*e.children[i + 1]));
    }
    return Value::map(std::move(entries));
  }

  Value member(const Value& object, const std::string& name, int line) {
    if (const auto* undefined = object.get<Undefined>()) {
      fail(line, fmt::format("`{}` is undefined, so it has no `{}`", undefined->name, name));
    }
    if (ValueMap* map = object.as_map()) {
      if (const Value* found = map->find(name)) return *found;
    }
    return Undefined{name};
  }

  Value subscript(const Expression& e) {
    const Value object = value(*e.children[0]);
    const Value key = value(*e.children[1]);
    if (const auto* name = key.get<std::string>()) return member(object, *name, e.line);
    if (object.is_undefined()) return member(object, to_text(key), e.line);
    const auto* position = key.get<std::int64_t>();
    if (position == nullptr) return Undefined{to_text(key)};
    const auto items = iterate(object);
    if (!items || object.as_map() != nullptr) return Undefined{to_text(key)};
    const auto n = static_cast<std::int64_t>(items->size());
    const std::int64_t at = *position < 0 ? *position + n : *position;
    if (at < 0 || at >= n) return Undefined{to_text(key)};
    return (*items)[static_cast<std::size_t>(at)];
  }

  Value slice(const Expression& e) {
    const auto bound = [&](std::size_t i) -> std::optional<std::int64_t> {
      if (e.children[i] == nullptr) return std::nullopt;
      const Value given = value(*e.children[i]);
      if (given.is_none()) return std::nullopt;
      if (const auto* number = given.get<std::int64_t>()) return *number;
      fail(e.line, "a slice's bound that is no integer");
    };
    const Value object = value(*e.children[0]);
    return guarded(e, [&] { return slice_of(object, bound(1), bound(2), bound(3)); });
  }

  Value call(const Expression& e) {
    const Expression& callee = *e.children[0];
    if (callee.kind == ExpressionKind::kAttribute) {
      const Value object = value(*callee.children[0]);
      ValueMap* map = object.as_map();
      const Value* own = map == nullptr ? nullptr : map->find(callee.name);
      if (own == nullptr || own->get<std::shared_ptr<Callable>>() == nullptr) {
        if (object.is_undefined()) return member(object, callee.name, e.line);
        return guarded(e, [&] { return call_method(object, callee.name, arguments(e)); });
      }
    }
    const Value function = value(callee);
    const auto* callable = function.get<std::shared_ptr<Callable>>();
    if (callable == nullptr) {
      const std::string name = callee.name.empty() ? function.type_name() : callee.name;
      if (function.is_undefined()) {
        template_unsupported(name_, e.line, fmt::format("the function `{}`", name));
      }
      fail(e.line, fmt::format("`{}` cannot be called", name));
    }
    return guarded(e, [&] { return (**callable)(arguments(e)); });
  }

  Value unary(const Expression& e) {
    const Value operand = value(*e.children[0]);
    if (e.name == "not") return !operand.truth();
    if (const auto* integer = operand.get<std::int64_t>()) {
      if (e.name != "-") return *integer;
      return guarded(e, [&] { return apply_operator("-", std::int64_t{0}, operand); });
    }
    if (const auto* number = operand.get<double>()) return e.name == "-" ? -*number : *number;
    fail(e.line, fmt::format("`{}` of a {}", e.name, operand.type_name()));
  }

  Value binary(const Expression& e) {
    const Value left = value(*e.children[0]);
    if (e.name == "and") return left.truth() ? value(*e.children[1]) : left;
    if (e.name == "or") return left.truth() ? left : value(*e.children[1]);
    const Value right = value(*e.children[1]);
    return guarded(e, [&] { return apply_operator(e.name, left, right); });
  }

  std::string_view name_;
  std::vector<ValueMap> scopes_;  // what the caller gave, the template's own names, loops
  std::int64_t steps_ = 0;
  std::size_t copied_ = 0;
  int calls_ = 0;
};

}  // namespace

std::string evaluate_template(const Body& body, std::string_view name, ValueMap globals) {
  add_global_functions(globals);
  return Evaluator(name, std::move(globals)).run(body);
}

}  // namespace elastic::engine
