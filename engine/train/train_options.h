#pragma once

// Checks of TrainOptions, and the part of them that a run's numbers depend on.

#include <span>
#include <string>

#include "engine/train/training.h"

namespace elastic::engine {

/// kInvalidArgument naming the option, its value and what it may be.
void check_options(const TrainOptions& options, bool routed);

/// A flat JSON object of everything that determines the numbers of a run, itself left out.
std::string identity(const Training& training, std::span<const TrainingTask> tasks);

}  // namespace elastic::engine
