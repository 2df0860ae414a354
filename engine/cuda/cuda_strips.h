#pragma once

// XAttention's choice on Hopper: engine/cuda/strip_call.h behind LibTorch tensors.

#include <optional>

#include "engine/attention/attention_backend.h"
#include "engine/attention/xattention.h"

namespace elastic::engine {

/// AttentionBackend::choose_by_strips() of the current device, which is a Hopper GPU.
std::optional<BlockChoice> choose_by_strips(const AttentionInput& input,
                                            const CandidateHeads& heads, const StripRule& rule);

}  // namespace elastic::engine
