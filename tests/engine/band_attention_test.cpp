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
#include <string>
#include <vector>

#include "engine/attention/masked_attention.h"

namespace elastic::engine {
namespace {

// The contract of DenseKernel written down with plain operations:
// heads of a group repeat their KV head.
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

// Ranges of every block of a span from row 0; blocks of 128.
using Ranges = std::vector<std::vector<KeyRange>>;

BlockMask mask_with(const Ranges& blocks) {
  BlockMask mask;
  mask.heads.push_back({.ranges = {}, .offsets = {0}});
  for (const std::vector<KeyRange>& block : blocks) {
    HeadMask& head = mask.heads[0];
    head.ranges.insert(head.ranges.end(), block.begin(), block.end());
    head.offsets.push_back(static_cast<std::int64_t>(head.ranges.size()));
  }
  return mask;
}

std::optional<Band> band_of(const Ranges& blocks) {
  const auto rows = static_cast<std::int64_t>(blocks.size()) * 128;
  return find_band(mask_with(blocks), {.q_start = 0, .rows = rows, .tokens = rows});
}

TEST(BandAttention, BandsByHand) {
  const std::optional<Band> band =
      band_of({{{0, 128}}, {{0, 256}}, {{0, 1}, {128, 384}}, {{0, 1}, {256, 512}}});
  ASSERT_TRUE(band);
  EXPECT_EQ(band->blocks, 4);
  EXPECT_EQ(band->dense_blocks, 2);
  EXPECT_EQ(band->sink, 1);
  EXPECT_EQ(band->window, 256);
  const std::optional<Band> bare = band_of({{{0, 128}}, {{128, 256}}, {{256, 384}}});
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->dense_blocks, 1);
  EXPECT_EQ(bare->sink, 0);
  EXPECT_EQ(bare->window, 128);
}

TEST(BandAttention, ShapesBesideABandAreNone) {
  const std::vector<std::pair<const char*, Ranges>> rows = {
      {"an empty block", {{{0, 128}}, {}}},
      {"three ranges", {{{0, 128}}, {{0, 64}, {70, 80}, {128, 256}}}},
      {"no diagonal", {{{0, 128}}, {{0, 128}}}},
      {"no diagonal behind a sink", {{{0, 128}}, {{0, 256}}, {{0, 10}, {128, 256}}}},
      {"dense behind a window", {{{0, 128}}, {{128, 256}}, {{0, 384}}}},
      {"no sink at 0", {{{0, 128}}, {{0, 256}}, {{64, 128}, {256, 384}}}},
      {"another sink", {{{0, 128}}, {{0, 1}, {128, 256}}, {{0, 2}, {256, 384}}}},
      {"another window", {{{0, 128}}, {{0, 256}}, {{0, 1}, {128, 384}}, {{0, 1}, {384, 512}}}},
      {"half a block of window", {{{0, 128}}, {{64, 256}}}}};
  for (const auto& [what, blocks] : rows) EXPECT_FALSE(band_of(blocks)) << what;

  const RowSpan span{.q_start = 0, .rows = 64, .tokens = 64};
  EXPECT_TRUE(find_band(dense_mask(span), span));
  BlockMask two = dense_mask(span), tokens = dense_mask(span), half = dense_mask(span);
  two.heads.push_back(two.heads[0]);
  tokens.token_local = 1;
  half.query_block = 64;
  for (const BlockMask& mask : {two, tokens, half}) EXPECT_FALSE(find_band(mask, span));
}

// What the kernel is asked: views of the keys that the heads need, and no call for nothing.
struct KernelCall {
  std::int64_t batch = 0, heads = 0, rows = 0, keys = 0;
  bool causal = false, is_view = false;
};
std::vector<KernelCall> kernel_calls;
const AttentionInput* kernel_input = nullptr;

PartialAttention noting_kernel(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                               double scale, bool causal) {
  kernel_calls.push_back({q.size(0), q.size(1), q.size(2), k.size(2), causal,
                          q.is_alias_of(kernel_input->q) && k.is_alias_of(kernel_input->k) &&
                              v.is_alias_of(kernel_input->v)});
  return plain_kernel(q, k, v, scale, causal);
}

std::string calls_of(const Band& band, std::int64_t q_start, std::int64_t rows,
                     const std::vector<int>& kv_heads) {
  const AttentionInput input = random_input(q_start, rows);
  at::Tensor out = at::zeros({6, rows, 16});
  kernel_calls.clear();
  kernel_input = &input;
  band_attention(band, input, kv_heads, noting_kernel, out);
  std::string text;
  for (const KernelCall& call : kernel_calls) {
    for (const std::int64_t n : {call.batch, call.heads, call.rows, call.keys}) {
      text += std::to_string(n) + " ";
    }
    text += std::string(call.causal ? "causal" : "all") + (call.is_view ? " view" : "") + "; ";
  }
  return text;
}

TEST(BandAttention, AsksItsKernelForEachRectangleOnce) {
  const Band plain{.blocks = 3, .dense_blocks = 1, .sink = 0, .window = 128};
  EXPECT_EQ(calls_of(plain, 0, 300, {0, 1, 2}),
            "1 6 128 128 causal view; 1 6 128 128 causal view; 1 6 44 44 causal view; ");
  EXPECT_EQ(calls_of(plain, 0, 128, {1, 2}), "1 4 128 128 causal view; ");
  EXPECT_EQ(calls_of(plain, 0, 256, {1}), "1 2 128 128 causal view; 1 2 128 128 causal view; ");
  EXPECT_EQ(calls_of(plain, 0, 129, {0, 2}), "1 4 128 128 causal; 1 4 1 1 causal; ");
  const Band sink{.blocks = 3, .dense_blocks = 0, .sink = 1, .window = 256};
  EXPECT_EQ(calls_of(sink, 512, 256, {0}), "2 2 128 256 causal view; 1 2 256 1 all view; ");
}

// A sink of a single key, and a window that does not touch it.
TEST(BandAttention, ASinkMayBeOneKey) {
  const Ranges blocks = {{{0, 128}}, {{0, 1}, {128, 256}}, {{0, 1}, {256, 384}}};
  const AttentionInput input = random_input(0, 384);
  const BlockMask mask = mask_with(blocks);
  at::Tensor expected = at::zeros({6, 384, 16}), out = at::zeros({6, 384, 16});
  const std::vector<int> heads = {0, 1, 2};
  composed_attention(input, heads, mask, expected);
  band_attention(find_band(mask, input.span()).value(), input, heads, plain_kernel, out);
  EXPECT_LT((out - expected).abs().max().item<double>(), 1e-5);
}

}  // namespace
}  // namespace elastic::engine
