#include "engine/attention/xattention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

#include "base/error.h"
#include "engine/attention/block_ops.h"

namespace elastic::engine {
namespace {

constexpr std::int64_t kScoreBudget = std::int64_t{1} << 24;  // strip scores held at once

// Query strips [group, a, stride * dim] of rows [start, start + rows), last token first.
at::Tensor query_strips(const at::Tensor& q, std::int64_t start, std::int64_t rows,
                        std::int64_t stride) {
  const std::int64_t strips = divided(rows, stride);
  const at::Tensor part = padded(q.narrow(1, start, rows).to(at::kFloat), 2, strips * stride);
  return part.reshape({q.size(0), strips, stride, q.size(2)})
      .flip({2})
      .reshape({q.size(0), strips, stride * q.size(2)});
}

// Probabilities of key strips [group, a, strips]; query strip 0 stands at key strip `first`.
at::Tensor strip_probabilities(const at::Tensor& queries, const at::Tensor& keys,
                               std::int64_t first, double scale) {
  const std::int64_t a = queries.size(1);
  at::Tensor scores = at::matmul(queries, keys.narrow(0, 0, first + a).t()).mul_(scale);
  const at::Tensor later =
      at::ones({a, a}, at::TensorOptions(at::kBool).device(keys.device())).triu_(1);
  scores.narrow(2, first, a).masked_fill_(later, -std::numeric_limits<double>::infinity());
  return at::softmax(scores, 2);
}

// Sums of squares of `side` strips: [group, a, b] -> [group, a / side, b / side].
at::Tensor block_sums(const at::Tensor& p, std::int64_t side) {
  const std::int64_t rows = divided(p.size(1), side), columns = divided(p.size(2), side);
  return padded(padded(p, 2, rows * side), 1, columns * side)
      .view({p.size(0), rows, side, columns, side})
      .sum({2, 4}, false, at::kDouble);
}

// Blocks of a row in order of decreasing mass (ties: lower index first) and what was gathered
// before each, without itself. `open`: those that may be chosen.
struct Ranking {
  at::Tensor index, mass, before;
};

Ranking ranked(const at::Tensor& mass, const at::Tensor& open) {
  auto [values, index] = at::sort(mass.masked_fill(open.logical_not(), -1), true, -1, true);
  const at::Tensor counted = values.clamp_min(0);
  return {index, values, counted.cumsum(-1) - counted};
}

at::Tensor chosen(const Ranking& ranking, const at::Tensor& take) {
  return at::zeros_like(take).scatter(-1, ranking.index, take);
}

// The smallest set with the forced blocks that reaches `need`.
at::Tensor smallest_set(const at::Tensor& mass, const at::Tensor& causal, const at::Tensor& forced,
                        const at::Tensor& need) {
  const at::Tensor held = at::where(forced, mass, 0.0).sum(-1, true);
  const Ranking rest = ranked(mass, causal.logical_and(forced.logical_not()));
  return chosen(rest, (held + rest.before < need).logical_and(rest.mass > 0)).logical_or(forced);
}

// The published code's first chunk: its bookkeeping lags one block behind, so the best block beside
// the diagonal is always taken and the r-th while the mass of those before the last is too little.
at::Tensor lagging_set(const at::Tensor& mass, const at::Tensor& causal, const at::Tensor& diagonal,
                       const at::Tensor& need) {
  const at::Tensor held = at::where(diagonal, mass, 0.0).sum(-1, true);
  const Ranking rest = ranked(mass, causal.logical_and(diagonal.logical_not()));
  // One place to the right: what was gathered before the block in front.
  const at::Tensor before = at::constant_pad_nd(rest.before, {1, -1});
  const at::Tensor is_best = at::arange(mass.size(-1), mass.options()) == 0;
  const at::Tensor take = (held + before < need).logical_or(is_best).logical_and(rest.mass >= 0);
  return chosen(rest, take.logical_and(need > 0)).logical_or(diagonal);
}

}  // namespace

at::Tensor strip_block_mass(const AttentionInput& input, std::int64_t kv_head,
                            const StripSizes& sizes) {
  check(input.q_start % sizes.block == 0 && sizes.block % sizes.stride == 0,
        "XAttention rows start at a block, blocks hold whole strips");
  const std::int64_t rows = input.q.size(1), end = input.q_start + rows, dim = input.q.size(2);
  const std::int64_t group = input.q.size(0) / input.k.size(0), stride = sizes.stride;
  const std::int64_t strips = divided(end, stride), blocks = divided(end, sizes.block);
  const at::Tensor q = input.q.narrow(0, kv_head * group, group);
  const at::Tensor keys =
      padded(input.k[kv_head].narrow(0, 0, end).to(at::kFloat), 2, strips * stride)
          .reshape({strips, stride * dim});
  const std::int64_t fitting = kScoreBudget / (group * strips) * stride / sizes.block;
  const std::int64_t slice = std::max<std::int64_t>(1, fitting) * sizes.block;
  std::vector<at::Tensor> mass;
  for (std::int64_t start = 0; start < rows; start += slice) {
    const at::Tensor queries = query_strips(q, start, std::min(slice, rows - start), stride);
    const at::Tensor p = strip_probabilities(queries, keys, (input.q_start + start) / stride,
                                             input.scale / static_cast<double>(stride));
    mass.push_back(padded(block_sums(p, sizes.block / stride), 1, blocks));
  }
  return at::cat(mass, 1);
}

at::Tensor select_blocks(const at::Tensor& mass, const at::Tensor& tau, XattentionRule rule,
                         const BlockRows& rows) {
  const auto options = at::TensorOptions(at::kLong).device(mass.device());
  const at::Tensor key = at::arange(mass.size(2), options);
  const at::Tensor own =
      at::arange(rows.first_block, rows.first_block + mass.size(1), options).unsqueeze(1);
  const at::Tensor causal = (key <= own).expand_as(mass), diagonal = (key == own).expand_as(mass);
  const at::Tensor forced = diagonal.logical_or(key == 0);
  const at::Tensor need = mass.sum(-1, true) * tau;
  at::Tensor keep = smallest_set(mass, causal, forced, need);
  if (rule == XattentionRule::kPublic) {
    const at::Tensor lagging = lagging_set(mass, causal, diagonal, need).logical_or(forced);
    keep = at::where(own < rows.chunk_blocks, lagging, keep);
  }
  return keep.logical_and(causal);
}

std::int64_t default_xattention_chunk(std::int64_t tokens) {
  constexpr std::int64_t kLeast = 2048, kScores = std::int64_t{1} << 28;
  const auto power = static_cast<std::int64_t>(
      std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(1, tokens))));
  return std::max(kLeast, std::min(std::max(kLeast, power), kScores / power));
}

}  // namespace elastic::engine
