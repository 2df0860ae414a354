#pragma once

// Which keys of a prompt each press keeps, written from the specification (sparse_attention_2 spec
// 4) in plain loops over doubles and apart from the engine.

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/attention/head_mode.h"

namespace elastic::testing {

struct PressSetting {
  std::string rule;  // the mode's name
  std::int64_t kept = 0;
  std::int64_t window = 64, kernel = 5;
  bool max = false;
  std::int64_t sink = 4, future = 512;
  double eps = 0;
  std::optional<double> adakv = {};
  std::vector<double> frequencies = {};  // of RoPE
};

using KeyScores = std::vector<double>;
using KeptSets = std::vector<std::set<std::int64_t>>;  // of each KV head

/// [heads, rows, columns] of a tensor as doubles.
class Doubles {
 public:
  explicit Doubles(const at::Tensor& x) : x_(x.to(at::kDouble).contiguous()) {}
  const double* row(std::int64_t head, std::int64_t i) const {
    return x_.const_data_ptr<double>() + (head * x_.size(1) + i) * x_.size(2);
  }

 private:
  at::Tensor x_;
};

inline KeyScores softmax_of(KeyScores scores) {
  const double most = *std::max_element(scores.begin(), scores.end());
  double total = 0;
  for (double& x : scores) total += x = std::exp(x - most);
  for (double& x : scores) x /= total;
  return scores;
}

/// Mean of the attention of the last `window` queries of head h to each key.
inline KeyScores mean_attention(const engine::AttentionInput& prompt, std::int64_t h,
                                std::int64_t window) {
  const Doubles q(prompt.q), k(prompt.k);
  const std::int64_t tokens = prompt.k.size(1), dim = prompt.k.size(2);
  const std::int64_t kv = h / (prompt.q.size(0) / prompt.k.size(0));
  KeyScores mean(static_cast<std::size_t>(tokens), 0.0);
  for (std::int64_t p = tokens - window; p < tokens; ++p) {
    KeyScores scores;
    for (std::int64_t j = 0; j <= p; ++j) {
      scores.push_back(std::inner_product(q.row(h, p), q.row(h, p) + dim, k.row(kv, j), 0.0) *
                       prompt.scale);
    }
    const KeyScores attention = softmax_of(scores);
    for (std::size_t j = 0; j < attention.size(); ++j) {
      mean[j] += attention[j] / static_cast<double>(window);
    }
  }
  return mean;
}

inline KeyScores pooled(const KeyScores& scores, const PressSetting& s) {
  const auto count = static_cast<std::int64_t>(scores.size());
  KeyScores out;
  for (std::int64_t j = 0; j < count; ++j) {
    double sum = 0, most = -INFINITY;
    for (std::int64_t i = j - s.kernel / 2; i <= j + s.kernel / 2; ++i) {
      if (i < 0 || i >= count) continue;
      sum += scores[static_cast<std::size_t>(i)];
      most = std::max(most, scores[static_cast<std::size_t>(i)]);
    }
    out.push_back(s.max ? most : sum / static_cast<double>(s.kernel));
  }
  return out;
}

/// Softmax over keys [sink, tokens) of what a normal query of head h is expected to give them.
inline KeyScores expected_attention(const engine::AttentionInput& prompt, std::int64_t h,
                                    const PressSetting& s) {
  const Doubles q(prompt.plain_q), k(prompt.k);
  const std::int64_t tokens = prompt.k.size(1), dim = prompt.k.size(2), half = dim / 2;
  const std::int64_t kv = h / (prompt.q.size(0) / prompt.k.size(0));
  const auto n = static_cast<std::size_t>(dim);
  std::vector<double> turn(n * n, 0.0);  // the mean rotation
  for (std::int64_t p = tokens; p < tokens + s.future; ++p) {
    for (std::int64_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(p) * s.frequencies[static_cast<std::size_t>(i)];
      const double c = std::cos(angle) / static_cast<double>(s.future),
                   w = std::sin(angle) / static_cast<double>(s.future);
      const auto a = static_cast<std::size_t>(i), b = static_cast<std::size_t>(i + half);
      turn[a * n + a] += c;
      turn[b * n + b] += c;
      turn[a * n + b] -= w;
      turn[b * n + a] += w;
    }
  }
  const auto queries = static_cast<double>(tokens - s.sink);
  // Of turned queries, for a rotation of the mean is the mean of the rotated.
  std::vector<std::vector<double>> turned;
  std::vector<double> mean(n, 0.0);
  for (std::int64_t p = s.sink; p < tokens; ++p) {
    std::vector<double> x(n, 0.0);
    for (std::size_t a = 0; a < n; ++a) {
      for (std::size_t b = 0; b < n; ++b) x[a] += turn[a * n + b] * q.row(h, p)[b];
      mean[a] += x[a] / queries;
    }
    turned.push_back(x);
  }
  KeyScores scores;
  for (std::int64_t j = s.sink; j < tokens; ++j) {
    const double along = std::inner_product(mean.begin(), mean.end(), k.row(kv, j), 0.0);
    double variance = 0;
    for (const std::vector<double>& x : turned) {
      const double off = std::inner_product(x.begin(), x.end(), k.row(kv, j), -along);
      variance += off * off / queries;
    }
    scores.push_back(along * prompt.scale + variance * prompt.scale * prompt.scale / 2);
  }
  scores = softmax_of(scores);
  scores.insert(scores.begin(), static_cast<std::size_t>(s.sink), 0.0);
  return scores;
}

/// Scores of the keys of a KV head; infinite where a key is kept before any other.
inline KeyScores press_scores(const engine::AttentionInput& prompt, std::int64_t kv,
                              const PressSetting& s) {
  const std::int64_t tokens = prompt.k.size(1), heads = prompt.q.size(0),
                     group = heads / prompt.k.size(0);
  const auto force = [](KeyScores scores, std::int64_t begin, std::int64_t end) {
    std::fill(scores.begin() + begin, scores.begin() + end, INFINITY);
    return scores;
  };
  KeyScores sum(static_cast<std::size_t>(tokens), 0.0);
  if (s.rule == "streamingllm") {
    std::iota(sum.begin(), sum.end(), 0.0);
    return force(sum, 0, s.sink);
  }
  const bool every = s.rule == "tova";
  for (std::int64_t h = every ? 0 : kv * group; h < (every ? heads : (kv + 1) * group); ++h) {
    KeyScores one = s.rule == "expected-attention"
                        ? expected_attention(prompt, h, s)
                        : mean_attention(prompt, h, every ? 1 : s.window);
    if (s.rule == "snapkv") {
      one.resize(static_cast<std::size_t>(tokens - s.window));
      one = pooled(one, s);
    }
    for (std::size_t j = 0; j < one.size(); ++j) {
      sum[j] += one[j] / static_cast<double>(every ? heads : group);
    }
  }
  if (s.rule != "expected-attention") return force(sum, tokens - (every ? 1 : s.window), tokens);
  const Doubles v(prompt.v);
  for (std::int64_t j = 0; j < tokens; ++j) {
    const double* value = v.row(kv, j);
    const double norm = std::sqrt(std::inner_product(value, value + prompt.v.size(2), value, 0.0));
    sum[static_cast<std::size_t>(j)] = (sum[static_cast<std::size_t>(j)] + s.eps) * norm;
  }
  return force(sum, 0, s.sink);
}

/// Indices of the best, the first of equal ones.
inline std::vector<std::size_t> best_of(const KeyScores& scores, std::int64_t count) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  order.resize(static_cast<std::size_t>(count));
  return order;
}

