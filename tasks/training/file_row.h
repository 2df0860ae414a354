#pragma once

// One JSON line of training data: a document (context, question, answer, task) or a packed row
// (input_ids, seq_lengths, task_ids, range_ids). A row is packed where it has `input_ids`.
//
//   const std::vector<engine::TrainingDocument> documents =
//       read_row(parse_json(line, where), where, options, tokenizer);

#include <string>
#include <vector>

#include "base/json.h"
#include "engine/api/batch_source.h"
#include "engine/api/tokenizer.h"
#include "tasks/training/file_mix.h"

namespace elastic::tasks {

/// `where` names file and line in errors. Throws kCorrupt where the row is not usable: no task or
/// an unknown one, a task id out of range, ids beyond the vocabulary, lengths that do not add up,
/// more tokens than a batch.
std::vector<engine::TrainingDocument> read_row(const Json& row, const std::string& where,
                                               const FileOptions& options,
                                               const engine::Tokenizer& tokenizer);

}  // namespace elastic::tasks
