#pragma once

// What each head mode lets a query row see, written from the specification (sparse_attention spec
// 2-4, sparse_attention_2 spec 5) in plain loops over doubles and apart from the engine: the masks
// that modes are held against.

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <vector>

#include "engine/attention/head_mode.h"

namespace elastic::testing {

/// Whether the row at position p of query head h sees key j, causality left out.
using Visibility = std::function<bool(std::int64_t h, std::int64_t p, std::int64_t j)>;

/// [heads, rows, columns] of doubles.
struct Cube {
  std::int64_t rows = 0, columns = 0;
  std::vector<double> values;

  explicit Cube(std::int64_t heads, std::int64_t r, std::int64_t c)
      : rows(r), columns(c), values(static_cast<std::size_t>(heads * r * c), 0.0) {}
  double& at(std::int64_t h, std::int64_t i, std::int64_t j) {
    return values[static_cast<std::size_t>((h * rows + i) * columns + j)];
  }
};

struct XattentionSetting {
  std::int64_t stride = 16, block = 128;
  std::vector<double> tau;  // one, or one a query head
  bool is_public = false;
  std::int64_t first_chunk = 0;  // blocks, where is_public

  double tau_of(std::int64_t h) const {
    return tau[tau.size() == 1 ? 0 : static_cast<std::size_t>(h)];
  }
};

/// Sums of strip probabilities of block pairs: query block i of the call, absolute key block j.
inline Cube xattention_mass(const engine::AttentionInput& input, const XattentionSetting& s) {
  const at::Tensor q = input.q.to(at::kDouble).contiguous(),
                   k = input.k.to(at::kDouble).contiguous();
  const std::int64_t heads = q.size(0), rows = q.size(1), dim = q.size(2), tokens = k.size(1);
  const std::int64_t group = heads / k.size(0), end = input.q_start + rows;
  const double* qs = q.const_data_ptr<double>();
  const double* ks = k.const_data_ptr<double>();
  const std::int64_t blocks = (end + s.block - 1) / s.block;
  Cube mass(heads, blocks - input.q_start / s.block, blocks);
  for (std::int64_t h = 0; h < heads; ++h) {
    for (std::int64_t a = input.q_start / s.stride; a * s.stride < end; ++a) {
      std::vector<double> scores;
      for (std::int64_t b = 0; b <= a; ++b) {
        double sum = 0;
        for (std::int64_t t = 0; t < s.stride; ++t) {
          const std::int64_t p = a * s.stride + s.stride - 1 - t, j = b * s.stride + t;
          if (p >= end || j >= end) continue;
          for (std::int64_t c = 0; c < dim; ++c) {
            sum += qs[(h * rows + p - input.q_start) * dim + c] *
                   ks[((h / group) * tokens + j) * dim + c];
          }
        }
        scores.push_back(sum /
                         (std::sqrt(static_cast<double>(dim)) * static_cast<double>(s.stride)));
      }
      const double most = *std::max_element(scores.begin(), scores.end());
      double total = 0;
      for (double& x : scores) total += x = std::exp(x - most);
      const std::int64_t row = a * s.stride / s.block - input.q_start / s.block;
      for (std::int64_t b = 0; b <= a; ++b) {
        mass.at(h, row, b * s.stride / s.block) += scores[static_cast<std::size_t>(b)] / total;
      }
    }
  }
  return mass;
}

/// Blocks that a row of masses keeps; `margin` shrinks to the nearest near-tie of its decisions.
inline std::vector<bool> xattention_row(const std::vector<double>& mass, double tau, bool lagging,
                                        double& margin) {
  const std::size_t own = mass.size() - 1;
  std::vector<std::size_t> order(mass.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::erase_if(order, [&](std::size_t j) { return j == own || (j == 0 && !lagging); });
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return mass[a] > mass[b]; });
  for (std::size_t r = 1; r < order.size(); ++r) {
    margin = std::min(margin, mass[order[r - 1]] - mass[order[r]]);
  }
  const double need = tau * std::accumulate(mass.begin(), mass.end(), 0.0);
  std::vector<bool> keep(mass.size(), false);
  keep[0] = keep[own] = true;
  double held = mass[own] + (lagging || own == 0 ? 0 : mass[0]);
  for (std::size_t r = 0; r < order.size(); ++r) {
    if (need <= 0) break;
    const bool always = lagging && r == 0;
    if (lagging && r >= 2) held += mass[order[r - 2]];
    if (!always) margin = std::min(margin, std::abs(held - need));
    if (!always && held >= need) break;
    keep[order[r]] = true;
    if (!lagging) held += mass[order[r]];
  }
  return keep;
}

/// As booleans [heads, query blocks, key blocks] in a Cube; `margins` per head and query block.
inline Cube xattention_blocks(const engine::AttentionInput& input, const XattentionSetting& s,
                              std::vector<double>* margins = nullptr) {
  Cube mass = xattention_mass(input, s);
  const std::int64_t heads = input.q.size(0), first = input.q_start / s.block;
  Cube keep(heads, mass.rows, mass.columns);
  for (std::int64_t h = 0; h < heads; ++h) {
    for (std::int64_t i = 0; i < mass.rows; ++i) {
      std::vector<double> row;
      for (std::int64_t j = 0; j <= first + i; ++j) row.push_back(mass.at(h, i, j));
      double margin = 1;
      const bool lagging = s.is_public && first + i < s.first_chunk;
      const std::vector<bool> kept = xattention_row(row, s.tau_of(h), lagging, margin);
      for (std::size_t j = 0; j < kept.size(); ++j) {
        keep.at(h, i, static_cast<std::int64_t>(j)) = kept[j] ? 1 : 0;
      }
      if (margins != nullptr) margins->push_back(margin);
    }
  }
  return keep;
}

