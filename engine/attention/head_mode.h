#pragma once

// What one head computes: full, streaming, XAttention, Quest, skip-softmax. One of the five seams.
// A policy (head_policy.h) says which KV head gets which mode; attention_plan.h joins both and asks
// each mode once per layer, sequence and row slice what its KV heads see; attention_backend.h
// attends. Query head h reads KV head h / (heads_q / heads_kv); the heads of a group share their KV
// head's mode.
//
// Layout: one sequence at a time; tensors are [heads, tokens, head_dim] views with any strides but
// 1 in the last dimension, so a [tokens, heads * head_dim] projection or a cache with spare
// capacity is passed without a copy. Positions: query row i stands at absolute position q_start +
// i; key j is visible only if j <= that.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/kernels/block_mask.h"
#include "engine/kernels/kv_slot.h"
#include "engine/kernels/skip_rule.h"

namespace elastic::engine {

struct AttentionInput {
  at::Tensor q;  // [heads_q, rows, head_dim], RoPE applied
  // [heads_kv, tokens, head_dim], RoPE applied, of all tokens of the prompt or cache: finite, but
  // no keys yet, from q_start + rows on.
  at::Tensor k, v;
  std::int64_t q_start = 0;  // absolute position of query row 0
  double scale = 0;          // 1/sqrt(head_dim)
  std::int64_t layer = 0;    // for modes with settings or weights per layer

  // What else the layer knows; undefined where there is no layer (benches, tests). The first three
  // where a mode asks for them.
  at::Tensor hidden;   // [rows, hidden], normed: what q, k and v were projected from
  at::Tensor plain_q;  // [heads_q, rows, head_dim], q before RoPE
  at::Tensor plain_k;  // [heads_kv, n, head_dim], keys before RoPE: the newest n, those of the rows
                       // among them
  at::Tensor rotary_cos, rotary_sin;  // [positions, head_dim / 2], of every token's position

  RowSpan span() const { return {q_start, q.size(1), k.size(1)}; }
  std::int64_t end() const { return q_start + q.size(1); }  // keys that there are
};

/// Where a mode leaves out keys: the mask of a prompt's rows (by positions or by estimates), what a
/// decode step selects, what the cache evicts, at its window or once of a prompt, or inside the
/// kernel's loop.
struct ModePlaces {
  bool prefill_mask = false;      // block_mask(), branches(): what rows of a prompt see
  bool estimates = false;         // choose_blocks(): ... as a table that stays on the device
  bool decode_selection = false;  // decode_mask(): what a step reads of the whole cache
  bool eviction = false;          // decode_window(): what the cache may keep after prefill
  bool prompt_eviction = false;   // keep_keys(): what the cache keeps of a prompt
  bool kernel_loop = false;       // skip_rule(): tiles that are passed over once they are scored
  bool plain_inputs = false;      // not a place: the mode reads hidden, plain_q or plain_k
  bool whole_prompt = false;      // not a place: choose_blocks() sees all rows of a prompt at once
  bool last_row_apart = false;    // not a place: the last row of a prompt is a call of its own

  bool any() const {
    return prefill_mask || estimates || decode_selection || eviction || prompt_eviction ||
           kernel_loop;
  }
};

/// Positions of a prompt whose keys the cache keeps, of each KV head: int64 [kept], ascending, on
/// the device. Empty where it keeps all.
using KeptKeys = std::vector<at::Tensor>;

/// What a mode keeps of one sequence and layer between calls, e.g. bounds of key pages.
struct HeadState {
  std::vector<at::Tensor> tensors;
  std::int64_t tokens = 0;  // keys that they cover
  // What a step's selection read of them, in vectors of head_dim a KV head: into read_share.
  std::int64_t selection_vectors = 0;
};

/// Which KV heads of a call are meant.
struct CandidateHeads {
  std::span<const int> kv_heads;
  // uint8 [heads_kv] on the device, where it alone knows: of kv_heads, then all, those of the byte
  // `sparse` are meant. What is made for others is never read.
  at::Tensor decided = {};
  std::uint8_t sparse = 0;
};

/// Key blocks that each query block keeps: bool [query heads, query blocks, key blocks], both sides
/// in blocks of `block` tokens counted from position 0, on the device of the queries; nothing right
/// of the diagonal.
struct BlockChoice {
  at::Tensor keep;  // undefined where a kernel left `bits`
  std::int64_t block = kMaskBlock;
  // Of every query head of the call: int32 [heads_q, query blocks, words], bit b of word w is key
  // block 32 w + b; how many each row has, int32 [heads_q, query blocks]. `heads`: those of keep.
  at::Tensor bits = {}, counts = {};
  std::vector<int> heads = {};
  std::int64_t key_blocks = 0;

