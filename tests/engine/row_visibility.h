#pragma once

// What MoBA, InfLLM-V2 and NSA let a query row see (sparse_attention spec 8-10), in plain loops
// over doubles and apart from the engine.

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "tests/engine/visibility.h"

namespace elastic::testing {

/// Vectors of doubles [heads, tokens, dim].
struct Vectors {
  explicit Vectors(const at::Tensor& x) : values(x.to(at::kDouble).contiguous()) {}
  const double* of(std::int64_t head, std::int64_t token) const {
    return values.const_data_ptr<double>() + (head * values.size(1) + token) * values.size(2);
  }
  double dot(std::int64_t head, std::int64_t token, const std::vector<double>& other) const {
    const double* own = of(head, token);
    return std::inner_product(other.begin(), other.end(), own, 0.0);
  }
  /// Of the windows [stride j, stride j + size) that are complete.
  std::vector<std::vector<double>> means(std::int64_t head, std::int64_t size,
                                         std::int64_t stride) const {
    std::vector<std::vector<double>> all;
    for (std::int64_t begin = 0; begin + size <= values.size(1); begin += stride) {
      std::vector<double> mean(static_cast<std::size_t>(values.size(2)), 0.0);
      for (std::int64_t j = begin; j < begin + size; ++j) {
        for (std::size_t c = 0; c < mean.size(); ++c) {
          mean[c] += of(head, j)[c] / static_cast<double>(size);
        }
      }
      all.push_back(std::move(mean));
    }
    return all;
  }

  at::Tensor values;
};

/// Indices of the `count` largest, of equals the first.
inline std::vector<std::int64_t> largest_of(const std::vector<double>& scores, std::int64_t count) {
  std::vector<std::int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
  });
  order.resize(std::min(order.size(), static_cast<std::size_t>(count)));
  return order;
}

/// As booleans [heads, rows, blocks] in a Cube.
inline Visibility visible_blocks(const engine::AttentionInput& input, Cube cube, std::int64_t block,
                                 std::int64_t share) {
  const auto kept = std::make_shared<Cube>(std::move(cube));
  return [=, q_start = input.q_start](std::int64_t h, std::int64_t p, std::int64_t j) {
    return kept->at(h / share, p - q_start, j / block) > 0;
  };
}

inline Visibility moba_visibility(const engine::AttentionInput& input, std::int64_t chunk,
                                  std::int64_t topk) {
  const Vectors q(input.q);
  const std::int64_t heads = input.q.size(0), rows = input.q.size(1), tokens = input.k.size(1);
  const std::int64_t group = heads / input.k.size(0);
  Cube kept(heads, rows, (tokens - 1) / chunk + 1);
  for (std::int64_t h = 0; h < heads; ++h) {
    const auto means = Vectors(input.k).means(h / group, chunk, chunk);
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t current = (input.q_start + i) / chunk;
      std::vector<double> gates;  // of past chunks
      for (std::int64_t c = 0; c < current; ++c) {
        gates.push_back(q.dot(h, i, means[static_cast<std::size_t>(c)]));
      }
      kept.at(h, i, current) = 1;
      for (const std::int64_t c : largest_of(gates, topk - 1)) kept.at(h, i, c) = 1;
    }
  }
  return visible_blocks(input, std::move(kept), chunk, 1);
}

struct InfllmSetting {
  std::int64_t kernel = 32, stride = 16, coarse = 128, coarse_stride = 64, block = 64;
  std::int64_t init = 1, local = 2048, topk = 96;
  bool is_public = false;
};

/// Of one KV head: scores of the fine windows, summed over its query heads, for one row after the
/// other; those that a row does not see have 0.
inline std::vector<std::vector<double>> infllm_scores(const engine::AttentionInput& input,
                                                      const InfllmSetting& s, std::int64_t kv) {
  const Vectors q(input.q), k(input.k);
  const std::int64_t tokens = input.k.size(1), group = input.q.size(0) / input.k.size(0);
  const auto fine = k.means(kv, s.kernel, s.stride),
             coarse = k.means(kv, s.coarse, s.coarse_stride);
  std::vector<std::vector<double>> rows;
  for (std::int64_t i = 0; i < input.q.size(1); ++i) {
    const auto ended = [&](std::int64_t size, std::int64_t stride) {
      std::size_t count = 0;
      while (static_cast<std::int64_t>(count) * stride + size <= input.q_start + i + 1) ++count;
      return s.is_public && tokens % stride == stride - 1 && count > 0 ? count - 1 : count;
    };
    const std::size_t sees = ended(s.kernel, s.stride), sums = ended(s.coarse, s.coarse_stride);
    std::vector<double>& scores = rows.emplace_back(fine.size(), 0.0);
    for (std::int64_t h = kv * group; h < (kv + 1) * group && sums > 0; ++h) {
      double sum = 0;
      for (std::size_t j = 0; j < sums; ++j) sum += std::exp(q.dot(h, i, coarse[j]) * input.scale);
      for (std::size_t j = 0; j < sees; ++j) {
        scores[j] += std::exp(q.dot(h, i, fine[j]) * input.scale) / sum;
      }
    }
  }
  return rows;
}

inline Visibility infllm_visibility(const engine::AttentionInput& input, const InfllmSetting& s) {
  const std::int64_t heads = input.k.size(0), rows = input.q.size(1), tokens = input.k.size(1);
  const std::int64_t blocks = (tokens - 1) / s.block + 1;
  Cube kept(heads, rows, blocks);
  for (std::int64_t kv = 0; kv < heads; ++kv) {
    const std::vector<std::vector<double>> windows = infllm_scores(input, s, kv);
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::vector<double>& fine = windows[static_cast<std::size_t>(i)];
      const std::int64_t own = (input.q_start + i) / s.block;
      std::vector<double> scores(static_cast<std::size_t>(blocks), 0.0);
      for (std::int64_t b = 0; b < blocks; ++b) {
        double& score = scores[static_cast<std::size_t>(b)];
        for (std::int64_t j = 0; j < static_cast<std::int64_t>(fine.size()); ++j) {
          const bool touches =
              j * s.stride < (b + 1) * s.block && j * s.stride + s.kernel > b * s.block;
          if (touches) score = std::max(score, fine[static_cast<std::size_t>(j)]);
        }
        if (b < s.init || (b <= own && own - b <= s.local / s.block)) score = INFINITY;
      }
      for (const std::int64_t b : largest_of(scores, s.topk)) kept.at(kv, i, b) = b <= own ? 1 : 0;
    }
  }
  return visible_blocks(input, std::move(kept), s.block, input.q.size(0) / heads);
}

}  // namespace elastic::testing
