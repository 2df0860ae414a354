#include "engine/attention/reference.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace elastic::engine {
namespace {

// One query row: q [dim] against keys [tokens, dim], the result to out [dim]; returns the lse.
double attend_row(const double* q, const at::Tensor& keys, const at::Tensor& values,
                  const std::vector<std::int64_t>& visible, double scale, double* out) {
  const std::int64_t dim = keys.size(1);
  const double* k = keys.const_data_ptr<double>();
  const double* v = values.const_data_ptr<double>();
  std::vector<double> scores;
  double max = -std::numeric_limits<double>::infinity();
  for (const std::int64_t j : visible) {
    double dot = 0;
    for (std::int64_t c = 0; c < dim; ++c) dot += q[c] * k[j * dim + c];
    scores.push_back(dot * scale);
    max = std::max(max, scores.back());
  }
  double sum = 0;
  for (double& score : scores) sum += score = std::exp(score - max);
  for (std::size_t i = 0; i < visible.size(); ++i) {
    for (std::int64_t c = 0; c < dim; ++c) out[c] += scores[i] / sum * v[visible[i] * dim + c];
  }
  return visible.empty() ? max : max + std::log(sum);
}

}  // namespace

ReferenceAttention reference_attention(const AttentionInput& input, std::span<const int> kv_heads,
                                       const BlockMask& mask) {
  const std::int64_t heads = input.q.size(0), rows = input.q.size(1), dim = input.q.size(2);
  const std::int64_t group = heads / input.k.size(0);
  const at::Tensor q = input.q.to(at::kDouble).contiguous();
  ReferenceAttention result{
      at::zeros({heads, rows, dim}, at::kDouble),
      at::full({heads, rows}, -std::numeric_limits<double>::infinity(), at::kDouble)};
  double* out = result.out.mutable_data_ptr<double>();
  double* lse = result.lse.mutable_data_ptr<double>();
  std::int64_t mask_head = 0;
  for (const int kv : kv_heads) {
    const at::Tensor k = input.k[kv].to(at::kDouble).contiguous();
    const at::Tensor v = input.v[kv].to(at::kDouble).contiguous();
    for (std::int64_t h = kv * group; h < (kv + 1) * group; ++h, ++mask_head) {
      for (std::int64_t i = 0; i < rows; ++i) {
        std::vector<std::int64_t> visible;
        for (std::int64_t j = 0; j <= input.q_start + i; ++j) {
          if (is_visible(mask, mask_head, input.q_start + i, j)) visible.push_back(j);
        }
        const std::int64_t row = h * rows + i;
        lse[row] = attend_row(q.const_data_ptr<double>() + row * dim, k, v, visible, input.scale,
                              out + row * dim);
      }
    }
  }
  return result;
}

}  // namespace elastic::engine
