#pragma once

// Readings of a GPU, summed up for engine/api/gpu_watch.h.

#include <optional>
#include <span>

#include "engine/api/gpu_watch.h"
#include "engine/device/nvml.h"

namespace elastic::engine {

/// Of readings in the order of time; nothing where there is none.
std::optional<GpuConditions> conditions_of(std::span<const GpuReading> readings);

}  // namespace elastic::engine
