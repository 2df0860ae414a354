#include "engine/kernels/block_mask.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace elastic::engine {
namespace {

std::string text(std::span<const KeyRange> ranges) {
  std::string out;
  for (const KeyRange& r : ranges) {
    out += "[" + std::to_string(r.begin) + "," + std::to_string(r.end) + ")";
  }
  return out;
}

// Counts by asking is_visible of every pair.
VisibleCount brute_force(const BlockMask& mask, std::int64_t head, const RowSpan& span) {
  VisibleCount count;
  const std::int64_t end = span.q_start + span.rows;
  std::vector<std::vector<bool>> tiles(static_cast<std::size_t>(end / kMaskBlock + 1));
  for (auto& row : tiles) row.assign(tiles.size(), false);
  std::vector<std::vector<bool>> causal = tiles;
  for (std::int64_t p = span.q_start; p < end; ++p) {
    std::int64_t keys = 0;
    for (std::int64_t j = 0; j <= p; ++j) {
      causal[p / kMaskBlock][j / kMaskBlock] = true;
      if (!is_visible(mask, head, p, j)) continue;
      tiles[p / kMaskBlock][j / kMaskBlock] = true;
      ++keys;
    }
    count.pairs += keys;
    count.causal_pairs += p + 1;
    count.last_row_keys = keys;
    count.last_row_causal = p + 1;
  }
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    for (std::size_t j = 0; j < tiles.size(); ++j) {
      count.blocks += tiles[i][j];
      count.causal_blocks += causal[i][j];
    }
  }
  return count;
}

void expect_equal(const VisibleCount& a, const VisibleCount& b) {
  EXPECT_EQ(a.pairs, b.pairs);
  EXPECT_EQ(a.causal_pairs, b.causal_pairs);
  EXPECT_EQ(a.blocks, b.blocks);
  EXPECT_EQ(a.causal_blocks, b.causal_blocks);
  EXPECT_EQ(a.last_row_keys, b.last_row_keys);
  EXPECT_EQ(a.last_row_causal, b.last_row_causal);
}

TEST(BlockMask, StreamingByHand) {
  // Blocks of 128, one sink block, two local blocks (the diagonal one is the second), 600 tokens.
  const BlockMask mask = streaming_mask({.sink = 128, .local = 256}, {.rows = 600, .tokens = 600});
  ASSERT_EQ(mask.heads.size(), 1u);
  ASSERT_EQ(mask.heads[0].offsets.size(), 6u);
  EXPECT_EQ(text(mask.heads[0].block(0)), "[0,128)");
  EXPECT_EQ(text(mask.heads[0].block(1)), "[0,256)");
  EXPECT_EQ(text(mask.heads[0].block(2)), "[0,384)");
  EXPECT_EQ(text(mask.heads[0].block(3)), "[0,128)[256,512)");
  EXPECT_EQ(text(mask.heads[0].block(4)), "[0,128)[384,600)");
  const VisibleCount count = count_visible(mask, 0, {.rows = 600, .tokens = 600});
  EXPECT_EQ(count.causal_pairs, 180300);  // 600 * 601 / 2
  EXPECT_EQ(count.pairs,
            180300 - 128 * 128 - 88 * 256);   // keys 128..255 of block 3, 128..383 of block 4
  EXPECT_EQ(count.causal_blocks, 15);         // 1 + 2 + 3 + 4 + 5
  EXPECT_EQ(count.blocks, 12);                // 1 + 2 + 3 + 3 + 3
  EXPECT_EQ(count.last_row_keys, 128 + 216);  // sink + 384..599
  EXPECT_EQ(count.last_row_causal, 600);
}

TEST(BlockMask, TokenStreamingByHand) {
  // sink 3, local 4: row 9 sees 0, 1, 2 and 6, 7, 8, 9.
  const BlockMask mask =
      streaming_mask({.sink = 3, .local = 4, .block = 1}, {.rows = 10, .tokens = 10});
  std::string row;
  for (int j = 0; j < 10; ++j) row += is_visible(mask, 0, 9, j) ? '1' : '0';
  EXPECT_EQ(row, "1110001111");
  EXPECT_FALSE(is_visible(mask, 0, 4, 5));
  // Rows 0..6 see everything (1 + ... + 7 = 28), rows 7, 8, 9 seven keys each.
  EXPECT_EQ(count_visible(mask, 0, {.rows = 10, .tokens = 10}).pairs, 28 + 21);
}