  bool is_defined() const { return keep.defined() || bits.defined(); }
  /// `keep`, from the bits where need be.
  at::Tensor table() const;
};

/// The choice as key ranges on the host.
BlockMask mask_of(const BlockChoice& choice, const RowSpan& span);

/// {0, ..., heads - 1}: every KV head of a call.
std::vector<int> every_head(std::int64_t heads);

/// The query heads that read the given KV heads, in their order.
std::vector<int> query_heads(const AttentionInput& input, std::span<const int> kv_heads);

/// Heads as an index tensor, int32, on the device.
at::Tensor index_of(std::span<const int> heads, at::Device device);

/// One of several attentions that a mode adds up, each after a softmax of its own.
struct Branch {
  AttentionInput input;  // with keys, values and positions of its own
  BlockMask mask;        // of the KV heads that were asked for
  at::Tensor gate;       // [heads_q, rows]: what its output is multiplied with
};

class HeadMode {
 public:
  virtual ~HeadMode() = default;

  virtual std::string_view name() const = 0;

  /// The mode with every option that changes results, e.g. "ssa:sink=128,local=2048,block=128".
  virtual std::string describe() const = 0;

  virtual ModePlaces places() const = 0;

  /// A head in a mode that leaves out keys counts as sparse in MSR.
  bool is_sparse() const { return places().any(); }

  /// Whether a prompt of `tokens` is too short for the mode: none of its keys is left out, whatever
  /// they are, before steps make it longer.
  virtual bool falls_back(std::int64_t tokens) const;

  /// Layers from the first that stay dense where every head is in this mode.
  virtual std::int64_t dense_layers() const { return 0; }

  /// Of a mode that estimates: the choice of the query heads that belong to `heads`, made where the
  /// tensors are.
  virtual BlockChoice choose_blocks(const AttentionInput& input, const CandidateHeads& heads) const;

  /// Key ranges that query rows [q_start, q_start + rows) may see, before token causality. The one
  /// source of truth for kernels, sparsity ratios and tests. Of a mode that estimates: its choice.
  /// The default: all keys.
  virtual BlockMask block_mask(const AttentionInput& input, std::span<const int> kv_heads) const;

  /// The same for the one row of a decode step, whose keys are all of the cache. `state` is the
  /// sequence's and layer's own; every step comes by here. The default: all keys.
  virtual BlockMask decode_mask(const AttentionInput& input, std::span<const int> kv_heads,
                                HeadState& state) const;

  /// Of a mode whose steps read whole pages of the cache, by bounds of their keys: the rule by
  /// which decode_mask() chooses them, for devices that do so themselves.
  virtual PageRule page_rule() const { return {}; }

  /// Of a mode that evicts keys of a prompt: every call of its rows comes by here, in order, once
  /// these have attended; the last says what the cache keeps. `state` as above.
  virtual KeptKeys keep_keys(const AttentionInput& rows, HeadState& state) const;

  /// Of a mode that adds up several attentions, in prefill and in decode: these, the first over
  /// keys of the cache. It has all heads of a call. None: the masks above say what is computed.
  virtual std::vector<Branch> branches(const AttentionInput&, std::span<const int>,
                                       HeadState&) const {
    return {};
  }

  /// Of a mode that acts in the kernel's loop: its rule for a call, or for a decode step, over
  /// `tokens` keys; nothing where every tile is computed. Its rows divide kMaskBlock, so that a
  /// prompt in chunks has the tiles of the whole one.
  virtual std::optional<SkipRule> skip_rule(std::int64_t tokens, bool decode) const;

  /// Tokens that one decode step at position p reads under decode=sparse: [0, sink) and (p - local,
  /// p]. {0, 0} = everything (the mode has no cache to cut).
  struct DecodeWindow {
    std::int64_t sink = 0, local = 0;
  };
  virtual DecodeWindow decode_window() const { return {}; }
};

}  // namespace elastic::engine
