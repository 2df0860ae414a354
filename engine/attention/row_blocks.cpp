#include "engine/attention/row_blocks.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include "base/error.h"
#include "engine/attention/ranking.h"

namespace elastic::engine {
namespace {

// Numbers held at a time: few stay near the caches of a CPU, many keep a GPU at work.
constexpr std::int64_t kScoresOnCpu = std::int64_t{1} << 20, kScores = std::int64_t{1} << 24;

void append(const HeadMask& more, HeadMask& head) {
  const auto base = static_cast<std::int64_t>(head.ranges.size());
  head.ranges.insert(head.ranges.end(), more.ranges.begin(), more.ranges.end());
  for (std::size_t b = 1; b < more.offsets.size(); ++b) {
    head.offsets.push_back(base + more.offsets[b]);
  }
}

}  // namespace

void extend_means(const at::Tensor& keys, const KeyWindows& windows, at::Tensor& means) {
  const std::int64_t have = means.defined() ? means.size(1) : 0, all = windows.within(keys.size(1));
  if (means.defined() && have == all) return;
  if (all == 0) {
    means = keys.new_zeros({keys.size(0), 0, keys.size(2)}, keys.options().dtype(at::kFloat));
    return;
  }
  const std::int64_t begin = have * windows.stride;
  const at::Tensor fresh = keys.narrow(1, begin, keys.size(1) - begin)
                               .to(at::kFloat)
                               .unfold(1, windows.size, windows.stride)
                               .mean(3);
  means = have == 0 ? fresh : at::cat({means, fresh}, 1);
}

at::Tensor up_to(const at::Tensor& means, const KeyWindows& windows, const RowSpan& rows) {
  const std::int64_t ended = windows.within(rows.q_start + rows.rows);
  return means.narrow(2, 0, std::min(means.size(2), ended));
}

at::Tensor row_positions(const RowSpan& rows, at::Device device) {
  return at::arange(rows.q_start, rows.q_start + rows.rows,
                    at::TensorOptions(at::kLong).device(device))
      .unsqueeze(1);
}

at::Tensor grouped_queries(const AttentionInput& input, const at::Tensor& kv_heads,
                           const RowSpan& rows, double scale) {
  return input.q.narrow(1, rows.q_start - input.q_start, rows.rows)
      .to(at::kFloat)
      .mul(scale)
      .reshape({input.k.size(0), -1, rows.rows, input.q.size(2)})
      .index_select(0, kv_heads)
      .flatten(1, 2);
}

at::Tensor best_blocks(const at::Tensor& scores, const BlockRule& rule, const RowSpan& rows) {
  const at::Tensor own = row_positions(rows, scores.device()).div(rule.block, "floor");
  const at::Tensor block = at::arange(scores.size(2), own.options());
  const at::Tensor causal = block <= own;
  const at::Tensor always =
      causal.logical_and(own - block < rule.nearby).logical_or(block < rule.init);
  scores.masked_fill_(causal.logical_not(), -kInfinity).masked_fill_(always, kInfinity);
  return best_of_rows(scores, rule.topk).logical_and_(causal);
}

void check_multiple(const ModeOptions& options, std::string_view large, std::int64_t large_value,
                    std::string_view small, std::int64_t small_value) {
  if (large_value % small_value == 0) return;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("mode `{}`: {}={} is not a multiple of {}={}", options.text(), large,
                          large_value, small, small_value));
}

BlockMask mask_by_rows(const AttentionInput& input, std::int64_t scores_per_row, std::int64_t block,
                       std::int64_t share,
                       const std::function<at::Tensor(const RowSpan& rows)>& choose) {
  const RowSpan span = input.span();
  BlockMask mask{.query_block = 1, .first_block = span.q_start};
  const std::int64_t budget = input.q.is_cpu() ? kScoresOnCpu : kScores;
  const std::int64_t step = std::max<std::int64_t>(1, budget / scores_per_row);
  for (std::int64_t first = 0; first < span.rows; first += step) {
    const RowSpan rows{span.q_start + first, std::min(step, span.rows - first), span.tokens};
    const at::Tensor keep = choose(rows).to(at::kCPU, at::kByte).contiguous();
    const std::span visible(keep.const_data_ptr<std::uint8_t>(),
                            static_cast<std::size_t>(keep.numel()));
    BlockMask part =
        table_mask({visible, keep.size(0), keep.size(1), keep.size(2), block, 1}, rows);
    if (first == 0) {
      mask.heads = std::move(part.heads);
      continue;
    }
    for (std::size_t h = 0; h < mask.heads.size(); ++h) append(part.heads[h], mask.heads[h]);
  }
  mask.share = share;
  return mask;
}

}  // namespace elastic::engine
