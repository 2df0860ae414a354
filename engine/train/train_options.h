#pragma once

// Checks of TrainOptions, and the part of them that a run's numbers depend on.

#include <memory>
#include <span>
#include <string>

#include "engine/train/training.h"

namespace elastic::engine {

/// kInvalidArgument naming the option, its value and what it may be.
void check_options(const TrainOptions& options, bool routed);

/// The mode of sparse heads that `options.sparse` names. kInvalidArgument for one that no released
/// config names, that sees every key of a prompt, or whose blocks are not those of training.
std::unique_ptr<HeadMode> make_sparse_mode(const RouterOptions& options, const ModelConfig& config);

/// Its key of the hash of the base's weight files.
inline constexpr const char* kBaseIdentity = "weights of the base, sha256";

/// A flat JSON object of everything that determines the numbers of a run, itself left out.
std::string identity(const Training& training, std::span<const TrainingTask> tasks);

}  // namespace elastic::engine
