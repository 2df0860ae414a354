#pragma once

// What `ablate` makes of its configuration's `evaluation`, for commands that run ablations too.

#include "harness/run/run_options.h"
#include "harness/train/ablation.h"

namespace elastic::harness {

/// Flags of `run`. Throws kInvalidArgument naming file and key for one that is none, or that the
/// ablation sets itself.
RunOptions evaluation_options(const AblationFile& file);

}  // namespace elastic::harness
