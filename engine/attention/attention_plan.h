#pragma once

// A mode string turned into what a layer runs: a policy and the one or two head modes it chooses
// between. Grammar: name[:key=value[,key=value]...]. A name is that of one head mode, of two (A-B:
// A on retrieval heads, B on sparse heads) or `routed`, the two that config.json names. Options:
//   sink, local   ssa: tokens of the window (default: config.json, then 128, 2048)
//   block         ssa: 128 = blocks of 128 tokens (default), 1 = exact tokens; xa: tokens a side
//   decode        ssa: full = every head reads the whole cache in decode (default);
//                 sparse = streaming heads keep only sink + local tokens
//   stride, tau   xa: tokens a strip; share of the mass to reach, or a file of one a query head
//   rule, chunk   xa: exact (default) or public, whose first `chunk` rows differ
//   page, budget  quest: tokens a page, tokens a step reads; rule=current (default: the newest page
//                 always) or all; share=head or group_sum; dense: first layers left alone
//   pattern       TSV of [layers][KV heads] gates: heads are fixed by the file, no router decides
//   sparsity, threshold   how many / which gates of a graded pattern file count as full
//
//   const AttentionPlan plan = make_attention_plan("fa-ssa:local=256", context);
//   const HeadDecision decision = plan.policy->decide(layer, pool.mean());
//   const std::vector<HeadGroup> groups = select_heads(plan, decision, input);  // estimates, masks
//   attend(groups, input, out);

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/attention/head_mode.h"
#include "engine/attention/head_policy.h"
#include "engine/router/router.h"

namespace elastic::engine {

/// What the checkpoint brings to a plan.
struct PlanContext {
  std::int64_t layers = 0, heads_q = 0, heads_kv = 0;
  std::optional<std::int64_t> sink, local;  // config.json sink_size, local_window_size
  // config.json: what the routers' sparse and retrieval heads compute.
  std::optional<std::string> toggle_type, retrieval_mode;
  std::optional<std::string> sparse_mode;  // with options, for those that a mode string leaves out
  std::span<const RouterWeights> routers;  // one per layer; empty without. Must outlive the plan
};

struct AttentionPlan {
  std::string name;  // "fa-ssa"
  std::unique_ptr<HeadPolicy> policy;
  std::unique_ptr<HeadMode> retrieval;  // of heads with is_sparse 0; null where no head is
  std::unique_ptr<HeadMode> sparse;     // of heads with is_sparse 1; null where no head is
  std::string note;                     // what the user should know of the options; mostly empty
  bool sparse_decode = false;  // decode=sparse: cut sparse heads' caches to decode_window()

  /// The mode string with every option that changes results; parses back to an equal plan.
  std::string describe() const;
};

/// Throws kInvalidArgument for an unknown name (listing those there are), an unknown option or a
/// bad value, kUnsupported for a routed plan without routers, kNotFound / kCorrupt for a pattern
/// file.
AttentionPlan make_attention_plan(std::string_view mode, const PlanContext& context);

/// Names that make_attention_plan() knows, with one line each.
struct PlanName {
  std::string name, summary;
};
std::vector<PlanName> list_plans();

/// The KV heads that share a mode in one call, with their mask.
struct HeadGroup {
  const HeadMode* mode = nullptr;
  std::vector<int> kv_heads;
  BlockMask mask;
};

/// Groups (retrieval heads first) for rows of `input`; block selection happens here.
std::vector<HeadGroup> select_heads(const AttentionPlan& plan, const HeadDecision& decision,
                                    const AttentionInput& input);

/// Every head of every group, written to out [heads_q, rows, head_dim].
void attend(std::span<const HeadGroup> groups, const AttentionInput& input, at::Tensor& out);

/// One decode step of all heads, each over what its mode reads of the whole cache; `out`
/// [heads_q, 1, head_dim].
void attend_step(const AttentionPlan& plan, const HeadDecision& decision,
                 const AttentionInput& input, HeadState& state, at::Tensor& out);

/// Dense attention of every head (decode, and decode over a cut cache with q_start = kept - 1).
void attend_full(const AttentionInput& input, at::Tensor& out);

}  // namespace elastic::engine
