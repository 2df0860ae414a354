#pragma once

// Runs a parsed chat template.
//
//   std::string text = evaluate_template(body, name, variables);  // an object
//
// Bounded by a TemplateBudget; a SIGINT or SIGTERM noted by an InterruptGuard ends it too. Nothing
// outside its variables is reachable.

#include <string>
#include <string_view>

#include "base/json.h"
#include "engine/chat/template_ast.h"

namespace elastic::engine {

/// Throws kCorrupt naming `name`, line and what went wrong (also what the template itself raises),
/// kUnsupported for a filter, test or method outside the subset.
std::string evaluate_template(const Body& body, std::string_view name, const Json& variables);

}  // namespace elastic::engine
