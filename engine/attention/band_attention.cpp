#include "engine/attention/band_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/logaddexp.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <vector>

namespace elastic::engine {
namespace {

// The rows of the KV heads asked for and of their query heads: views where the heads are
// consecutive.
struct HeadSlice {
  at::Tensor q, k, v;  // [heads, rows | tokens, head_dim]
  at::Tensor q_heads;  // int64 indices into out; undefined where [first, first + q.size(0)) holds
  std::int64_t first_q = 0;
};

bool are_consecutive(const std::vector<std::int64_t>& heads) {
  return heads.back() - heads.front() + 1 == static_cast<std::int64_t>(heads.size());
}

at::Tensor pick(const at::Tensor& x, const std::vector<std::int64_t>& heads) {
  const auto count = static_cast<std::int64_t>(heads.size());
  if (are_consecutive(heads)) return x.narrow(0, heads.front(), count);
  return x.index_select(0, at::tensor(heads, at::TensorOptions(at::kLong)).to(x.device()));
}

HeadSlice slice_heads(const AttentionInput& input, std::span<const int> kv_heads) {
  const std::int64_t group = input.q.size(0) / input.k.size(0);
  std::vector<std::int64_t> kv(kv_heads.begin(), kv_heads.end()), q;
  for (const std::int64_t head : kv) {
    for (std::int64_t g = 0; g < group; ++g) q.push_back(head * group + g);
  }
  const std::int64_t keys = input.q_start + input.q.size(1);
  HeadSlice slice{pick(input.q, q),
                  pick(input.k.narrow(1, 0, keys), kv),
                  pick(input.v.narrow(1, 0, keys), kv),
                  {},
                  q.front()};
  if (!are_consecutive(q)) {
    slice.q_heads = at::tensor(q, at::TensorOptions(at::kLong)).to(input.q.device());
  }
  return slice;
}

// result [heads, rows, head_dim] into rows [first_row, ...) of out.
void store(const HeadSlice& slice, const at::Tensor& result, std::int64_t first_row,
           at::Tensor& out) {
  at::Tensor rows = out.narrow(1, first_row, result.size(1));
  if (slice.q_heads.defined()) {
    rows.index_copy_(0, slice.q_heads, result.to(out.scalar_type()));
  } else {
    rows.narrow(0, slice.first_q, result.size(0)).copy_(result);
  }
}

// Windows of `window` keys ending where each of `count` consecutive query blocks ends:
// [count, heads, window, head_dim] over x [heads, tokens, head_dim], overlapping, not copied.
at::Tensor windows(const at::Tensor& x, std::int64_t first_key, std::int64_t count,
                   std::int64_t window) {
  return x.narrow(1, first_key, window)
      .as_strided({count, x.size(0), window, x.size(2)},
                  {kMaskBlock * x.stride(1), x.stride(0), x.stride(1), x.stride(2)},
                  x.storage_offset() + first_key * x.stride(1));
}

// `count` query blocks of `rows` rows each, from row `first_row` of the call, whose windows are
// complete.
void attend_band(const Band& band, const AttentionInput& input, const HeadSlice& slice,
                 std::int64_t first_row, std::int64_t count, std::int64_t rows, DenseKernel kernel,
                 at::Tensor& out) {
  const std::int64_t heads = slice.q.size(0), dim = slice.q.size(2), all = count * rows;
  const std::int64_t width = band.window - kMaskBlock + rows;
  const std::int64_t first_key = input.q_start + first_row + rows - width;
  const at::Tensor q = slice.q.narrow(1, first_row, all);  // [heads, count * rows, dim]
  const at::Tensor blocks = q.unflatten(1, {count, rows}).transpose(0, 1);
  PartialAttention local = kernel(blocks, windows(slice.k, first_key, count, width),
                                  windows(slice.v, first_key, count, width), input.scale, true);
  local.out = local.out.transpose(0, 1).reshape({1, heads, all, dim});
  local.lse = local.lse.transpose(0, 1).reshape({1, heads, all});
  if (band.sink > 0) {
    local = merge_attention(
        local, kernel(q.unsqueeze(0), slice.k.narrow(1, 0, band.sink).unsqueeze(0),
                      slice.v.narrow(1, 0, band.sink).unsqueeze(0), input.scale, false));
  }
  store(slice, local.out.squeeze(0), first_row, out);
}

void attend_causal(const AttentionInput& input, const HeadSlice& slice, std::int64_t rows,
                   DenseKernel kernel, at::Tensor& out) {
  const std::int64_t keys = input.q_start + rows;
  const PartialAttention dense =
      kernel(slice.q.narrow(1, 0, rows).unsqueeze(0), slice.k.narrow(1, 0, keys).unsqueeze(0),
             slice.v.narrow(1, 0, keys).unsqueeze(0), input.scale, true);
  store(slice, dense.out.squeeze(0), 0, out);
}

}  // namespace

std::optional<Band> find_band(const BlockMask& mask, const RowSpan& span) {
  if (mask.heads.size() != 1 || mask.token_local > 0 || mask.query_block != kMaskBlock ||
      span.q_start % kMaskBlock != 0) {
    return std::nullopt;
  }
  const HeadMask& head = mask.heads[0];
  Band band;
  band.blocks = static_cast<std::int64_t>(head.offsets.size()) - 1;
  for (std::int64_t b = 0; b < band.blocks; ++b) {
    const auto ranges = head.block(b);
    const std::int64_t start = (mask.first_block + b) * kMaskBlock;
    const std::int64_t end = std::min(start + kMaskBlock, span.q_start + span.rows);
    if (ranges.empty() || ranges.size() > 2 || ranges.back().end != end) return std::nullopt;
    if (ranges.size() == 1 && ranges[0].begin == 0) {
      if (band.dense_blocks != b) return std::nullopt;
      band.dense_blocks = b + 1;
      continue;
    }
    const std::int64_t sink = ranges.size() == 2 ? ranges[0].end : 0;
    const std::int64_t window = start + kMaskBlock - ranges.back().begin;
    if (ranges.size() == 2 && ranges[0].begin != 0) return std::nullopt;
    if (b > band.dense_blocks && (sink != band.sink || window != band.window)) return std::nullopt;
    band.sink = sink;
    band.window = window;
  }
  return band.window % kMaskBlock == 0 ? std::optional(band) : std::nullopt;
}

PartialAttention merge_attention(const PartialAttention& a, const PartialAttention& b) {
  const at::Tensor lse = at::logaddexp(a.lse, b.lse);
  const at::Tensor weight = (a.lse - lse).exp_().unsqueeze(-1);
  const at::Tensor mean = a.out.to(at::kFloat).mul(weight);
  mean.addcmul_(b.out.to(at::kFloat), (b.lse - lse).exp_().unsqueeze(-1));
  return {mean.to(a.out.scalar_type()), lse};
}

void band_attention(const Band& band, const AttentionInput& input, std::span<const int> kv_heads,
                    DenseKernel kernel, at::Tensor& out) {
  const HeadSlice slice = slice_heads(input, kv_heads);
  const std::int64_t rows = input.q.size(1);
  const std::int64_t dense_rows = std::min(band.dense_blocks * kMaskBlock, rows);
  const std::int64_t whole = (rows - dense_rows) / kMaskBlock;
  const std::int64_t rest = (rows - dense_rows) % kMaskBlock;
  if (dense_rows > 0) attend_causal(input, slice, dense_rows, kernel, out);
  if (whole > 0) attend_band(band, input, slice, dense_rows, whole, kMaskBlock, kernel, out);
  if (rest > 0) attend_band(band, input, slice, rows - rest, 1, rest, kernel, out);
}

void causal_attention(const AttentionInput& input, std::span<const int> kv_heads,
                      DenseKernel kernel, at::Tensor& out) {
  attend_causal(input, slice_heads(input, kv_heads), input.q.size(1), kernel, out);
}

}  // namespace elastic::engine
