#pragma once

// What FlexPrefill and FlashPrefill let a query row see, written from sparse_attention_2 spec 1 and
// 2 in plain loops over doubles and apart from the engine.

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "tests/engine/visibility.h"

namespace elastic::testing {

/// Queries and keys as doubles, and the products of rows and of means of them.
class PlainScores {
 public:
  explicit PlainScores(const engine::AttentionInput& input)
      : q_(input.q.to(at::kDouble).contiguous()), k_(input.k.to(at::kDouble).contiguous()) {}

  std::int64_t heads() const { return q_.size(0); }
  std::int64_t rows() const { return q_.size(1); }
  std::int64_t tokens() const { return k_.size(1); }

  /// (mean of q rows [i0, i1)) . (mean of k rows [j0, j1)) / sqrt(d) of a query head; rows count
  /// from the first of the call.
  double of(std::int64_t h, std::int64_t i0, std::int64_t i1, std::int64_t j0,
            std::int64_t j1) const {
    const std::int64_t dim = q_.size(2), kv = h / (q_.size(0) / k_.size(0));
    const double* q = q_.const_data_ptr<double>() + h * rows() * dim;
    const double* k = k_.const_data_ptr<double>() + kv * tokens() * dim;
    double sum = 0;
    for (std::int64_t c = 0; c < dim; ++c) {
      double a = 0, b = 0;
      for (std::int64_t i = i0; i < i1; ++i) a += q[i * dim + c];
      for (std::int64_t j = j0; j < j1; ++j) b += k[j * dim + c];
      sum += a / static_cast<double>(i1 - i0) * b / static_cast<double>(j1 - j0);
    }
    return sum / std::sqrt(static_cast<double>(dim));
  }

 private:
  at::Tensor q_, k_;
};

inline void softmax_in_place(std::vector<double>& x) {
  const double most = *std::max_element(x.begin(), x.end());
  double total = 0;
  for (double& value : x) total += value = std::exp(value - most);
  for (double& value : x) value /= total;
}

/// Places of x from the largest on; of equal ones the lower first.
inline std::vector<std::int64_t> descending(const std::vector<double>& x) {
  std::vector<std::int64_t> order(x.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return x[static_cast<std::size_t>(a)] > x[static_cast<std::size_t>(b)];
  });
  return order;
}

struct FlexSetting {
  double gamma = 0.95, tau = 0.1;
  std::int64_t block = 128, min = 1024, max = 0;
};

/// One query head of FlexPrefill.
struct FlexHead {
  std::vector<double> vertical, slash, token_vertical, token_slash;
  bool query_aware = false;
};

inline FlexHead flex_masses(const PlainScores& scores, std::int64_t h, const FlexSetting& s) {
  const std::int64_t n = scores.tokens(), blocks = (n + s.block - 1) / s.block;
  const auto width = static_cast<std::size_t>(n), wide = static_cast<std::size_t>(blocks);
  FlexHead head{std::vector<double>(wide), std::vector<double>(wide), std::vector<double>(width),
                std::vector<double>(width)};
  for (std::int64_t i = n - s.block; i < n; ++i) {
    std::vector<double> a;
    for (std::int64_t j = 0; j <= i; ++j) a.push_back(scores.of(h, i, i + 1, j, j + 1));
    softmax_in_place(a);
    for (std::int64_t j = 0; j <= i; ++j) {
      const double part = a[static_cast<std::size_t>(j)] / static_cast<double>(s.block);
      const std::int64_t c = n - 1 - (i - j);
      head.token_vertical[static_cast<std::size_t>(j)] += part;
      head.token_slash[static_cast<std::size_t>(c)] += part;
      head.vertical[static_cast<std::size_t>(j / s.block)] += part;
      head.slash[static_cast<std::size_t>(c / s.block)] += part;
    }
  }
  std::vector<double> p;
  for (std::int64_t b = 0; b < blocks; ++b) {
    p.push_back(scores.of(h, n - s.block, n, b * s.block, std::min((b + 1) * s.block, n)));
  }
  softmax_in_place(p);
  double divergence = 0;
  for (std::size_t b = 0; b < wide; ++b) {
    const double v = head.vertical[b], mean = (p[b] + v) / 2;
    if (p[b] > 0) divergence += p[b] * std::log(p[b] / mean) / 2;
    if (v > 0) divergence += v * std::log(v / mean) / 2;
  }
  head.query_aware = std::sqrt(std::max(0.0, divergence)) < s.tau;
  return head;
}

inline std::int64_t flex_count(const std::vector<double>& mass, const FlexSetting& s,
                               std::int64_t blocks) {
  std::int64_t tokens = 1;
  double held = 0;
  for (const std::int64_t place : descending(mass)) {
    held += mass[static_cast<std::size_t>(place)];
    if (held <= s.gamma) ++tokens;
  }
  const auto up = [&](std::int64_t budget) { return (budget + s.block - 1) / s.block; };
  const std::int64_t count = std::max(tokens / 128 + 1, up(s.min));
  return std::min(count, s.max > 0 ? std::min(up(s.max), blocks) : blocks);
}

