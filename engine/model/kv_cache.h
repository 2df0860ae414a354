#pragma once

// Keys (after RoPE) and values of one sequence, per layer [heads, capacity, head_dim]. Capacity
// grows geometrically, so that a decode step copies nothing. Under decode=sparse the heads in the
// streaming mode are cut to their first `sink` and last `local` tokens after prefill; the local
// part is a ring, since attention does not depend on the order of keys. A mode that evicts keys of
// a prompt names the positions that each head keeps; what comes later is appended to these.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/kernels/kv_slot.h"

namespace elastic::engine {

struct KvShape {
  std::int64_t layers = 0, heads = 0, head_dim = 0;
  at::ScalarType dtype = at::kFloat;
  at::Device device = at::kCPU;
};

/// Rows of K and V that attention of some heads reads.
struct KvView {
  at::Tensor heads;  // KV heads, ascending, on the cache's device; undefined = all of them
  at::Tensor k, v;   // [heads, tokens, head_dim]
};

class KvCache {
 public:
  /// `expected_tokens`: capacity to start with (prompt + answer budget), so that growth is rare.
  KvCache(const KvShape& shape, std::int64_t expected_tokens);

  /// Room for rows [start, start + rows) of a layer whose heads are whole: views [heads, rows,
  /// head_dim] to write.
  KvView write_rows(std::int64_t layer, std::int64_t start, std::int64_t rows);

  /// All heads of a layer that was not cut, tokens [0, tokens).
  KvView read_all(std::int64_t layer, std::int64_t tokens) const;

  /// Keeps the first `sink` and the last `local` of the `tokens` rows of the given heads. Nothing
  /// happens where there are fewer rows than that, or the layer was cut before.
  void cut(std::int64_t layer, const std::vector<std::int64_t>& heads, std::int64_t tokens,
           std::int64_t sink, std::int64_t local);

  /// Keeps of each head of a whole layer of `tokens` rows those at `positions`: int64 [kept],
  /// ascending, on the device.
  void keep(std::int64_t layer, const std::vector<at::Tensor>& positions, std::int64_t tokens);

  /// Room for position `tokens` - 1 of the heads of a layer.
  void reserve(std::int64_t layer, std::int64_t tokens);

  /// Where each head of the layer lies, one entry a head; true until rows are reserved, cut or
  /// evicted.
  void locate(std::int64_t layer, KvSlot* heads) const;

  /// Stores k, v [heads, 1, head_dim] of position `position`, which stands after all others.
  void append(std::int64_t layer, std::int64_t position, const at::Tensor& k, const at::Tensor& v);

  /// What a query at the last stored position reads: an entry for all heads, or one for those that
  /// lie alike.
  std::vector<KvView> read_step(std::int64_t layer, std::int64_t tokens) const;

  /// Bytes of stored rows now, and had every head kept every token.
  std::int64_t bytes(std::int64_t tokens) const;
  std::int64_t bytes_full(std::int64_t tokens) const;

 private:
  // Heads whose rows lie alike.
  struct Part {
    std::vector<std::int64_t> heads;   // ascending
    at::Tensor index;                  // the same on the device; undefined = all
    at::Tensor k, v;                   // [heads, capacity, head_dim]
    std::int64_t gone = 0;             // evicted positions: later ones stand so many rows earlier
    std::int64_t sink = 0, local = 0;  // local > 0: `sink` rows, then a ring of `local`

    std::int64_t row_of(std::int64_t position) const;
    std::int64_t rows(std::int64_t tokens) const;
    bool is_whole(std::int64_t all) const {
      return std::ssize(heads) == all && gone == 0 && local == 0;
    }
  };
  using Layer = std::vector<Part>;

  const Part& whole(std::int64_t layer) const;
  Part part_of(std::vector<std::int64_t> heads) const;
  void grow(Part& part, std::int64_t rows) const;
  std::int64_t row_bytes() const;

  KvShape shape_;
  std::int64_t expected_tokens_;
  std::vector<Layer> layers_;
};

}  // namespace elastic::engine
