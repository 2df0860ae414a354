#pragma once

// Literal values out of Python source files, read without Python: enough of the language for tables
// of constants (strings of every quoting, adjacent and added strings, numbers, True/False/None,
// lists, tuples, dictionaries, comments), nothing that computes.
//
//   Json tasks = python_constant(read_file("constants.py"), "TASKS", "constants.py");
//
// Tuples become arrays; dictionary keys must be strings. Calls, f-strings, names and byte strings
// are no literals.

#include <optional>
#include <string_view>

#include "base/json.h"

namespace elastic::datasets {

/// The first literal assigned to `name` at the start of a statement, at any indentation; nothing
/// where every assignment is to something else. Throws kCorrupt naming `file` and line where the
/// file itself cannot be read as Python text (a string that never ends).
std::optional<Json> find_python_constant(std::string_view source, std::string_view name,
                                         std::string_view file);

/// The same; an absent constant is kCorrupt, naming what was found instead.
Json python_constant(std::string_view source, std::string_view name, std::string_view file);

}  // namespace elastic::datasets
