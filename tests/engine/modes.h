#pragma once

// Head modes by name, and plans of them.

#include <memory>
#include <string>

#include "base/registry.h"
#include "engine/attention/registry.h"

namespace elastic::testing {

inline std::unique_ptr<engine::HeadMode> mode_of(const std::string& text) {
  engine::ModeOptions options(text);
  auto mode = find_entry(engine::head_modes(), "mode", options.name()).make(options, {});
  options.finish();
  return mode;
}

/// Every head in the mode, in every layer.
inline engine::AttentionPlan plan_of(const std::string& text, std::int64_t heads_kv) {
  return {.name = text,
          .policy = engine::make_uniform(true, heads_kv, 0),
          .retrieval = nullptr,
          .sparse = mode_of(text)};
}

/// What all heads of a call in the mode see.
inline engine::HeadGroups groups_of(const std::string& text, const engine::AttentionInput& input) {
  const engine::AttentionPlan plan = plan_of(text, input.k.size(0));
  return select_heads(plan, plan.policy->decide(0, {}), input);
}

}  // namespace elastic::testing
