#pragma once

// Attention of one kind of device. One of the five seams. The CPU has the tiled kernels of
// engine/kernels; libelastic_cuda.so brings the GPU's; everything else is composed of ATen
// operations. A backend takes all heads of a call at once, whichever modes they are in, and need
// not know on the host which head is in which: where a router on the device decided, its bytes go
// to the kernels as they lie.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/attention/head_mode.h"
#include "engine/kernels/block_mask.h"

namespace elastic::engine {

/// The KV heads of a call whose decision is `sparse`, and what they see.
struct HeadGroup {
  std::uint8_t sparse = 0;    // the decision that sends a head here
  std::vector<int> kv_heads;  // ascending; every head of the call where the device decides
  BlockMask mask;             // of kv_heads; without heads where `choice` stands for it
  BlockChoice choice;         // estimated on an accelerator; undefined elsewhere
  std::optional<SkipRule> skip = std::nullopt;  // of the loop over the keys of a dense mask
  std::vector<Branch> branches = {};            // added up instead; no other group is in the call

  /// What the heads see of the cache's keys, where the host knows it.
  const BlockMask& seen() const { return branches.empty() ? mask : branches.front().mask; }
  bool is_estimated() const { return choice.is_defined(); }
};

/// What the backend must know of one call beside the tensors.
struct HeadGroups {
  std::vector<HeadGroup> groups;
  // uint8 [heads_kv] on the device: groups hold candidates, each head is in the one of its byte.
  // Undefined: every head is in the group that lists it, heads that none lists stay as they are.
  at::Tensor decided;
  // int64 [2] on the device: tiles computed and tiles there were, to which a backend adds those of
  // groups with a rule. Undefined where nobody counts.
  at::Tensor tiles;
};

/// One decode step of a sequence: q [heads_kv, group, head_dim] over all of k, v [heads_kv, tokens,
/// head_dim], scale 1/sqrt(head_dim), written to out, shape of q.
struct DecodeRow {
  at::Tensor q, k, v, out;
};

struct StripRule;  // xattention.h

class AttentionBackend {
 public:
  virtual ~AttentionBackend() = default;

  /// Attention of the heads' rows, written to out [heads_q, rows, head_dim], same dtype as q. A row
  /// with nothing visible gives 0. `lse`, where given, is fp32 [heads_q, rows], contiguous, and
  /// receives the natural log-sum-exp of each row's scaled scores (-inf for a row with nothing
  /// visible).
  virtual void prefill(const AttentionInput& input, const HeadGroups& groups, at::Tensor& out,
                       at::Tensor* lse) const = 0;

  /// The rule's choice for the query heads of `heads`, by a kernel; nothing where there is none for
  /// such an input or rule.
  virtual std::optional<BlockChoice> choose_by_strips(const AttentionInput&, const CandidateHeads&,
                                                      const StripRule&) const {
    return std::nullopt;
  }

  /// One token of each sequence of a batch. Any number of tokens runs at the same speed the first
  /// time.
  virtual void decode(std::span<const DecodeRow> rows) const = 0;
};

/// The backend of the device; composed attention where none was installed.
const AttentionBackend& attention_backend(at::Device device);

/// Of a library that is loaded at run time, before any model runs; null takes it away. `backend`
/// outlives the process's use of the device.
void install_attention_backend(at::DeviceType type, const AttentionBackend* backend);

/// ATen operations on any device and floating dtype, memory linear in the number of tokens.
const AttentionBackend& composed_backend();

/// Attention of the call's groups on the device of its queries.
void attend(const AttentionInput& input, const HeadGroups& groups, at::Tensor& out);

/// One group of a call under one mask.
void masked_attention(const AttentionInput& input, std::span<const int> kv_heads,
                      const BlockMask& mask, at::Tensor& out, at::Tensor* lse = nullptr);

/// Groups of candidates as groups of the heads that the device decided for: waits for the device.
HeadGroups read_decided(const HeadGroups& groups);

/// The mask of a group on the host; waits for the device where it was estimated there.
BlockMask host_mask(const HeadGroup& group, const RowSpan& span);

/// A small tensor of the host on the device, without waiting for what the device does.
inline at::Tensor on_device(const at::Tensor& host, at::Device device) {
  constexpr bool kNonBlocking = true;
  return host.to(device, host.scalar_type(), kNonBlocking);
}

/// What the 16-bit kernels of LibTorch for accelerators take.
inline bool device_kernels_take(at::ScalarType type, std::int64_t head_dim) {
  return (type == at::kBFloat16 || type == at::kHalf) && head_dim % 8 == 0 && head_dim <= 256;
}

}  // namespace elastic::engine
