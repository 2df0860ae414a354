#pragma once

// Checks of TrainOptions, and the part of them that a run's numbers depend on.

#include <string>

#include "engine/train/train_router.h"

namespace elastic::engine {

/// kInvalidArgument naming the option, its value and what it may be.
void check_options(const TrainOptions& options, bool routed);

/// A flat JSON object of everything that determines the numbers of a run.
std::string identity(const TrainOptions& options, const BatchSource& source,
                     const std::string& config_json);

}  // namespace elastic::engine
