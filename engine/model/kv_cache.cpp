#include "engine/model/kv_cache.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "base/error.h"
#include "engine/config/memory_estimate.h"

namespace elastic::engine {
namespace {

std::int64_t rounded(std::int64_t tokens) { return (tokens + kKvRows - 1) / kKvRows * kKvRows; }

at::Tensor index_tensor(const std::vector<std::int64_t>& heads, at::Device device) {
  return at::tensor(heads, at::TensorOptions().dtype(at::kLong)).to(device);
}

// First `sink` and last `local` rows; the last ones placed where the ring will look for them.
at::Tensor sink_and_ring(const at::Tensor& rows, std::int64_t tokens, std::int64_t sink,
                         std::int64_t local) {
  const std::int64_t first = tokens - local;         // position of the oldest local row
  const std::int64_t turn = (first - sink) % local;  // its slot in the ring
  return at::cat({rows.narrow(1, 0, sink), rows.narrow(1, tokens - turn, turn),
                  rows.narrow(1, first, local - turn)},
                 1);
}

}  // namespace

KvCache::KvCache(const KvShape& shape, std::int64_t expected_tokens)
    : shape_(shape),
      expected_tokens_(expected_tokens),
      layers_(static_cast<std::size_t>(shape.layers)) {}

void KvCache::grow(Layer& layer, std::int64_t tokens) {
  const std::int64_t have = layer.k.defined() ? layer.k.size(1) : 0;
  if (tokens <= have) return;
  const std::int64_t heads = layer.k.defined() ? layer.k.size(0) : shape_.heads;
  const std::int64_t capacity =
      rounded(std::max({tokens, have + have / 2, have == 0 ? expected_tokens_ : 0}));
  for (at::Tensor* tensor : {&layer.k, &layer.v}) {
    at::Tensor larger = at::empty({heads, capacity, shape_.head_dim},
                                  at::TensorOptions().dtype(shape_.dtype).device(shape_.device));
    if (have > 0) larger.narrow(1, 0, have).copy_(*tensor);
    *tensor = larger;
  }
}

KvView KvCache::write_rows(std::int64_t layer, std::int64_t start, std::int64_t rows) {
  Layer& entry = layers_[static_cast<std::size_t>(layer)];
  check(entry.cut_heads.empty(), "rows are written before heads are cut");
  grow(entry, start + rows);
  return {{}, entry.k.narrow(1, start, rows), entry.v.narrow(1, start, rows)};
}

KvView KvCache::read_all(std::int64_t layer, std::int64_t tokens) const {
  const Layer& entry = layers_[static_cast<std::size_t>(layer)];
  check(entry.cut_heads.empty(), "all heads are whole");
  return {{}, entry.k.narrow(1, 0, tokens), entry.v.narrow(1, 0, tokens)};
}

void KvCache::cut(std::int64_t layer, const std::vector<std::int64_t>& heads, std::int64_t tokens,
                  std::int64_t sink, std::int64_t local) {
  Layer& entry = layers_[static_cast<std::size_t>(layer)];
  if (!entry.cut_heads.empty() || heads.empty() || local < 1 || tokens < sink + local) return;
  entry.cut_heads = heads;
  for (std::int64_t head = 0; head < shape_.heads; ++head) {
    if (std::find(heads.begin(), heads.end(), head) == heads.end()) entry.whole.push_back(head);
  }
  entry.cut_index = index_tensor(entry.cut_heads, shape_.device);
  entry.whole_index = index_tensor(entry.whole, shape_.device);
  entry.sink = sink;
  entry.local = local;
  entry.cut_k = sink_and_ring(entry.k.index_select(0, entry.cut_index), tokens, sink, local);
  entry.cut_v = sink_and_ring(entry.v.index_select(0, entry.cut_index), tokens, sink, local);
  entry.k = entry.k.index_select(0, entry.whole_index);
  entry.v = entry.v.index_select(0, entry.whole_index);
}

void KvCache::reserve(std::int64_t layer, std::int64_t tokens) {
  Layer& entry = layers_[static_cast<std::size_t>(layer)];
  if (entry.cut_heads.empty() || !entry.whole.empty()) grow(entry, tokens);
}

void KvCache::locate(std::int64_t layer, KvSlot* heads) const {
  const Layer& entry = layers_[static_cast<std::size_t>(layer)];
  const auto row_of = [](const at::Tensor& x, std::int64_t i) {
    return static_cast<char*>(x.data_ptr()) + i * x.stride(0) * x.element_size();
  };
  if (entry.cut_heads.empty()) {
    for (std::int64_t i = 0; i < shape_.heads; ++i)
      heads[i] = {row_of(entry.k, i), row_of(entry.v, i)};
    return;
  }
  for (std::size_t i = 0; i < entry.whole.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    heads[entry.whole[i]] = {row_of(entry.k, at), row_of(entry.v, at)};
  }
  for (std::size_t i = 0; i < entry.cut_heads.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    heads[entry.cut_heads[i]] = {row_of(entry.cut_k, at), row_of(entry.cut_v, at),
                                 static_cast<std::int32_t>(entry.sink),
                                 static_cast<std::int32_t>(entry.local)};
  }
}

void KvCache::append(std::int64_t layer, std::int64_t position, const at::Tensor& k,
                     const at::Tensor& v) {
  Layer& entry = layers_[static_cast<std::size_t>(layer)];
  reserve(layer, position + 1);
  if (entry.cut_heads.empty()) {
    entry.k.narrow(1, position, 1).copy_(k);
    entry.v.narrow(1, position, 1).copy_(v);
    return;
  }
  if (!entry.whole.empty()) {
    entry.k.narrow(1, position, 1).copy_(k.index_select(0, entry.whole_index));
    entry.v.narrow(1, position, 1).copy_(v.index_select(0, entry.whole_index));
  }
  const std::int64_t slot = entry.sink + (position - entry.sink) % entry.local;
  entry.cut_k.narrow(1, slot, 1).copy_(k.index_select(0, entry.cut_index));
  entry.cut_v.narrow(1, slot, 1).copy_(v.index_select(0, entry.cut_index));
}

std::vector<KvView> KvCache::read_step(std::int64_t layer, std::int64_t tokens) const {
  const Layer& entry = layers_[static_cast<std::size_t>(layer)];
  if (entry.cut_heads.empty()) return {read_all(layer, tokens)};
  std::vector<KvView> views;
  if (!entry.whole.empty()) {
    views.push_back(
        {entry.whole_index, entry.k.narrow(1, 0, tokens), entry.v.narrow(1, 0, tokens)});
  }
  views.push_back({entry.cut_index, entry.cut_k, entry.cut_v});
  return views;
}

std::int64_t KvCache::row_bytes() const {
  return 2 * shape_.head_dim * static_cast<std::int64_t>(at::elementSize(shape_.dtype));
}

std::int64_t KvCache::bytes(std::int64_t tokens) const {
  std::int64_t rows = 0;
  for (const Layer& entry : layers_) {
    const auto cut_heads = static_cast<std::int64_t>(entry.cut_heads.size());
    rows += (shape_.heads - cut_heads) * tokens + cut_heads * (entry.sink + entry.local);
  }
  return rows * row_bytes();
}

std::int64_t KvCache::bytes_full(std::int64_t tokens) const {
  return shape_.layers * shape_.heads * tokens * row_bytes();
}

}  // namespace elastic::engine
