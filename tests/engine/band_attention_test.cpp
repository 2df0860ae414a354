#include "engine/attention/band_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "engine/attention/masked_attention.h"

namespace elastic::engine {
namespace {

// The contract of DenseKernel written down with plain operations: heads of a group repeat their KV
// head.
PartialAttention plain_kernel(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              double scale, bool causal) {
  const std::int64_t group = q.size(1) / k.size(1), rows = q.size(2), keys = k.size(2);
  const at::Tensor k_all = k.repeat_interleave(group, 1), v_all = v.repeat_interleave(group, 1);
  at::Tensor scores = at::matmul(q, k_all.transpose(2, 3)).mul(scale);
  if (causal) {
    const at::Tensor last = at::arange(keys - rows, keys).unsqueeze(1);
    scores.masked_fill_(at::arange(keys).unsqueeze(0) > last,
                        -std::numeric_limits<double>::infinity());
  }
  return {at::matmul(at::softmax(scores, -1), v_all), at::logsumexp(scores, {-1})};
}

AttentionInput random_input(std::int64_t q_start, std::int64_t rows) {
  constexpr std::int64_t kQ = 6, kKv = 3, kSize = 16, kSpare = 5;
  return {at::randn({kQ, rows, kSize}), at::randn({kKv, q_start + rows + kSpare, kSize}),
          at::randn({kKv, q_start + rows + kSpare, kSize}), q_start, 0.25};
}

double band_error(const StreamingWindow& window, std::int64_t q_start, std::int64_t rows,
                  const std::vector<int>& kv_heads) {
  const AttentionInput input = random_input(q_start, rows);
  const BlockMask mask = streaming_mask(window, input.span());
  const std::optional<Band> band = find_band(mask, input.span());
  EXPECT_TRUE(band.has_value());
  at::Tensor expected = at::zeros({6, rows, 16}), out = at::zeros({6, rows, 16});
  composed_attention(input, kv_heads, mask, expected);
  band_attention(band.value(), input, kv_heads, plain_kernel, out);
  return (out - expected).abs().max().item<double>();
}

TEST(BandAttention, EqualsTheStreamingMaskAtEveryStartAndLength) {
  const StreamingWindow windows[] = {
      {.sink = 128, .local = 256}, {.sink = 0, .local = 384}, {.sink = 256, .local = 128}};
  for (const StreamingWindow& window : windows) {
    for (const std::int64_t q_start : {0, 128, 640}) {
      for (const std::int64_t rows : {1, 127, 128, 300, 1024, 1111}) {
        EXPECT_LT(band_error(window, q_start, rows, {0, 1, 2}), 1e-5)
            << "sink " << window.sink << " local " << window.local << " start " << q_start
            << " rows " << rows;
      }
    }
  }
}

TEST(BandAttention, WritesOnlyTheHeadsAskedFor) {
  EXPECT_LT(band_error({.sink = 128, .local = 256}, 128, 700, {1}), 1e-5);
  EXPECT_LT(band_error({.sink = 128, .local = 256}, 128, 700, {0, 2}), 1e-5);
}

TEST(BandAttention, CausalAttentionEqualsTheDenseMask) {
  for (const std::int64_t q_start : {0, 3, 200}) {
    const AttentionInput input = random_input(q_start, 150);
    at::Tensor expected = at::zeros({6, 150, 16}), out = at::zeros({6, 150, 16});
    const std::vector<int> heads = {0, 2};
    composed_attention(input, heads, dense_mask(input.span()), expected);
    causal_attention(input, heads, plain_kernel, out);
    EXPECT_LT((out - expected).abs().max().item<double>(), 1e-5);
  }
}

TEST(BandAttention, OtherMasksAreNoBand) {
  const RowSpan span{.q_start = 0, .rows = 1024, .tokens = 1024};
  EXPECT_FALSE(find_band(streaming_mask({.sink = 4, .local = 64, .block = 1}, span), span));
  std::vector<std::uint8_t> visible(64, 0);
  for (std::size_t b = 0; b < 8; ++b) visible[b * 8 + b] = 1;
  visible[7 * 8 + 3] = 1;  // one block of the last row apart from sink and window
  const BlockTable table{visible, 1, 8, 8, kMaskBlock};
  EXPECT_FALSE(find_band(table_mask(table, span), span));
  const RowSpan inside{.q_start = 5, .rows = 100, .tokens = 105};
  EXPECT_FALSE(find_band(streaming_mask({.sink = 128, .local = 128}, inside), inside));
}

}  // namespace
}  // namespace elastic::engine
