#pragma once

// Head modes and policies as plain arrays. A new mode is one file and one line in registry.cpp: its
// name is a plan for all heads, and A-B the plan of modes A and B where both can be given to heads
// one by one.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/attention/attention_plan.h"
#include "engine/attention/head_mode.h"
#include "engine/attention/head_policy.h"
#include "engine/attention/mode_options.h"
#include "engine/io/head_pattern.h"

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

/// Heads that are the same for every prompt: is_sparse [layers, kv_heads].
std::unique_ptr<HeadPolicy> make_fixed(std::vector<std::uint8_t> is_sparse, std::int64_t kv_heads,
                                       std::string description);

/// How a published method makes heads of its pattern file; without values, any file.
struct PatternRule {
  const char* in_model = nullptr;             // where a model's folder has it, if none is given
  std::optional<double> sparsity, threshold;  // of graded gates, where no option says either
  std::vector<std::uint8_t> (*by_share)(std::span<const double>, double) = sparse_by_share;
};

/// kInvalidArgument without a file, or where its gates are graded and nothing says how to cut.
std::unique_ptr<HeadPolicy> make_pattern_policy(ModeOptions& options, const PlanContext& context,
                                                const PatternRule& rule);

/// "sink=128,local=256" of the config.json beside the pattern file; empty where it says nothing.
std::string window_beside_pattern(ModeOptions& options, const PlanContext& context,
                                  const PatternRule& rule);

/// A published method: two modes with its defaults, and its own policy.
struct PresetEntry {
  const char *name, *retrieval, *sparse;
  const char* options;  // that hold where the mode string names no others
  PatternRule rule;
  const char* summary;
};
std::span<const PresetEntry> presets();

/// One mode on all heads: every decision is `sparse`, but none in the first `dense_layers`.
std::unique_ptr<HeadPolicy> make_uniform(bool sparse, std::int64_t kv_heads,
                                         std::int64_t dense_layers);

}  // namespace elastic::engine
