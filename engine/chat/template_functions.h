#pragma once

// Operators, filters, tests, methods and functions of the chat template language. What they take
// is charged to the budget; what cannot be done is a TemplateFault.

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/chat/template_budget.h"
#include "engine/chat/template_value.h"

namespace elastic::engine {

/// Lists, texts and mappings can be looped over.
bool is_iterable(const Value& value);

/// Items of a list, characters of a text, keys of a mapping; nothing for others.
std::optional<ValueList> iterate(TemplateBudget& budget, const Value& value);

/// value[position] of a list or a text, from the end where negative; nothing outside.
std::optional<Value> item_at(TemplateBudget& budget, const Value& value, std::int64_t position);

/// value[begin:end:step] of a list or a text.
Value slice_of(TemplateBudget& budget, const Value& value, std::optional<std::int64_t> begin,
               std::optional<std::int64_t> end, std::optional<std::int64_t> step);

/// Where `part` begins in `text` at or after `from`, npos where nowhere; in linear time whatever
/// the two are, which string_view::find() is not.
std::size_t find_part(TemplateBudget& budget, std::string_view text, std::string_view part,
                      std::size_t from = 0);

/// == != < > <= >= in, not in + - * / // % ~
Value apply_operator(TemplateBudget& budget, std::string_view op, const Value& left,
                     const Value& right);

Value apply_filter(TemplateBudget& budget, std::string_view name, const Value& value,
                   const CallArguments& arguments);

bool apply_test(TemplateBudget& budget, std::string_view name, const Value& value,
                const CallArguments& arguments);

/// Methods of strings and mappings.
Value call_method(TemplateBudget& budget, const Value& object, std::string_view name,
                  const CallArguments& arguments);

/// range, namespace, dict, raise_exception. `budget` outlives them.
void add_global_functions(TemplateBudget& budget, ValueMap& globals);

}  // namespace elastic::engine
