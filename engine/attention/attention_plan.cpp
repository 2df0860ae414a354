#include "engine/attention/attention_plan.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "engine/attention/masked_attention.h"

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

std::vector<HeadGroup> select_heads(const AttentionPlan& plan, const HeadDecision& decision,
                                    const AttentionInput& input) {
  check(static_cast<std::int64_t>(decision.is_sparse.size()) == input.k.size(0),
        "one decision per KV head");
  std::vector<HeadGroup> groups;
  const auto add = [&](const HeadMode* mode, std::vector<int> heads) {
    if (heads.empty()) return;
    check(mode != nullptr, "a policy decides for modes that its plan has");
    BlockMask mask = mode->block_mask(input, heads);
    groups.push_back({mode, std::move(heads), std::move(mask)});
  };
  add(plan.retrieval.get(), heads_with(decision, 0));
  add(plan.sparse.get(), heads_with(decision, 1));
  return groups;
}

void attend(std::span<const HeadGroup> groups, const AttentionInput& input, at::Tensor& out) {
  for (const HeadGroup& group : groups) {
    group.mode->forward(input, group.kv_heads, group.mask, out);
  }
}

void attend_step(const AttentionPlan& plan, const HeadDecision& decision,
                 const AttentionInput& input, HeadState& state, at::Tensor& out) {
  const std::vector<int> whole = heads_with(decision, 0), sparse = heads_with(decision, 1);
  masked_attention(input, whole, dense_mask(input.span()), out);
  if (!sparse.empty()) {
    masked_attention(input, sparse, plan.sparse->decode_mask(input, sparse, state), out);
  }
}

void attend_full(const AttentionInput& input, at::Tensor& out) {
  masked_attention(input, every_head(input.k.size(0)), dense_mask(input.span()), out);
}

}  // namespace elastic::engine
