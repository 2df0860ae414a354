#pragma once

// Which device a generator runs on.

#include <c10/core/Device.h>

#include <string>

namespace elastic::engine {

/// "cpu", "cuda" (the first GPU), "auto" (a GPU where there is one, else the CPU). kDevice where a
/// GPU was asked for and there is none, with the reason; kInvalidArgument for another name.
/// Every model's first step: it also puts CPU memory on account (memory_meter.h).
c10::Device resolve_device(const std::string& name);

/// One line for `doctor`.
std::string describe_accelerator();

}  // namespace elastic::engine
