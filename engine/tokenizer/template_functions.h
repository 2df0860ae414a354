#pragma once

// Operators, filters, tests, methods and functions of the chat template language.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/tokenizer/template_value.h"

namespace elastic::engine {

/// What a library function throws; the evaluator adds file and line.
struct TemplateFault {
  std::string what;
  bool unsupported = false;
};
[[noreturn]] inline void fault(std::string what) { throw TemplateFault{std::move(what), false}; }

/// Items of a list, characters of a string, keys of a mapping; nothing for others.
std::optional<ValueList> iterate(const Value& value);

/// value[begin:end:step] of a list or a string.
Value slice_of(const Value& value, std::optional<std::int64_t> begin,
               std::optional<std::int64_t> end, std::optional<std::int64_t> step);

/// == != < > <= >= in, not in + - * / // % ~
Value apply_operator(std::string_view op, const Value& left, const Value& right);

Value apply_filter(std::string_view name, const Value& value, const CallArguments& arguments);

bool apply_test(std::string_view name, const Value& value, const CallArguments& arguments);

/// Methods of strings and mappings.
Value call_method(const Value& object, std::string_view name, const CallArguments& arguments);

/// range, namespace, dict, raise_exception.
void add_global_functions(ValueMap& globals);

}  // namespace elastic::engine
