#pragma once

// Checks of one folder in the layout of golden/models (NAME/ + NAME.golden.safetensors) or
// golden/routed; used for the stored expectations outside the repository and for tests/data/models.

#include <filesystem>

namespace elastic::testing {

/// Logits, hidden states and greedy continuations of every prompt; returns how many prompts ran.
int check_model_folder(const std::filesystem::path& golden, const std::filesystem::path& model);

/// Router logits, decisions and logits of every mode and prompt; returns how many cases ran.
int check_routed_folder(const std::filesystem::path& golden, const std::filesystem::path& model);

/// Every NAME.golden.safetensors with the model folder NAME beside it; calls `check` for each, sums
/// the counts. Fails where there is none, where one has no folder, and where one runs no case.
int for_each_model(const std::filesystem::path& folder,
                   int (*check)(const std::filesystem::path& golden,
                                const std::filesystem::path& model));

}  // namespace elastic::testing
