#pragma once

// Learning rate and temperature of a step; pure functions of step and options. Torch-free.

#include <cstdint>

#include "engine/api/train_router.h"

namespace elastic::engine {

/// Factor on the learning rate of step `step` of `steps`, in (0, 1].
double rate_factor(const OptimizerOptions& options, std::int64_t step, std::int64_t steps);

/// Gumbel-softmax temperature of the step.
double temperature(const RouterOptions& options, std::int64_t step, std::int64_t steps);

}  // namespace elastic::engine
