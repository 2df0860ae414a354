#pragma once

// Head modes and policies as plain arrays. A new mode is one file and one line in registry.cpp: its
// name is a plan for all heads, and A-B the plan of modes A and B where both can be given to heads
// one by one.

#include <memory>
#include <span>

#include "engine/attention/attention_plan.h"
#include "engine/attention/head_mode.h"
#include "engine/attention/head_policy.h"
#include "engine/attention/mode_options.h"

namespace elastic::engine {

struct ModeEntry {
  const char* name;
  const char* config_name;  // what config.json calls it in toggle_type and retrieval_mode, or null
  bool mixes;               // heads beside it may be in another mode: it has a place in A-B
  const char* summary;
  std::unique_ptr<HeadMode> (*make)(ModeOptions& options, const PlanContext& context);
};
std::span<const ModeEntry> head_modes();

/// A policy takes its own options and says by null that it is not the one meant.
struct PolicyEntry {
  const char* name;
  const char* summary;
  std::unique_ptr<HeadPolicy> (*make)(ModeOptions& options, const PlanContext& context);
};
/// Policies of plans with two modes, in the order they are asked.
std::span<const PolicyEntry> mixed_policies();

/// Of a method that weights are trained for: whether these were, as the option `weights` says
/// (trained, untrained), else config.json's `sparse_mode` by naming the method. Notes it where they
/// were not.
bool trained_for(ModeOptions& options, const PlanContext& context);

/// One mode on all heads: every decision is `sparse`, but none in the first `dense_layers`.
std::unique_ptr<HeadPolicy> make_uniform(bool sparse, std::int64_t kv_heads,
                                         std::int64_t dense_layers);

}  // namespace elastic::engine