TEST(BlockMask, BlockRuleOfTheSpecification) {
  // Key block bj is visible to query block bi iff bj < sink blocks or bi - bj < local blocks.
  for (const std::int64_t tokens : {100, 128, 2176, 2177, 4096, 5000}) {
    for (const std::int64_t local_blocks : {8, 16}) {
      const BlockMask mask = streaming_mask({.sink = 128, .local = local_blocks * 128},
                                            {.rows = tokens, .tokens = tokens});
      for (std::int64_t p = 0; p < tokens; p += 61) {
        for (std::int64_t j = 0; j < tokens; j += 37) {
          const std::int64_t bi = p / 128, bj = j / 128;
          const bool wanted = j <= p && (bj < 1 || bi - bj < local_blocks);
          ASSERT_EQ(is_visible(mask, 0, p, j), wanted) << tokens << " p " << p << " j " << j;
        }
      }
      // Dense exactly where sink and local blocks together cover every key.
      EXPECT_EQ(mask.dense, (tokens + 127) / 128 <= local_blocks + 1) << tokens;
    }
  }
}

TEST(BlockMask, SizesRoundUpToBlocks) {
  const RowSpan span{.rows = 1000, .tokens = 1000};
  const BlockMask rounded = streaming_mask({.sink = 1, .local = 129}, span);
  const BlockMask whole = streaming_mask({.sink = 128, .local = 256}, span);
  for (std::int64_t p = 0; p < 1000; p += 13) {
    for (std::int64_t j = 0; j < 1000; j += 7) {
      ASSERT_EQ(is_visible(rounded, 0, p, j), is_visible(whole, 0, p, j));
    }
  }
}

TEST(BlockMask, SlicesSeeWhatTheWholeSees) {
  // Blocks are absolute, so any cut of the rows sees the same keys.
  for (const StreamingWindow& window : {StreamingWindow{.sink = 128, .local = 256},
                                        StreamingWindow{.sink = 5, .local = 70, .block = 1}}) {
    const BlockMask whole = streaming_mask(window, {.rows = 700, .tokens = 700});
    for (const std::int64_t start : {1, 127, 128, 300, 699}) {
      const RowSpan span{start, 700 - start, 700};
      const BlockMask slice = streaming_mask(window, span);
      for (std::int64_t p = start; p < 700; p += 3) {
        for (std::int64_t j = 0; j <= p; ++j) {
          ASSERT_EQ(is_visible(slice, 0, p, j), is_visible(whole, 0, p, j))
              << start << " " << p << " " << j;
        }
      }
    }
  }
}

TEST(BlockMask, CountsEqualBruteForce) {
  const std::vector<RowSpan> spans = {{0, 1, 1},     {0, 100, 100}, {0, 128, 128},
                                      {0, 129, 129}, {0, 500, 500}, {128, 300, 500},
                                      {130, 1, 140}, {77, 200, 300}};
  for (const RowSpan& span : spans) {
    for (const StreamingWindow& window :
         {StreamingWindow{.sink = 0, .local = 1}, StreamingWindow{.sink = 128, .local = 128},
          StreamingWindow{.sink = 128, .local = 256},
          StreamingWindow{.sink = 16, .local = 48, .block = 16},
          StreamingWindow{.sink = 3, .local = 50, .block = 1},
          StreamingWindow{.sink = 0, .local = 1, .block = 1},
          StreamingWindow{.sink = 200, .local = 100, .block = 1}}) {
      const BlockMask mask = streaming_mask(window, span);
      expect_equal(count_visible(mask, 0, span), brute_force(mask, 0, span));
    }
    expect_equal(count_visible(dense_mask(span), 0, span), brute_force(dense_mask(span), 0, span));
  }
}

TEST(BlockMask, TableMasksMergeNeighboursAndDropTheFuture) {
  // 2 heads, 3 x 3 blocks of 64 over 150 tokens; head 1 leaves its second row empty.
  const std::vector<std::uint8_t> visible = {1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0};
  const RowSpan span{.rows = 150, .tokens = 150};
  const BlockMask mask = table_mask(
      {.visible = visible, .heads = 2, .query_blocks = 3, .key_blocks = 3, .block = 64}, span);
  EXPECT_EQ(text(mask.heads[0].block(0)), "[0,64)");
  EXPECT_EQ(text(mask.heads[0].block(1)), "[64,128)");
  EXPECT_EQ(text(mask.heads[0].block(2)), "[0,64)[128,150)");
  EXPECT_EQ(text(mask.heads[1].block(1)), "");
  EXPECT_EQ(text(mask.heads[1].block(2)), "[0,128)");
  for (const int head : {0, 1}) {
    expect_equal(count_visible(mask, head, span), brute_force(mask, head, span));
  }
}

}  // namespace
}  // namespace elastic::engine