inline KeptSets kept_by_definition(const engine::AttentionInput& prompt, const PressSetting& s) {
  const std::int64_t tokens = prompt.k.size(1), heads = prompt.k.size(0);
  const std::int64_t window = s.rule == "snapkv" ? s.window : s.rule == "tova" ? 1 : 0;
  const bool all = s.kept >= tokens || tokens <= (window > 0 ? window : s.sink);
  KeptSets kept(static_cast<std::size_t>(heads));
  KeyScores layer;
  for (std::int64_t kv = 0; kv < heads; ++kv) {
    auto& own = kept[static_cast<std::size_t>(kv)];
    if (all || s.kept <= window) {
      for (std::int64_t j = all ? 0 : tokens - s.kept; j < tokens; ++j) own.insert(j);
      continue;
    }
    KeyScores scores = press_scores(prompt, kv, s);
    const double safe = s.adakv ? std::floor(static_cast<double>(s.kept) * *s.adakv) : 0;
    for (const std::size_t j : best_of(scores, static_cast<std::int64_t>(safe))) {
      scores[j] = INFINITY;
    }
    layer.insert(layer.end(), scores.begin(), scores.end());
    if (s.adakv) continue;
    for (const std::size_t j : best_of(scores, s.kept)) own.insert(static_cast<std::int64_t>(j));
  }
  if (!s.adakv || layer.empty()) return kept;
  for (const std::size_t i : best_of(layer, heads * s.kept)) {
    const auto at = static_cast<std::int64_t>(i);
    kept[static_cast<std::size_t>(at / tokens)].insert(at % tokens);
  }
  return kept;
}

}  // namespace elastic::testing
