#pragma once

// Runs a parsed chat template.
//
//   std::string text = evaluate_template(body, name, globals);
//
// Bounded: a template that prints more than 64 MB, takes more than 5 million steps or calls itself
// too deeply is an error. Nothing outside its variables is reachable.

#include <string>
#include <string_view>

#include "engine/tokenizer/template_ast.h"

namespace elastic::engine {

/// Throws kCorrupt naming `name`, line and what went wrong (also what the template itself raises),
/// kUnsupported for a filter, test or method outside the subset.
std::string evaluate_template(const Body& body, std::string_view name, ValueMap globals);

}  // namespace elastic::engine
