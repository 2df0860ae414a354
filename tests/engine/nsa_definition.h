#pragma once

// NSA by its definition (sparse_attention spec 8), in plain loops over doubles and apart from the
// engine.

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <vector>

#include "engine/attention/attention_plan.h"
#include "tests/engine/row_visibility.h"

namespace elastic::testing {

struct NsaSetting {
  std::int64_t kernel = 32, stride = 16, block = 64, topk = 3, init = 1, local = 1, window = 64;
  bool meanpool = false;  // of keys with RoPE; kernel, stride, init and local are not asked
};

/// Of one sequence: rows [q_start, q_start + rows) with gates [heads_q, rows, 3].
struct NsaInput {
  at::Tensor q, k, plain_k, v, gates;
  std::int64_t q_start = 0;
  engine::NsaWeights weights;
};

/// x [dim] at a position, half-split layout.
inline std::vector<double> rope(const std::vector<double>& x, std::int64_t position) {
  constexpr double kTheta = 10000;
  const std::size_t half = x.size() / 2;
  std::vector<double> out(x.size());
  for (std::size_t i = 0; i < half; ++i) {
    const double angle = static_cast<double>(position) *
                         std::pow(kTheta, -static_cast<double>(i) / static_cast<double>(half));
    out[i] = x[i] * std::cos(angle) - x[i + half] * std::sin(angle);
    out[i + half] = x[i + half] * std::cos(angle) + x[i] * std::sin(angle);
  }
  return out;
}

/// Windows of one head as one vector each; `position` may be undefined.
inline std::vector<std::vector<double>> nsa_windows(const at::Tensor& x, std::int64_t head,
                                                    std::int64_t size, std::int64_t stride,
                                                    const at::Tensor& weight,
                                                    const at::Tensor& position) {
  const at::Tensor values = x[head].to(at::kDouble).contiguous();
  const std::int64_t tokens = values.size(0), dim = values.size(1);
  std::vector<std::vector<double>> all;
  for (std::int64_t begin = 0; begin + size <= tokens; begin += stride) {
    at::Tensor part = values.narrow(0, begin, size).clone();
    if (position.defined()) part += position[head].to(at::kDouble);
    std::vector<double> one(static_cast<std::size_t>(dim), 0.0);
    for (std::int64_t t = 0; t < size; ++t) {
      for (std::int64_t c = 0; c < dim; ++c) {
        const double value = part.const_data_ptr<double>()[t * dim + c];
        if (!weight.defined()) {
          one[static_cast<std::size_t>(c)] += value / static_cast<double>(size);
        } else if (weight.dim() == 2) {
          one[static_cast<std::size_t>(c)] += value * weight[head][t].item<double>();
        } else {
          const at::Tensor row = weight[head][t * dim + c].to(at::kDouble).contiguous();
          for (std::int64_t e = 0; e < dim; ++e) {
            one[static_cast<std::size_t>(e)] += value * row.const_data_ptr<double>()[e];
          }
        }
      }
    }
    all.push_back(std::move(one));
  }
  return all;
}

/// exp(scores) over their sum; empty for none.
inline std::vector<double> shares_of(std::vector<double> scores) {
  double most = -INFINITY, sum = 0;
  for (const double x : scores) most = std::max(most, x);
  for (double& x : scores) sum += x = std::exp(x - most);
  for (double& x : scores) x /= sum;
  return scores;
}

/// Blocks that a row chooses by the summed shares of its windows.
inline std::set<std::int64_t> nsa_blocks(const NsaSetting& s, std::int64_t p, std::int64_t tokens,
                                         const std::vector<double>& shares) {
  const std::int64_t blocks = (tokens - 1) / s.block + 1, own = p / s.block;
  std::vector<double> scores(static_cast<std::size_t>(blocks), 0.0);
  for (std::int64_t b = 0; b < blocks; ++b) {
    double& score = scores[static_cast<std::size_t>(b)];
    for (std::int64_t part = b * s.block; part < (b + 1) * s.block; part += s.stride) {
      for (std::size_t j = 0; j < shares.size(); ++j) {  // windows that hold this stride
        const std::int64_t begin = static_cast<std::int64_t>(j) * s.stride;
        if (begin <= part && part < begin + s.kernel) score += shares[j];
      }
    }
    if (b < s.init || (own - b >= 0 && own - b < s.local)) score = INFINITY;
  }
  std::set<std::int64_t> chosen;
  for (const std::int64_t b : largest_of(scores, s.topk)) {
    if (b <= own) chosen.insert(b);
  }
  return chosen;
}

struct NsaResult {
  at::Tensor out;                                           // fp64 [heads_q, rows, dim]
  std::vector<std::vector<std::set<std::int64_t>>> blocks;  // of each KV head and row
};

/// One KV head's side of NSA.
struct NsaHead {
  std::vector<std::vector<double>> keys, values;  // compressed
};

inline NsaHead nsa_head(const NsaInput& in, const NsaSetting& s, std::int64_t kv) {
  NsaHead head{nsa_windows(s.meanpool ? in.k : in.plain_k, kv, s.kernel, s.stride, in.weights.keys,
                           in.weights.position),
               nsa_windows(in.v, kv, s.kernel, s.stride, in.weights.values, {})};
  for (std::size_t j = 0; j < head.keys.size() && !s.meanpool; ++j) {
    head.keys[j] = rope(head.keys[j], static_cast<std::int64_t>(j) * s.stride);
  }
  return head;
}

/// out += gate * attention over the keys; returns their shares.
inline std::vector<double> add_attention(const double* q, std::int64_t dim, double gate,
                                         const std::vector<const double*>& keys,
                                         const std::vector<const double*>& values, double* out) {
  std::vector<double> scores(keys.size());
  std::transform(keys.begin(), keys.end(), scores.begin(), [&](const double* key) {
    return std::inner_product(q, q + dim, key, 0.0) / std::sqrt(static_cast<double>(dim));
  });
  const std::vector<double> shares = shares_of(scores);
  for (std::size_t n = 0; n < values.size(); ++n) {
    for (std::int64_t c = 0; c < dim; ++c) out[c] += gate * shares[n] * values[n][c];
  }
  return shares;
}

inline NsaResult nsa_by_definition(const NsaInput& in, NsaSetting s) {
  if (s.meanpool) s.kernel = s.stride = s.block, s.init = 0, s.local = 1;
  const std::int64_t kv_heads = in.k.size(0), group = in.q.size(0) / kv_heads, dim = in.q.size(2);
  const std::int64_t rows = in.q.size(1), reach = s.window + (s.meanpool ? 0 : 1);
  const Vectors q(in.q), k(in.k), v(in.v), gates(in.gates);
  NsaResult result{at::zeros(in.q.sizes(), at::kDouble), {}};
  for (std::int64_t kv = 0; kv < kv_heads; ++kv) {
    const NsaHead head = nsa_head(in, s, kv);
    auto& blocks = result.blocks.emplace_back();
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t p = in.q_start + i;
      const auto add = [&](std::int64_t h, int branch, const auto& keys, const auto& values) {
        return add_attention(q.of(h, i), dim, gates.of(h, i)[branch], keys, values,
                             result.out.data_ptr<double>() + (h * rows + i) * dim);
      };
      const auto over_tokens = [&](std::int64_t h, int branch, const auto& visible) {
        std::vector<const double*> keys, values;
        for (std::int64_t j = 0; j <= p; ++j) {
          if (!visible(j)) continue;
          keys.push_back(k.of(kv, j));
          values.push_back(v.of(kv, j));
        }
        add(h, branch, keys, values);
      };
      std::vector<const double*> keys, values;
      for (std::size_t j = 0; j < head.keys.size(); ++j) {
        if (static_cast<std::int64_t>(j) * s.stride + s.kernel > p + 1) break;
        keys.push_back(head.keys[j].data());
        values.push_back(head.values[j].data());
      }
      std::vector<double> sum(keys.size(), 0.0);
      for (std::int64_t h = kv * group; h < (kv + 1) * group; ++h) {
        const std::vector<double> shares = add(h, 0, keys, values);
        for (std::size_t j = 0; j < sum.size(); ++j) sum[j] += shares[j];
      }
      const auto& chosen = blocks.emplace_back(nsa_blocks(s, p, in.k.size(1), sum));
      for (std::int64_t h = kv * group; h < (kv + 1) * group; ++h) {
        over_tokens(h, 1, [&](std::int64_t j) { return chosen.contains(j / s.block); });
        over_tokens(h, 2, [&](std::int64_t j) { return p - j < reach; });
      }
    }
  }
  return result;
}

}  // namespace elastic::testing
