#include "engine/attention/sparsity.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace elastic::engine {
namespace {

// Groups of a layer with `full` full KV heads and `sparse` streaming ones.
HeadGroups layer_groups(int full, int sparse, const StreamingWindow& window, const RowSpan& span) {
  HeadGroups groups;
  if (full > 0) groups.groups.push_back({0, every_head(full), dense_mask(span), {}});
  std::vector<int> heads = every_head(sparse);
  for (int& head : heads) head += full;
  if (sparse > 0) groups.groups.push_back({1, heads, streaming_mask(window, span), {}});
  return groups;
}

TEST(Sparsity, ModelSparsityCountsIntegers) {
  EXPECT_DOUBLE_EQ(model_sparsity(std::vector<std::string>{"1110", "0100", "0000"}), 4.0 / 12);
  EXPECT_DOUBLE_EQ(model_sparsity(std::vector<std::string>{"11", "11"}), 1);
  EXPECT_DOUBLE_EQ(model_sparsity(std::vector<std::string>{"1"}), 1);
  EXPECT_DOUBLE_EQ(model_sparsity(std::vector<std::string>{}), 0);
}

TEST(Sparsity, OneLayerByHand) {
  // 600 tokens, sink 128, local 256: a streaming head sees 141388 of 180300 pairs, 12 of 15 tiles
  // and, in the last row, 344 of 600 keys (block_mask_test).
  // One of four KV heads streams; three are full.
  const RowSpan span{.rows = 600, .tokens = 600};
  SparsityMeter meter(1, 2);
  meter.add(0, layer_groups(3, 1, {.sink = 128, .local = 256}, span), span);
  Trace trace{.routing = {"0001"}};
  meter.fill(trace);
  EXPECT_DOUBLE_EQ(trace.msr, 0.25);
  EXPECT_NEAR(trace.esr.last_query, 0.25 * (1 - 344.0 / 600), 1e-15);
  EXPECT_NEAR(trace.esr.last_layer, 0.25 * (1 - 141388.0 / 180300), 1e-15);
  EXPECT_NEAR(trace.esr.all_layers, 0.25 * (1 - 141388.0 / 180300), 1e-15);
  EXPECT_NEAR(trace.block_density, (3 * 15 + 12) / 60.0, 1e-15);
}

TEST(Sparsity, LastLayerAndAllLayersDiffer) {
  // Layer 0: both KV heads stream; layer 1 (the last): none.
  const RowSpan span{.rows = 600, .tokens = 600};
  SparsityMeter meter(2, 1);
  meter.add(0, layer_groups(0, 2, {.sink = 128, .local = 256}, span), span);
  meter.add(1, layer_groups(2, 0, {}, span), span);
  Trace trace{.routing = {"11", "00"}};
  meter.fill(trace);
  EXPECT_DOUBLE_EQ(trace.msr, 0.5);
  EXPECT_DOUBLE_EQ(trace.esr.last_query, 0);
  EXPECT_DOUBLE_EQ(trace.esr.last_layer, 0);
  EXPECT_NEAR(trace.esr.all_layers, 0.5 * (1 - 141388.0 / 180300), 1e-15);
  EXPECT_NEAR(trace.block_density, (2 * 12 + 2 * 15) / 60.0, 1e-15);
}

// Backends count after the meter was told of a call.
TEST(Sparsity, TilesOfAllCallsAddUp) {
  const RowSpan span{.rows = 200, .tokens = 200};
  SparsityMeter meter(1, 1);
  for (const std::int64_t computed : {3, 6}) {
    HeadGroups groups = layer_groups(2, 0, {}, span);
    groups.tiles = at::tensor(std::vector<std::int64_t>{0, 0});
    meter.add(0, groups, span);
    groups.tiles.add_(at::tensor(std::vector<std::int64_t>{computed, 8}));
  }
  Trace trace{.routing = {"00"}};
  EXPECT_THROW(meter.fill(trace), std::logic_error) << "not settled";
  meter.settle(std::vector<HeadDecision>{{.is_sparse = {0, 0}}});
  meter.fill(trace);
  ASSERT_TRUE(trace.pv_density);
  EXPECT_DOUBLE_EQ(*trace.pv_density, 9.0 / 16);
  EXPECT_EQ(trace.block_density, 1);
}

TEST(Sparsity, PaperRatioAtTheLastQuery) {
  // Token-granular sink 128, local 1024 at 8192 tokens: 1 - 1152 / 8192 of each streaming head.
  const RowSpan span{.rows = 8192, .tokens = 8192};
  SparsityMeter meter(1, 4);
  meter.add(0, layer_groups(2, 6, {.sink = 128, .local = 1024, .block = 1}, span), span);
  Trace trace{.routing = {"00111111"}};
  meter.fill(trace);
  EXPECT_NEAR(trace.esr.last_query, 0.75 * (1 - 1152.0 / 8192), 1e-12);
}

TEST(Sparsity, RowSlicesAddUp) {
  const StreamingWindow window{.sink = 128, .local = 256};
  const RowSpan whole{.rows = 901, .tokens = 901};
  SparsityMeter once(1, 2), sliced(1, 2);
  once.add(0, layer_groups(1, 3, window, whole), whole);
  for (const RowSpan& span :
       {RowSpan{0, 256, 901}, RowSpan{256, 512, 901}, RowSpan{768, 133, 901}}) {
    sliced.add(0, layer_groups(1, 3, window, span), span);
  }
  Trace a{.routing = {"0111"}}, b{.routing = {"0111"}};
  once.fill(a);
  sliced.fill(b);
  EXPECT_DOUBLE_EQ(a.esr.last_query, b.esr.last_query);
  EXPECT_DOUBLE_EQ(a.esr.last_layer, b.esr.last_layer);
  EXPECT_DOUBLE_EQ(a.block_density, b.block_density);
}

TEST(Sparsity, ShortPromptsPruneNothing) {
  const RowSpan span{.rows = 100, .tokens = 100};
  SparsityMeter meter(1, 2);
  meter.add(0, layer_groups(0, 4, {}, span), span);
  Trace trace{.routing = {"1111"}};
  meter.fill(trace);
  EXPECT_DOUBLE_EQ(trace.msr, 1);
  EXPECT_DOUBLE_EQ(trace.esr.last_query, 0);
  EXPECT_DOUBLE_EQ(trace.esr.all_layers, 0);
  EXPECT_DOUBLE_EQ(trace.block_density, 1);
}

// Masks of their own are counted head by head: 2, 1, 1 and 1 blocks of 128, four on the diagonal.
TEST(Sparsity, MasksPerHeadAreCountedEach) {
  const std::vector<std::uint8_t> visible = {1, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1};
  const RowSpan span{.rows = 256, .tokens = 256};
  SparsityMeter meter(1, 2);
  meter.add(0, {{{0, {0, 1}, table_mask({visible, 4, 2, 2, 128}, span), {}}}, {}}, span);
  Trace trace;
  meter.fill(trace);
  const double triangle = 128 * 129 / 2.0, square = 128 * 128;
  EXPECT_DOUBLE_EQ(trace.esr.all_layers, 1 - (4 * triangle + square) / (4 * 256 * 257 / 2.0));
  EXPECT_DOUBLE_EQ(trace.esr.last_query, 1 - 3 * 128. / (4 * 256));
  EXPECT_DOUBLE_EQ(trace.block_density, 5. / 12);
}

// Heads that the device decided and blocks that it estimated are counted as the host's are.
TEST(Sparsity, WhatTheDeviceKnowsIsCountedLikeTheHosts) {
  std::mt19937 random(3);
  for (const std::int64_t side : {16, 64, 128}) {
    for (const RowSpan& span : {RowSpan{0, 300, 300}, RowSpan{256, 256, 512}, RowSpan{64, 1, 65},
                                RowSpan{192, 333, 530}}) {
      if (span.q_start % side != 0) continue;
      const std::int64_t first = span.q_start / side,
                         end = (span.q_start + span.rows - 1) / side + 1;
      std::vector<std::uint8_t> table;
      for (int h = 0; h < 6; ++h) {
        for (std::int64_t b = first; b < end; ++b) {
          for (std::int64_t key = 0; key < end; ++key)
            table.push_back(key <= b && random() % 2 == 0);
        }
      }
      const at::Tensor keep =
          at::tensor(table, at::kByte).view({6, end - first, end}).to(at::kBool);
      HeadDecision decision;
      decision.is_sparse = {1, 0, 1};
      SparsityMeter device(1, 2), host(1, 2);
      const at::Tensor decided = at::tensor(decision.is_sparse, at::kByte);
      device.add(
          0, {{{0, {0, 1, 2}, dense_mask(span), {}}, {1, {0, 1, 2}, {}, {keep, side}}}, decided},
          span);
      const at::Tensor chosen = at::cat({keep.narrow(0, 0, 2), keep.narrow(0, 4, 2)});
      host.add(
          0, {{{0, {1}, dense_mask(span), {}}, {1, {0, 2}, mask_of({chosen, side}, span), {}}}, {}},
          span);
      device.settle({&decision, 1});
      Trace a, b;
      device.fill(a);
      host.fill(b);
      EXPECT_DOUBLE_EQ(a.esr.all_layers, b.esr.all_layers) << side << " " << span.q_start;
      EXPECT_DOUBLE_EQ(a.esr.last_query, b.esr.last_query) << side << " " << span.q_start;
      EXPECT_DOUBLE_EQ(a.block_density, b.block_density) << side << " " << span.q_start;
    }
  }
}

// Bit rows as kernels leave them: of all query heads, garbage in those that nobody asked for.
TEST(Sparsity, BitRowsAreCountedLikeTables) {
  std::mt19937 random(5);
  for (const RowSpan& span : {RowSpan{0, 300, 300}, RowSpan{256, 9000, 9256}}) {
    const std::int64_t first = span.q_start / 128, end = (span.q_start + span.rows - 1) / 128 + 1;
    const std::int64_t blocks = end - first, words = (end + 31) / 32;
    const std::vector<int> heads = {0, 1, 4, 5};
    std::vector<std::uint8_t> table;
    std::vector<std::int32_t> bits(static_cast<std::size_t>(6 * blocks * words), -1);
    std::vector<std::int32_t> counts(static_cast<std::size_t>(6 * blocks), -1);
    for (const int head : heads) {
      for (std::int64_t b = 0; b < blocks; ++b) {
        const std::int64_t row = head * blocks + b, own = first + b;
        std::int32_t& count = counts[static_cast<std::size_t>(row)] = 0;
        std::fill_n(bits.begin() + row * words, words, 0);
        for (std::int64_t key = 0; key < end; ++key) {
          const bool keep = key == own || (key < own && random() % 2 == 0);
          table.push_back(keep ? 1 : 0);
          if (!keep) continue;
          ++count;
          bits[static_cast<std::size_t>(row * words + key / 32)] |=
              static_cast<std::int32_t>(std::uint32_t{1} << key % 32);
        }
      }
    }
    const BlockChoice listed{at::tensor(table, at::kByte).view({4, blocks, end}).to(at::kBool),
                             128};
    BlockChoice rows{.keep = {}, .block = 128};
    rows.bits = at::tensor(bits, at::kInt).view({6, blocks, words});
    rows.counts = at::tensor(counts, at::kInt).view({6, blocks});
    rows.heads = heads;
    rows.key_blocks = end;
    EXPECT_TRUE(rows.table().equal(listed.keep));
    HeadDecision decision;
    decision.is_sparse = {1, 0, 1};
    std::vector<Trace> traces(2);
    for (std::size_t i = 0; i < 2; ++i) {
      SparsityMeter meter(1, 2);
      const BlockChoice& choice = i == 0 ? listed : rows;
      meter.add(0, {{{0, {1}, dense_mask(span), {}}, {1, {0, 2}, {}, choice}}, {}}, span);
      meter.settle({&decision, 1});
      meter.fill(traces[i]);
    }
    EXPECT_DOUBLE_EQ(traces[0].esr.all_layers, traces[1].esr.all_layers);
    EXPECT_DOUBLE_EQ(traces[0].esr.last_query, traces[1].esr.last_query);
    EXPECT_DOUBLE_EQ(traces[0].block_density, traces[1].block_density);
  }
}

TEST(Sparsity, SlicesOnTheDeviceAddUp) {
  const StreamingWindow window{.sink = 128, .local = 256};
  const RowSpan whole{.rows = 901, .tokens = 901};
  HeadDecision decision;
  decision.is_sparse = {0, 1, 1};
  const auto groups = [&](const RowSpan& span) {
    return HeadGroups{
        {{0, {0, 1, 2}, dense_mask(span), {}}, {1, {0, 1, 2}, streaming_mask(window, span), {}}},
        at::tensor(decision.is_sparse, at::kByte)};
  };
  SparsityMeter once(1, 2), sliced(1, 2);
  once.add(0, layer_groups(1, 2, window, whole), whole);
  for (const RowSpan& span :
       {RowSpan{0, 256, 901}, RowSpan{256, 512, 901}, RowSpan{768, 133, 901}}) {
    sliced.add(0, groups(span), span);
  }
  Trace a, b;
  EXPECT_THROW(sliced.fill(b), std::logic_error) << "nothing is settled";
  sliced.settle({&decision, 1});
  once.fill(a);
  sliced.fill(b);
  EXPECT_DOUBLE_EQ(a.esr.last_query, b.esr.last_query);
  EXPECT_DOUBLE_EQ(a.esr.last_layer, b.esr.last_layer);
  EXPECT_DOUBLE_EQ(a.block_density, b.block_density);
}

TEST(Sparsity, NothingCountedIsNothingPruned) {
  for (const std::int64_t layers : {0, 2}) {
    Trace trace;
    trace.esr = {.last_query = 7, .last_layer = 7, .all_layers = 7};
    SparsityMeter(layers, 1).fill(trace);
    EXPECT_EQ(trace.esr.all_layers, 0);
    EXPECT_EQ(trace.block_density, 1);
    EXPECT_EQ(trace.esr.last_layer, layers == 0 ? 7 : 0);
    EXPECT_EQ(trace.esr.last_query, layers == 0 ? 7 : 0);
  }
}

TEST(Sparsity, LayersBeyondTheModelAreRefused) {
  SparsityMeter meter(2, 1);
  for (const std::int64_t layer : {-1, 2}) {
    EXPECT_THROW(meter.add(layer, {}, {}), std::logic_error);
  }
  EXPECT_NO_THROW(meter.add(0, {}, {}));
}

}  // namespace
}  // namespace elastic::engine
