#pragma once

// `train tokenizer`, one of the parts of `train`.
//
//   setup_train_tokenizer(train);

#include <CLI/CLI.hpp>

namespace elastic::harness {

/// Adds the subcommand `tokenizer` with its flags and callback.
void setup_train_tokenizer(CLI::App& train);

}  // namespace elastic::harness
