#pragma once

// A mode string turned into what a layer runs: a policy and the one or two head modes it chooses
// between. Grammar: name[:key=value[,key=value]...]. A name is that of one head mode, of two (A-B:
// A on retrieval heads, B on sparse heads), `routed`, the two that config.json names, or a
// published method with its own defaults (`duo`, `prulong`). Options:
//   sink, local   ssa: tokens of the window (default: config.json, then 128, 2048)
//   block         ssa: 128 = blocks of 128 tokens (default), 1 = exact tokens; xa: tokens a side
//   prefill       ssa: streaming (default), dense, or chunked: the cut cache and the row's chunk of
//                 `prefill_chunk` tokens; last=step: the last token sees the cut cache alone, as
//                 a decode step (default: row, it is one like the others)
//   decode        ssa: full = every head reads the whole cache in decode (default);
//                 sparse = streaming heads keep only sink + local tokens
//   stride, tau   xa: tokens a strip; share of the mass to reach, or a file of one a query head
//   rule, chunk   xa: exact (default) or public, whose first `chunk` rows differ
//   gamma, tau    flexprefill: share of the mass to take; distance below which queries are averaged
//   min, max      flexprefill: tokens of columns, and of diagonals; min of flashprefill: blocks
//   alpha         flashprefill: share of a row's best score; its sink, window, last are in blocks
//   page, budget  quest: tokens a page, tokens a step reads; rule=current (default: the newest page
//                 always) or all; share=head or group_sum; dense: first layers left alone
//   k, p          oracle-topk: tokens, or a share of those there are; oracle-topp: a share of the
//                 mass; sink, local: tokens that are always read beside (default 0)
//   budget, ratio snapkv, tova, streamingllm, expected-attention: tokens of a prompt that each KV
//                 head keeps, or the share that it evicts; adakv=SHARE (not streamingllm): heads
//                 compete for all but this share of their budgets
//   window, kernel, pool  snapkv: queries that score, width of the pooling, avg (default) or max
//   future, eps   expected-attention: positions to come, what is added to scores; and, as of
//                 streamingllm, sink: first tokens that are always kept (default 4)
//   scale, decode_scale   skip: the threshold is scale / keys of the prompt, and of a step
//   tile, order   skip: ROWSxKEYS of a prompt's tiles; ascending (default) or descending
//   pattern       TSV of [layers][KV heads] gates: heads are fixed by the file, no router decides;
//                 pattern_sha256, of a description, holds the file to what it was
//   heads=random  heads are drawn: `sparsity` of them sparse, by `seed`
//   sparsity, threshold   how many / which gates of a graded pattern file count as full
//
//   const AttentionPlan plan = make_attention_plan("fa-ssa:local=256", context);
//   const HeadDecision decision = plan.policy->decide(layer, pool.mean());
//   const HeadGroups groups = select_heads(plan, decision, input);  // estimates, masks
//   attention_backend(input.q.device()).prefill(input, groups, out, nullptr);

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/attention/attention_backend.h"
#include "engine/attention/head_mode.h"
#include "engine/attention/head_policy.h"
#include "engine/router/router.h"

namespace elastic::engine {

/// RoPE of a model: dimensions i and i + head_dim / 2 turn by position * frequencies[i].
struct RopeAngles {
  at::Tensor frequencies = {};  // fp32 [head_dim / 2] on the CPU; undefined where there is no model
  double magnitude = 1;         // that cosine and sine are multiplied with (YaRN)
};

/// What a layer of the mode `nsa` is trained with; undefined where its kind has none.
struct NsaWeights {
  at::Tensor gate;          // [3 heads_q, hidden]: of each head compressed, selected, sliding
  at::Tensor keys, values;  // compression: [heads_kv, kernel * head_dim, head_dim], or [.., kernel]
  at::Tensor position;      // [heads_kv, kernel, head_dim], added to keys before
};

/// What the checkpoint brings to a plan.
struct PlanContext {
  std::filesystem::path folder;  // the model's, which may hold patterns; empty without one
  std::int64_t layers = 0, heads_q = 0, heads_kv = 0;
  std::optional<std::int64_t> sink, local;  // config.json sink_size, local_window_size
  // config.json: what the routers' sparse and retrieval heads compute.
  std::optional<std::string> toggle_type, retrieval_mode;
  std::optional<std::string> sparse_mode;  // with options, for those that a mode string leaves out
  std::span<const RouterWeights> routers;  // one per layer; empty without. Must outlive the plan
  RopeAngles rope = {};
  std::span<const NsaWeights> nsa = {};  // one per layer; empty without
  std::int64_t head_dim = 0;
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

  /// True where a decode step does not simply read all that its caches hold: select_step() says.
  bool selects_in_decode() const;

  /// Share of (layer, KV head) pairs whose mode falls back to dense attention at a prompt of
  /// `tokens`; `msr` of the pairs are in the sparse mode.
  double fallback_share(double msr, std::int64_t tokens) const;

  /// Whether a mode of the plan has the place, or asks for what stands beside the places.
  bool asks(bool ModePlaces::*what) const;

  /// True where keys of a prompt are evicted: the sparse mode's keep_keys() says which.
  bool evicts() const { return sparse != nullptr && sparse->places().prompt_eviction; }
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

/// What every head sees of rows of `input`, retrieval heads first; blocks are estimated here, of
/// the heads that need it. Where only the device knows which, kernels do the same; without one, all
/// heads are estimated. `state` is the sequence's and layer's own, from the prompt's first rows on.
HeadGroups select_heads(const AttentionPlan& plan, const HeadDecision& decision,
                        const AttentionInput& input, HeadState& state);

/// The same of rows that no sequence goes on from.
inline HeadGroups select_heads(const AttentionPlan& plan, const HeadDecision& decision,
                               const AttentionInput& input) {
  HeadState state;
  return select_heads(plan, decision, input, state);
}

/// The same for one decode step over the whole cache; the decision is on the host.
HeadGroups select_step(const AttentionPlan& plan, const HeadDecision& decision,
                       const AttentionInput& input, HeadState& state);

}  // namespace elastic::engine
