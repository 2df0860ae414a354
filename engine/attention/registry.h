#pragma once

// Head modes, policies and the plans built of them, as plain arrays. A new mode is one file and one
// line in registry.cpp (plus a line per plan name that uses it).

#include <memory>
#include <span>

#include "engine/attention/attention_plan.h"
#include "engine/attention/head_mode.h"
#include "engine/attention/head_policy.h"
#include "engine/attention/mode_options.h"

namespace elastic::engine {

struct ModeEntry {
  const char* name;
  const char* summary;
  std::unique_ptr<HeadMode> (*make)(ModeOptions& options);
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

/// One mode on all heads: every decision is `sparse`.
std::unique_ptr<HeadPolicy> make_uniform(bool sparse, std::int64_t kv_heads);

std::unique_ptr<HeadMode> make_full(ModeOptions& options);
std::unique_ptr<HeadMode> make_streaming(ModeOptions& options);
std::unique_ptr<HeadPolicy> make_static_pattern(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadPolicy> make_routed(ModeOptions& options, const PlanContext& context);

}  // namespace elastic::engine
