#include "engine/model/kv_cache.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "engine/config/memory_estimate.h"

namespace elastic::engine {
namespace {

std::int64_t rounded(std::int64_t tokens) { return (tokens + kKvRows - 1) / kKvRows * kKvRows; }

std::vector<std::int64_t> all_of(std::int64_t heads) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(heads));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return all;
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
      layers_(static_cast<std::size_t>(shape.layers), Layer{part_of(all_of(shape.heads))}) {}

std::int64_t KvCache::Part::row_of(std::int64_t position) const {
  return local > 0 ? sink + (position - sink) % local : position - gone;
}

std::int64_t KvCache::Part::rows(std::int64_t tokens) const {
  return local > 0 ? sink + local : tokens - gone;
}

const KvCache::Part& KvCache::whole(std::int64_t layer) const {
  const Layer& parts = layers_[static_cast<std::size_t>(layer)];
  check(parts.size() == 1 && parts[0].is_whole(shape_.heads), "all heads are whole");
  return parts[0];
}

// Some heads of a layer, without rows.
KvCache::Part KvCache::part_of(std::vector<std::int64_t> heads) const {
  Part part;
  part.heads = std::move(heads);
  if (std::ssize(part.heads) < shape_.heads) {
    part.index = at::tensor(part.heads, at::TensorOptions(at::kLong)).to(shape_.device);
  }
  return part;
}

// New rows are zeros: attention multiplies those of a tile that are not written yet by 0.
void KvCache::grow(Part& part, std::int64_t rows) const {
  const std::int64_t have = part.k.defined() ? part.k.size(1) : 0;
  if (rows <= have) return;
  const std::int64_t capacity =
      rounded(std::max({rows, have + have / 2, have == 0 ? expected_tokens_ - part.gone : 0}));
  for (at::Tensor* tensor : {&part.k, &part.v}) {
    at::Tensor larger = at::zeros({std::ssize(part.heads), capacity, shape_.head_dim},
                                  at::TensorOptions().dtype(shape_.dtype).device(shape_.device));
    if (have > 0) larger.narrow(1, 0, have).copy_(*tensor);
    *tensor = larger;
  }
}

KvView KvCache::write_rows(std::int64_t layer, std::int64_t start, std::int64_t rows) {
  whole(layer);
  Part& part = layers_[static_cast<std::size_t>(layer)][0];
  grow(part, start + rows);
  return {{}, part.k.narrow(1, start, rows), part.v.narrow(1, start, rows)};
}

KvView KvCache::read_all(std::int64_t layer, std::int64_t tokens) const {
  const Part& part = whole(layer);
  return {{}, part.k.narrow(1, 0, tokens), part.v.narrow(1, 0, tokens)};
}

void KvCache::cut(std::int64_t layer, const std::vector<std::int64_t>& heads, std::int64_t tokens,
                  std::int64_t sink, std::int64_t local) {
  Layer& parts = layers_[static_cast<std::size_t>(layer)];
  if (!parts[0].is_whole(shape_.heads) || heads.empty() || local < 1 || tokens < sink + local) {
    return;
  }
  const Part all = std::move(parts[0]);
  std::vector<std::int64_t> others;
  std::set_difference(all.heads.begin(), all.heads.end(), heads.begin(), heads.end(),
                      std::back_inserter(others));
  const auto rows_of = [](const Part& part, const at::Tensor& x) {
    return part.index.defined() ? x.index_select(0, part.index) : x;
  };
  parts.clear();
  if (!others.empty()) {
    Part part = part_of(std::move(others));
    part.k = rows_of(part, all.k);
    part.v = rows_of(part, all.v);
    parts.push_back(std::move(part));
  }
  Part ring = part_of(heads);
  ring.sink = sink;
  ring.local = local;
  ring.k = sink_and_ring(rows_of(ring, all.k), tokens, sink, local);
  ring.v = sink_and_ring(rows_of(ring, all.v), tokens, sink, local);
  parts.push_back(std::move(ring));
}

void KvCache::keep(std::int64_t layer, const std::vector<at::Tensor>& positions,
                   std::int64_t tokens) {
  check(std::ssize(positions) == shape_.heads, "positions of every head");
  const Part all = whole(layer);
  std::map<std::int64_t, std::vector<std::int64_t>> by_rows;  // rows -> heads that keep so many
  for (const std::int64_t head : all.heads) {
    by_rows[positions[static_cast<std::size_t>(head)].size(0)].push_back(head);
  }
  Layer parts;
  for (auto& [rows, heads] : by_rows) {
    std::vector<at::Tensor> kept;
    for (const std::int64_t head : heads) kept.push_back(positions[static_cast<std::size_t>(head)]);
    Part part = part_of(std::move(heads));
    part.gone = tokens - rows;
    grow(part, rows + 1);
    const at::Tensor index = at::stack(kept).unsqueeze(2).expand({-1, -1, shape_.head_dim});
    for (const auto& [to, from] : {std::pair(&part.k, &all.k), {&part.v, &all.v}}) {
      const at::Tensor own = part.index.defined() ? from->index_select(0, part.index) : *from;
      to->narrow(1, 0, rows).copy_(own.gather(1, index));
    }
    parts.push_back(std::move(part));
  }
  layers_[static_cast<std::size_t>(layer)] = std::move(parts);
}

void KvCache::reserve(std::int64_t layer, std::int64_t tokens) {
  for (Part& part : layers_[static_cast<std::size_t>(layer)]) grow(part, part.rows(tokens));
}

void KvCache::locate(std::int64_t layer, KvSlot* heads) const {
  const auto row_of = [](const at::Tensor& x, std::int64_t i) {
    return static_cast<char*>(x.data_ptr()) + i * x.stride(0) * x.element_size();
  };
  for (const Part& part : layers_[static_cast<std::size_t>(layer)]) {
    for (std::int64_t i = 0; i < std::ssize(part.heads); ++i) {
      heads[part.heads[static_cast<std::size_t>(i)]] = {
          row_of(part.k, i), row_of(part.v, i), static_cast<std::int32_t>(part.sink),
          static_cast<std::int32_t>(part.local), static_cast<std::int32_t>(part.gone)};
    }
  }
}

void KvCache::append(std::int64_t layer, std::int64_t position, const at::Tensor& k,
                     const at::Tensor& v) {
  reserve(layer, position + 1);
  for (Part& part : layers_[static_cast<std::size_t>(layer)]) {
    const auto own = [&part](const at::Tensor& x) {
      return part.index.defined() ? x.index_select(0, part.index) : x;
    };
    part.k.narrow(1, part.row_of(position), 1).copy_(own(k));
    part.v.narrow(1, part.row_of(position), 1).copy_(own(v));
  }
}

std::vector<KvView> KvCache::read_step(std::int64_t layer, std::int64_t tokens) const {
  std::vector<KvView> views;
  for (const Part& part : layers_[static_cast<std::size_t>(layer)]) {
    const std::int64_t rows = part.rows(tokens);
    views.push_back({part.index, part.k.narrow(1, 0, rows), part.v.narrow(1, 0, rows)});
  }
  return views;
}

std::int64_t KvCache::row_bytes() const {
  return 2 * shape_.head_dim * static_cast<std::int64_t>(at::elementSize(shape_.dtype));
}

std::int64_t KvCache::bytes(std::int64_t tokens) const {
  std::int64_t rows = 0;
  for (const Layer& parts : layers_) {
    for (const Part& part : parts) rows += std::ssize(part.heads) * part.rows(tokens);
  }
  return rows * row_bytes();
}

std::int64_t KvCache::bytes_full(std::int64_t tokens) const {
  return shape_.layers * shape_.heads * tokens * row_bytes();
}

}  // namespace elastic::engine