/// Booleans [query heads, query blocks, key blocks].
inline Cube flex_blocks(const engine::AttentionInput& input, const FlexSetting& s) {
  const PlainScores scores(input);
  const std::int64_t n = scores.tokens(), blocks = (n + s.block - 1) / s.block,
                     least = (s.min + s.block - 1) / s.block;
  Cube keep(scores.heads(), blocks, blocks);
  for (std::int64_t h = 0; h < scores.heads(); ++h) {
    FlexHead head = flex_masses(scores, h, s);
    const auto count = [&](const std::vector<double>& mass) {
      return head.query_aware ? least : flex_count(mass, s, blocks);
    };
    head.vertical.front() = head.slash.back() = INFINITY;
    const std::vector<std::int64_t> columns = descending(head.vertical),
                                    diagonals = descending(head.slash);
    for (std::int64_t r = 0; r < count(head.token_vertical); ++r) {
      const std::int64_t b = columns[static_cast<std::size_t>(r)];
      for (std::int64_t i = b; i < blocks; ++i) keep.at(h, i, b) = 1;
    }
    for (std::int64_t r = 0; r < count(head.token_slash); ++r) {
      const std::int64_t delta = blocks - 1 - diagonals[static_cast<std::size_t>(r)];
      for (std::int64_t b = 0; b + delta < blocks; ++b) keep.at(h, b + delta, b) = 1;
    }
    if (!head.query_aware) continue;
    std::vector<double> pairs(static_cast<std::size_t>(blocks * blocks));
    for (std::int64_t i = 0; i < blocks; ++i) {
      std::vector<double> row;
      for (std::int64_t b = 0; b <= i; ++b) {
        row.push_back(scores.of(h, i * s.block, std::min((i + 1) * s.block, n), b * s.block,
                                std::min((b + 1) * s.block, n)));
      }
      softmax_in_place(row);
      std::copy(row.begin(), row.end(), pairs.begin() + i * blocks);
    }
    double held = 0;
    for (const std::int64_t place : descending(pairs)) {
      held += pairs[static_cast<std::size_t>(place)];
      if (held > s.gamma * static_cast<double>(blocks)) break;
      if (place % blocks <= place / blocks) keep.at(h, place / blocks, place % blocks) = 1;
    }
  }
  return keep;
}

inline Visibility flex_visibility(const engine::AttentionInput& input, const FlexSetting& s) {
  const std::int64_t n = input.k.size(1), least = (s.min + s.block - 1) / s.block;
  if (input.q.size(1) < n || n <= std::max(2 * s.block, least * s.block)) {
    return [](auto...) { return true; };
  }
  const auto keep = std::make_shared<Cube>(flex_blocks(input, s));
  return [=, block = s.block](std::int64_t h, std::int64_t p, std::int64_t j) {
    return keep->at(h, p / block, j / block) > 0;
  };
}

struct FlashSetting {
  double alpha = 0.18;
  std::int64_t block = 128, sink = 2, window = 4, last = 2, min = 0;
};

/// Booleans [query heads, query blocks of the call, key blocks].
inline Cube flash_blocks(const engine::AttentionInput& input, const FlashSetting& s) {
  const PlainScores scores(input);
  const std::int64_t end = input.q_start + scores.rows(), first = input.q_start / s.block;
  const std::int64_t last = (end - 1) / s.block, all = (scores.tokens() + s.block - 1) / s.block;
  Cube keep(scores.heads(), last - first + 1, last + 1);
  for (std::int64_t h = 0; h < scores.heads(); ++h) {
    for (std::int64_t a = first; a <= last; ++a) {
      std::vector<std::vector<double>> seen(static_cast<std::size_t>(a + 1));
      double most = -INFINITY;
      for (std::int64_t p = a * s.block; p < std::min((a + 1) * s.block, end); ++p) {
        const std::int64_t i = p - input.q_start;
        for (std::int64_t b = 0; (b + 1) * s.block - 1 <= p; ++b) {
          seen[static_cast<std::size_t>(b)].push_back(
              scores.of(h, i, i + 1, b * s.block, (b + 1) * s.block));
          most = std::max(most, seen[static_cast<std::size_t>(b)].back());
        }
      }
      std::vector<double> score;
      for (const std::vector<double>& products : seen) {
        double sum = 0;
        for (const double product : products) sum += std::exp(product - most);
        score.push_back(sum);
      }
      const double best = *std::max_element(score.begin(), score.end());
      for (std::int64_t b = 0; b <= a; ++b) {
        const double own = score[static_cast<std::size_t>(b)];
        if ((best > 0 && own >= s.alpha * best) || b < s.sink || a - b < s.window ||
            a >= all - s.last) {
          keep.at(h, a - first, b) = 1;
        }
      }
      const std::vector<std::int64_t> order = descending(score);
      for (std::int64_t r = 0; r < std::min(s.min, a + 1); ++r) {
        keep.at(h, a - first, order[static_cast<std::size_t>(r)]) = 1;
      }
    }
  }
  return keep;
}

inline Visibility flash_visibility(const engine::AttentionInput& input, const FlashSetting& s) {
  const auto keep = std::make_shared<Cube>(flash_blocks(input, s));
  return [=, block = s.block, first = input.q_start / s.block](std::int64_t h, std::int64_t p,
                                                               std::int64_t j) {
    return keep->at(h, p / block - first, j / block) > 0;
  };
}

}  // namespace elastic::testing
