#include "engine/attention/skip_softmax.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/cummax.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <limits>

namespace elastic::engine {
namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();

// Rows [first, first + rows) of the call.
struct QueryTile {
  std::int64_t first = 0, rows = 0;
};

// Scaled scores of the query heads of a KV head, [group, rows, keys up to the tile's last row],
// fp32, -inf above the diagonal.
at::Tensor scores_of(const AttentionInput& input, std::int64_t kv, const QueryTile& tile) {
  const std::int64_t group = input.q.size(0) / input.k.size(0), dim = input.q.size(2);
  const std::int64_t start = input.q_start + tile.first, end = start + tile.rows;
  const at::Tensor q = input.q.narrow(0, kv * group, group)
                           .narrow(1, tile.first, tile.rows)
                           .to(at::kFloat)
                           .mul(input.scale)
                           .reshape({group * tile.rows, dim});
  const at::Tensor k = input.k[kv].narrow(0, 0, end).to(at::kFloat);
  const auto options = at::TensorOptions(at::kLong).device(input.q.device());
  const at::Tensor hidden = at::arange(end, options) > at::arange(start, end, options).unsqueeze(1);
  return at::matmul(q, k.t()).view({group, tile.rows, end}).masked_fill_(hidden, kNothing);
}

// bool [group or 1, key tiles] of scores [group, rows, key tiles, keys]: those that are computed.
// A tile that is passed over never raises a row's maximum, so the maximum so far is that of all
// tiles before. A row that has seen nothing so far keeps the first tile it sees, so the tile that
// is visited first needs no rule of its own; tiles above the diagonal are kept by no row.
at::Tensor computed_tiles(const at::Tensor& scores, const SkipRule& rule) {
  at::Tensor most = scores.amax(3);
  if (!rule.ascending) most = most.flip({2});
  const std::int64_t count = most.size(2);
  const at::Tensor before = at::cat({at::full_like(most.narrow(2, 0, 1), kNothing),
                                     std::get<0>(at::cummax(most, 2)).narrow(2, 0, count - 1)},
                                    2);
  at::Tensor keeps = ((most - before) < rule.log_threshold).logical_not();
  keeps.logical_and_(most != kNothing);
  if (!rule.ascending) keeps = keeps.flip({2});
  return rule.group_decides ? keeps.flatten(0, 1).any(0, true) : keeps.any(1);
}

void attend_tile(const AttentionInput& input, std::int64_t kv, const QueryTile& tile,
                 const SkipRule& rule, const at::Tensor& tiles, at::Tensor& out, at::Tensor* lse) {
  at::Tensor scores = scores_of(input, kv, tile);
  const std::int64_t group = scores.size(0), end = scores.size(2);
  const std::int64_t keys = std::min(rule.keys, end), count = (end + keys - 1) / keys;
  scores = at::constant_pad_nd(scores, {0, count * keys - end}, kNothing)
               .view({group, tile.rows, count, keys});
  const at::Tensor computed = computed_tiles(scores, rule);
  if (tiles.defined()) {
    tiles.select(0, 0).add_(computed.sum());
    tiles.select(0, 1).add_(computed.size(0) * count);
  }
  scores = scores.masked_fill(computed.logical_not().unsqueeze(1).unsqueeze(3), kNothing)
               .view({group, tile.rows, count * keys})
               .narrow(2, 0, end);
  const at::Tensor norm = at::logsumexp(scores, {-1}, true);
  const at::Tensor weights = scores.sub(at::where(norm.isinf(), 0.0, norm)).exp_();
  const at::Tensor v = input.v[kv].narrow(0, 0, end).to(at::kFloat);
  const at::Tensor result = at::matmul(weights.view({group * tile.rows, end}), v);
  const auto rows_of = [&](const at::Tensor& x) {
    return x.narrow(0, kv * group, group).narrow(1, tile.first, tile.rows);
  };
  rows_of(out).copy_(result.view({group, tile.rows, -1}));
  if (lse != nullptr) rows_of(*lse).copy_(norm.squeeze(2));
}

}  // namespace

void skip_softmax_attention(const AttentionInput& input, std::span<const int> kv_heads,
                            const SkipRule& rule, const at::Tensor& tiles, at::Tensor& out,
                            at::Tensor* lse) {
  const std::int64_t rows = input.q.size(1);
  for (const int kv : kv_heads) {
    for (std::int64_t first = 0; first < rows; first += rule.rows) {
      attend_tile(input, kv, {first, std::min(rule.rows, rows - first)}, rule, tiles, out, lse);
    }
  }
}

}  // namespace elastic::engine
