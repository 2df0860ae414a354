#pragma once

// Curves of a router or backbone training (curves.csv, docs/training.md) as a document: loss, share
// of sparse heads and multipliers by task, temperature (after the paper's figure 13).
//
//   const TrainingCurves curves = read_training_curves("out/router");
//   documents.push_back(training_document({curves}));

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reports/document.h"

namespace elastic::reports {

struct TrainingCurves {
  std::string name;                  // of the training's folder
  std::vector<std::string> columns;  // in the file's order; the first is `step`
  std::map<std::string, std::vector<std::optional<double>>> values;  // by column, one a row
};

/// Reads FOLDER/curves.csv. Throws kNotFound where it is absent, kCorrupt naming line and column
/// for a column given twice, a row of another width or a field that is no number.
TrainingCurves read_training_curves(const std::filesystem::path& folder);

/// The same of the file's text, without a name; `source` stands in errors.
TrainingCurves parse_training_curves(std::string_view text, const std::string& source);

/// Mean of the last tenth of the steps in which `column` has a value; nothing without such steps.
std::optional<double> last_mean(const TrainingCurves& curves, const std::string& column);

/// One figure and one sheet (all steps) a training.
Document training_document(const std::vector<TrainingCurves>& trainings);

}  // namespace elastic::reports
