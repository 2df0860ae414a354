#pragma once

// Exercises over texts that no benchmark uses as a batch source ("kind": "instruct"), for any
// tokenizer, with a share of them in the model's chat template.
//
//   const InstructOptions options = read_instruct_options(keys);
//   const engine::BatchSource source = make_instruct_mix(options, tokenizer, model_folder);

#include <filesystem>
#include <vector>

#include "engine/api/batch_source.h"
#include "engine/api/tokenizer.h"
#include "tasks/training/config_keys.h"
#include "tasks/training/curriculum.h"
#include "tasks/training/exercise.h"

namespace elastic::tasks {

struct InstructOptions : BatchShape {
  std::vector<double> weights, targets;      // in the order of exercise_families()
  Fill fill;                                 // of the length
  double chat_share = 0;                     // of documents in the chat template
  double lead_share = .5;                    // of those: the answer's beginning is given
  std::vector<std::filesystem::path> texts;  // of the user's, for prose
  double texts_share = .5;                   // of documents made of them, where there are any
};

/// Throws kInvalidArgument naming the key.
InstructOptions read_instruct_options(ConfigKeys& keys);

/// `chat_folder`: where the chat template is looked for. Throws as read_sentences() and
/// ChatTemplate::load(); kInvalidArgument where chat_share asks for a template that is not there,
/// or no document fits into a length.
engine::BatchSource make_instruct_mix(const InstructOptions& options,
                                      const engine::Tokenizer& tokenizer,
                                      const std::filesystem::path& chat_folder);

}  // namespace elastic::tasks
