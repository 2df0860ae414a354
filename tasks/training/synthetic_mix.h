#pragma once

// The synthetic mixture as a batch source ("kind": "synthetic"): which families, how long, how
// full, in which wording.
//
//   const SyntheticOptions options = read_synthetic_options(keys);
//   const engine::BatchSource source = make_synthetic_mix(options, tokenizer);

#include <cstdint>
#include <filesystem>
#include <vector>

#include "engine/api/batch_source.h"
#include "engine/api/tokenizer.h"
#include "tasks/training/config_keys.h"
#include "tasks/training/curriculum.h"
#include "tasks/training/families.h"

namespace elastic::tasks {

struct SyntheticOptions : BatchShape {
  std::filesystem::path word_lists;      // folder with nounlist.txt
  std::vector<double> weights, targets;  // by family, in the order of families()
  double builtin_share = .5;             // of documents in the wording of ruler@builtin
  double random_template_share = .45;    // of the others in random words
  Fill fill;
  std::int64_t max_questions = 16;  // behind one context
  double absent_share = .15;        // of questions, for what the document lacks
};

/// Throws kInvalidArgument naming the key, kNotFound where the word lists are missing.
SyntheticOptions read_synthetic_options(ConfigKeys& keys);

/// Builds one document of each family first and holds it against the tokenizer's own encoding of
/// the whole text; throws kUnsupported naming family and tokenizer where they differ.
engine::BatchSource make_synthetic_mix(const SyntheticOptions& options,
                                       const engine::Tokenizer& tokenizer);

}  // namespace elastic::tasks
