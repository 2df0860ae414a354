#include "engine/attention/registry.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/registry.h"

namespace elastic::engine {
namespace {

constexpr ModeEntry kModes[] = {
    {"fa", "full causal attention", make_full},
    {"ssa", "streaming: attention sinks and a local window", make_streaming},
};

constexpr PolicyEntry kMixedPolicies[] = {
    {"static_pattern", "heads fixed by a pattern file", make_static_pattern},
    {"routed", "the checkpoint's routers decide per prompt", make_routed},
};

// Modes of retrieval and of sparse heads; null where a plan has no such heads.
struct PlanEntry {
  const char* name;
  const char* summary;
  const char* retrieval;
  const char* sparse;
};

constexpr PlanEntry kPlans[] = {
    {"fa", "full attention on all heads", "fa", nullptr},
    {"ssa", "streaming attention on all heads; options sink, local, block, decode", nullptr, "ssa"},
    {"fa-ssa",
     "full attention on retrieval heads, streaming on sparse heads, as the routers decide (or a "
     "pattern file); options of ssa, pattern, sparsity, threshold",
     "fa", "ssa"},
};

std::unique_ptr<HeadMode> make_mode(const char* name, ModeOptions& options) {
  if (name == nullptr) return nullptr;
  return find_entry(head_modes(), "head mode", name).make(options);
}

std::unique_ptr<HeadPolicy> make_policy(const PlanEntry& entry, ModeOptions& options,
                                        const PlanContext& context) {
  if (entry.retrieval == nullptr || entry.sparse == nullptr) {
    return make_uniform(entry.sparse != nullptr, context.heads_kv);
  }
  for (const PolicyEntry& policy : mixed_policies()) {
    if (auto made = policy.make(options, context)) return made;
  }
  options.finish();  // an option that nobody knows is the nearer fault
  throw Error(ErrorKind::kUnsupported,
              fmt::format("mode `{}` needs routers, which this checkpoint does not have: use a "
                          "routed checkpoint, or fix the heads with {}:pattern=FILE.tsv",
                          options.text(), entry.name));
}

}  // namespace

std::span<const ModeEntry> head_modes() { return kModes; }

std::span<const PolicyEntry> mixed_policies() { return kMixedPolicies; }

AttentionPlan make_attention_plan(std::string_view mode, const PlanContext& context) {
  ModeOptions options(mode, {.sink = context.sink, .local = context.local});
  const PlanEntry& entry = find_entry(std::span<const PlanEntry>(kPlans), "mode", options.name());
  AttentionPlan plan{.name = entry.name,
                     .policy = nullptr,
                     .retrieval = make_mode(entry.retrieval, options),
                     .sparse = make_mode(entry.sparse, options)};
  if (plan.sparse != nullptr && plan.sparse->decode_window().local > 0) {
    plan.sparse_decode = options.either("decode", "sparse", "full");
  }
  plan.policy = make_policy(entry, options, context);
  options.finish();
  plan.note = options.note();
  return plan;
}

std::vector<PlanName> list_plans() {
  std::vector<PlanName> names;
  for (const PlanEntry& entry : kPlans) names.push_back({entry.name, entry.summary});
  return names;
}

}  // namespace elastic::engine
