#include "engine/attention/attention_plan.h"

#include <ATen/ops/zeros.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace elastic::engine {
namespace {

// {"sink=1", "local=2"} of "ssa:sink=1,local=2".
std::vector<std::string> options_of(const HeadMode* mode) {
  if (mode == nullptr) return {};
  const std::string text = mode->describe();
  const std::size_t colon = text.find(':');
  return colon == std::string::npos ? std::vector<std::string>()
                                    : split_list(text.substr(colon + 1));
}

std::vector<int> heads_with(const HeadDecision& decision, std::uint8_t sparse) {
  std::vector<int> heads;
  for (std::size_t h = 0; h < decision.is_sparse.size(); ++h) {
    if (decision.is_sparse[h] == sparse) heads.push_back(static_cast<int>(h));
  }
  return heads;
}

// The rule of a mode that acts in the kernel's loop, and where its tiles are counted.
void add_skip(HeadGroups& chosen, const HeadMode& mode, HeadGroup& group,
              const AttentionInput& input, bool decode) {
  group.skip = mode.skip_rule(input.k.size(1), decode);
  if (group.skip && !chosen.tiles.defined()) {
    chosen.tiles = at::zeros({2}, at::TensorOptions(at::kLong).device(input.q.device()));
  }
}

// What the mode lets the group's heads see, and the group.
void add_group(HeadGroups& chosen, const HeadMode* mode, HeadGroup group,
               const AttentionInput& input, HeadState& state) {
  if (group.kv_heads.empty()) return;
  check(mode != nullptr, "a policy decides for modes that its plan has");
  group.branches = mode->branches(input, group.kv_heads, state);
  if (!group.branches.empty()) return chosen.groups.push_back(std::move(group));
  if (!mode->places().estimates || input.q.is_cpu()) {
    group.mask = mode->block_mask(input, group.kv_heads);
  } else {
    group.choice = mode->choose_blocks(input, {group.kv_heads, chosen.decided, group.sparse});
  }
  add_skip(chosen, *mode, group, input, false);
  chosen.groups.push_back(std::move(group));
}

}  // namespace

std::string AttentionPlan::describe() const {
  std::vector<std::string> options = options_of(retrieval.get());
  for (std::string& option : options_of(sparse.get())) {  // an option of both is said once
    if (std::find(options.begin(), options.end(), option) == options.end()) {
      options.push_back(std::move(option));
    }
  }
  if (!policy->describe().empty()) options.push_back(policy->describe());
  if (sparse != nullptr && sparse->decode_window().local > 0) {
    options.emplace_back(sparse_decode ? "decode=sparse" : "decode=full");
  }
  return options.empty() ? name : name + ":" + join(options, ",");
}

bool AttentionPlan::selects_in_decode() const {
  return asks(&ModePlaces::decode_selection) || asks(&ModePlaces::kernel_loop);
}

bool AttentionPlan::asks(bool ModePlaces::*what) const {
  const auto does = [what](const HeadMode* mode) {
    return mode != nullptr && mode->places().*what;
  };
  return does(retrieval.get()) || does(sparse.get());
}

double AttentionPlan::fallback_share(double msr, std::int64_t tokens) const {
  const auto falls_back = [tokens](const HeadMode* mode) {
    return mode != nullptr && mode->falls_back(tokens);
  };
  return (falls_back(sparse.get()) ? msr : 0) + (falls_back(retrieval.get()) ? 1 - msr : 0);
}

HeadGroups select_heads(const AttentionPlan& plan, const HeadDecision& decision,
                        const AttentionInput& input, HeadState& state) {
  HeadGroups chosen;
  if (decision.on_host()) {
    check(static_cast<std::int64_t>(decision.is_sparse.size()) == input.k.size(0),
          "one decision per KV head");
    add_group(chosen, plan.retrieval.get(), {0, heads_with(decision, 0), {}, {}}, input, state);
    add_group(chosen, plan.sparse.get(), {1, heads_with(decision, 1), {}, {}}, input, state);
    return chosen;
  }
  chosen.decided = decision.device_sparse;
  for (const auto& [sparse, mode] : {std::pair(0, &plan.retrieval), {1, &plan.sparse}}) {
    HeadGroup group{static_cast<std::uint8_t>(sparse), every_head(input.k.size(0)), {}, {}};
    add_group(chosen, mode->get(), std::move(group), input, state);
  }
  return chosen;
}

HeadGroups select_step(const AttentionPlan& plan, const HeadDecision& decision,
                       const AttentionInput& input, HeadState& state) {
  HeadGroups chosen;
  for (const auto& [sparse, mode] : {std::pair(0, &plan.retrieval), {1, &plan.sparse}}) {
    const auto decided = static_cast<std::uint8_t>(sparse);
    HeadGroup group{decided, heads_with(decision, decided), {}, {}};
    if (group.kv_heads.empty()) continue;
    group.branches = (*mode)->branches(input, group.kv_heads, state);
    if (group.branches.empty()) {
      group.mask = (*mode)->decode_mask(input, group.kv_heads, state);
      add_skip(chosen, **mode, group, input, true);
    }
    chosen.groups.push_back(std::move(group));
  }
  return chosen;
}

}  // namespace elastic::engine
