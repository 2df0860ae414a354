#pragma once

// Documents and packed rows of the user's as a batch source ("kind": "files"; elastic_attention
// spec 4.3). Files stay mapped; rows are checked once at the start and turned into ids when drawn.
//
//   const engine::BatchSource source = make_file_mix(read_file_options(keys), tokenizer);

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/api/batch_source.h"
#include "engine/api/tokenizer.h"
#include "tasks/training/config_keys.h"
#include "tasks/training/task_wrapping.h"

namespace elastic::tasks {

struct FileOptions {
  std::vector<std::string> files;           // JSON lines
  std::uint64_t seed = 1;                   // of the order
  std::int64_t tokens_per_batch = 65536;    // of one draw; a packed row or document has no more
  std::int64_t min_tokens = 0;              // shorter documents are left out
  std::string text = "{prompt}\n{answer}";  // how a document becomes one text
  std::string end = "</s>";                 // piece behind every document, where there is one
  std::vector<engine::TrainingTask> tasks;
  std::map<std::string, TaskWrapping> wrappings;  // by task; others have none
};

/// Throws kInvalidArgument naming the key, and as task_wrappings().
FileOptions read_file_options(ConfigKeys& keys);

/// Throws kNotFound / kCorrupt naming file, line and cure.
engine::BatchSource make_file_mix(const FileOptions& options, const engine::Tokenizer& tokenizer);

}  // namespace elastic::tasks