inline Visibility xattention_visibility(const engine::AttentionInput& input,
                                        const XattentionSetting& s) {
  const auto keep = std::make_shared<Cube>(xattention_blocks(input, s));
  const std::int64_t first = input.q_start / s.block, block = s.block;
  return [=](std::int64_t h, std::int64_t p, std::int64_t j) {
    return keep->at(h, p / block - first, j / block) > 0;
  };
}

inline Visibility streaming_visibility(std::int64_t sink, std::int64_t local, std::int64_t block) {
  const auto blocks = [block](std::int64_t tokens) { return (tokens + block - 1) / block; };
  return [=](std::int64_t, std::int64_t p, std::int64_t j) {
    return j / block < blocks(sink) || p / block - j / block < blocks(local);
  };
}

/// Chunk by chunk over a cache that forgets all but its first `sink` and last `recent` entries.
inline Visibility rolling_cache_visibility(std::int64_t tokens, std::int64_t sink,
                                           std::int64_t recent, std::int64_t chunk) {
  auto seen = std::make_shared<std::vector<std::vector<std::int64_t>>>();  // by a chunk's rows
  std::vector<std::int64_t> cache;
  for (std::int64_t j = 0; j < tokens; ++j) {
    cache.push_back(j);
    if ((j + 1) % chunk != 0 && j + 1 < tokens) continue;
    seen->push_back(cache);
    while (std::ssize(cache) > sink + recent) cache.erase(cache.begin() + sink);
  }
  return [=](std::int64_t, std::int64_t p, std::int64_t j) {
    const auto& keys = (*seen)[static_cast<std::size_t>(p / chunk)];
    return std::find(keys.begin(), keys.end(), j) != keys.end();
  };
}

struct SkipSetting {
  double scale = 1;
  std::int64_t rows = 64, keys = 128;
  bool descending = false, group_decides = false;
};

/// What the loop over key tiles did with those of every query tile.
struct SkipTiles {
  Cube kept;                              // [query heads, query tiles, key tiles] as booleans
  std::int64_t computed = 0, causal = 0;  // a tile of a group that decides together counts once
  double margin = 1e9;                    // of the nearest decision
};

/// The loop of the query heads [first, last) that decide together over one query tile.
inline void skip_loop(const engine::AttentionInput& input, const SkipSetting& s, std::int64_t first,
                      std::int64_t last, std::int64_t query_tile, SkipTiles& tiles) {
  const std::int64_t tokens = input.k.size(1), dim = input.q.size(2);
  const std::int64_t group = input.q.size(0) / input.k.size(0), begin = query_tile * s.rows;
  const std::int64_t end = std::min(begin + s.rows, input.q.size(1));
  const double* q = input.q.const_data_ptr<double>();
  const double* k = input.k.const_data_ptr<double>();
  const double threshold = std::log(s.scale / static_cast<double>(tokens));
  const std::int64_t count = (input.q_start + end - 1) / s.keys + 1;
  std::vector<double> most(static_cast<std::size_t>((last - first) * (end - begin)), -INFINITY);
  for (std::int64_t visit = 0; visit < count; ++visit) {
    const std::int64_t tile = s.descending ? count - 1 - visit : visit;
    std::vector<double> here;
    double nearest = -INFINITY;  // how far the row that holds the tile most lies above its maximum
    for (std::int64_t h = first; h < last; ++h) {
      for (std::int64_t i = begin; i < end; ++i) {
        double best = -INFINITY;
        for (std::int64_t j = tile * s.keys;
             j < std::min((tile + 1) * s.keys, input.q_start + i + 1); ++j) {
          double score = 0;
          for (std::int64_t c = 0; c < dim; ++c) {
            score += q[(h * input.q.size(1) + i) * dim + c] * k[(h / group * tokens + j) * dim + c];
          }
          best = std::max(best, score * input.scale);
        }
        if (best > -INFINITY) nearest = std::max(nearest, best - most[here.size()]);
        here.push_back(best);
      }
    }
    ++tiles.causal;
    if (visit > 0) tiles.margin = std::min(tiles.margin, std::abs(nearest - threshold));
    if (visit > 0 && threshold < 0 && nearest < threshold) continue;
    ++tiles.computed;
    for (std::int64_t h = first; h < last; ++h) tiles.kept.at(h, query_tile, tile) = 1;
    for (std::size_t r = 0; r < most.size(); ++r) most[r] = std::max(most[r], here[r]);
  }
}

inline SkipTiles skip_tiles(engine::AttentionInput input, const SkipSetting& s) {
  input.q = input.q.to(at::kDouble).contiguous();
  input.k = input.k.to(at::kDouble).contiguous();
  const std::int64_t heads = input.q.size(0), query_tiles = (input.q.size(1) - 1) / s.rows + 1;
  const std::int64_t together = s.group_decides ? heads / input.k.size(0) : 1;
  SkipTiles tiles{Cube(heads, query_tiles, (input.k.size(1) - 1) / s.keys + 1)};
  for (std::int64_t h = 0; h < heads; h += together) {
    for (std::int64_t t = 0; t < query_tiles; ++t) skip_loop(input, s, h, h + together, t, tiles);
  }
  return tiles;
}

inline Visibility skip_visibility(const engine::AttentionInput& input, const SkipSetting& s) {
  const auto tiles = std::make_shared<SkipTiles>(skip_tiles(input, s));
  return [=, q_start = input.q_start](std::int64_t h, std::int64_t p, std::int64_t j) {
    return tiles->kept.at(h, (p - q_start) / s.rows, j / s.keys) > 0;
  };
}

}  // namespace elastic::testing
