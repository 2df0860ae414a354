#pragma once

// Rows and columns of the paper's tables as this program knows them: a row by the mode that
// computes it, with the paper's settings (table 6).

#include <string>
#include <string_view>
#include <vector>

namespace elastic::reports {

/// Rows printed for a model, in their order.
std::vector<std::string> paper_rows(std::string_view experiment, std::string_view model);

/// All columns printed, in their order.
std::vector<std::string> paper_columns_of(std::string_view experiment);

/// Models with numbers in an experiment, in their order.
std::vector<std::string> paper_models_of(std::string_view experiment);

/// "fa-ssa" of "FA-SSA". Throws kInvalidArgument for a row that is no method.
std::string paper_mode(std::string_view row);

}  // namespace elastic::reports
