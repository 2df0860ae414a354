#include "engine/kernels/block_mask.h"

#include <gtest/gtest.h>

#include <random>
#include <stdexcept>
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

TEST(BlockMask, DenseByHand) {
  const BlockMask mask = dense_mask({130, 200, 400});
  EXPECT_EQ(mask.query_block, 128);
  EXPECT_EQ(mask.first_block, 1);
  EXPECT_TRUE(mask.dense);
  EXPECT_EQ(mask.token_local, 0);
  ASSERT_EQ(mask.heads.size(), 1u);
  ASSERT_EQ(mask.heads[0].offsets, (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(text(mask.heads[0].block(0)), "[0,256)");
  EXPECT_EQ(text(mask.heads[0].block(1)), "[0,330)");
}

// A block's ranges hold what any of its rows sees; sink and window that touch are one range.
TEST(BlockMask, TokenWindowsAreRangesOfTheirBlocks) {
  const auto ranges = [](const StreamingWindow& window, const RowSpan& span) {
    const BlockMask mask = streaming_mask(window, span);
    std::string all;
    for (std::size_t b = 0; b + 1 < mask.heads[0].offsets.size(); ++b) {
      all += text(mask.heads[0].block(static_cast<std::int64_t>(b))) + " ";
    }
    return all;
  };
  const StreamingWindow window{.sink = 3, .local = 4, .block = 1};
  EXPECT_EQ(ranges(window, {0, 300, 300}), "[0,128) [0,3)[125,256) [0,3)[253,300) ");
  EXPECT_EQ(ranges(window, {140, 60, 210}), "[0,3)[137,200) ");
  EXPECT_EQ(ranges({.sink = 0, .local = 4, .block = 1}, {140, 60, 210}), "[137,200) ");
  EXPECT_EQ(ranges({.sink = 137, .local = 4, .block = 1}, {140, 60, 210}), "[0,200) ");
  EXPECT_EQ(ranges({.sink = 136, .local = 4, .block = 1}, {140, 60, 210}), "[0,136)[137,200) ");
}

TEST(BlockMask, AWindowAsLongAsTheRowsIsDense) {
  for (const std::int64_t local : {299, 300, 301}) {
    const BlockMask mask = streaming_mask({.sink = 5, .local = local, .block = 1}, {0, 300, 400});
    EXPECT_EQ(mask.dense, local >= 300);
    EXPECT_EQ(mask.token_local, local >= 300 ? 0 : local);
    EXPECT_EQ(mask.token_sink, local >= 300 ? 0 : 5);
  }
}

// Ranges ascend, are apart, hold something and end where the block's last row does.
void expect_tidy(const BlockMask& mask, const RowSpan& span) {
  const std::int64_t end = span.q_start + span.rows;
  const std::int64_t blocks = (end - 1) / mask.query_block - span.q_start / mask.query_block + 1;
  EXPECT_EQ(mask.first_block, span.q_start / mask.query_block);
  for (const HeadMask& head : mask.heads) {
    ASSERT_EQ(static_cast<std::int64_t>(head.offsets.size()), blocks + 1);
    for (std::int64_t b = 0; b < blocks; ++b) {
      std::int64_t last = -1;
      for (const KeyRange& range : head.block(b)) {
        EXPECT_LT(last, range.begin);
        EXPECT_LT(range.begin, range.end);
        EXPECT_LE(range.end, std::min((mask.first_block + b + 1) * mask.query_block, end));
        last = range.end;
      }
    }
  }
}

RowSpan random_span(std::mt19937& random) {
  const auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(random() % n); };
  const std::int64_t start = below(2) * below(300), rows = 1 + below(300);
  return {start, rows, start + rows + below(50)};
}

// With block 1 the rule of blocks is the rule of tokens.
TEST(BlockMask, RandomWindowsFollowTheRule) {
  std::mt19937 random(7);
  for (int i = 0; i < 90; ++i) {
    const RowSpan span = random_span(random);
    const std::int64_t block = std::vector<std::int64_t>{1, 16, 128}[i % 3];
    const StreamingWindow w{.sink = static_cast<std::int64_t>(i % 4 == 0 ? 0 : random() % 300),
                            .local = static_cast<std::int64_t>(1 + random() % 300),
                            .block = block};
    SCOPED_TRACE(std::to_string(w.sink) + " " + std::to_string(w.local) + " / " +
                 std::to_string(block) + " rows " + std::to_string(span.q_start) + "+" +
                 std::to_string(span.rows));
    const BlockMask mask = streaming_mask(w, span);
    const std::int64_t end = span.q_start + span.rows;
    bool all = true;
    for (std::int64_t p = span.q_start; p < end; ++p) {
      for (std::int64_t j = 0; j < span.tokens; ++j) {
        const bool near = p / block - j / block < (w.local + block - 1) / block;
        const bool wanted = j <= p && (j / block < (w.sink + block - 1) / block || near);
        ASSERT_EQ(is_visible(mask, 0, p, j), wanted) << p << " " << j;
        all &= wanted || j > p;
      }
    }
    EXPECT_EQ(mask.dense, block == 1 ? w.local >= end : all);
    expect_tidy(mask, span);
    expect_equal(count_visible(mask, 0, span), brute_force(mask, 0, span));
  }
}

TEST(BlockMask, RandomTablesShowWhatTheyHold) {
  std::mt19937 random(11);
  for (int i = 0; i < 60; ++i) {
    const RowSpan span = random_span(random);
    const std::int64_t block = std::vector<std::int64_t>{16, 64, 96, 128, 192, 256}[i % 6];
    const std::int64_t first = span.q_start / block, heads = 1 + i % 3;
    const std::int64_t rows = (span.q_start + span.rows - 1) / block - first + 1;
    const std::int64_t keys = (span.tokens + block - 1) / block;
    std::vector<std::uint8_t> visible(static_cast<std::size_t>(heads * rows * keys));
    for (std::uint8_t& v : visible) v = random() % 2;
    const BlockMask mask = table_mask({visible, heads, rows, keys, block}, span);
    ASSERT_EQ(static_cast<std::int64_t>(mask.heads.size()), heads);
    EXPECT_FALSE(mask.dense);
    expect_tidy(mask, span);
    for (std::int64_t h = 0; h < heads; ++h) {
      for (std::int64_t p = span.q_start; p < span.q_start + span.rows; ++p) {
        for (std::int64_t j = 0; j < span.tokens; ++j) {
          const std::int64_t at = (h * rows + p / block - first) * keys + j / block;
          ASSERT_EQ(is_visible(mask, h, p, j), j <= p && visible[static_cast<std::size_t>(at)] != 0)
              << h << " " << p << " " << j << " block " << block;
        }
      }
      expect_equal(count_visible(mask, h, span), brute_force(mask, h, span));
    }
  }
}

// A block of keys that begins where the rows end leaves no empty range.
TEST(BlockMask, TheFutureLeavesNoRange) {
  const std::vector<std::uint8_t> visible = {0, 1, 1, 1};
  const RowSpan span{.rows = 128, .tokens = 128};
  const BlockMask mask = table_mask({visible, 1, 2, 2, 64}, span);
  EXPECT_EQ(mask.heads[0].offsets, (std::vector<std::int64_t>{0, 0, 1}));
  EXPECT_EQ(text(mask.heads[0].block(1)), "[0,128)");
}

TEST(BlockMask, NoRowsHaveNoBlocks) {
  const RowSpan none{.q_start = 130, .rows = 0, .tokens = 130};
  for (const BlockMask& mask : {dense_mask(none), streaming_mask({}, none),
                                streaming_mask({.sink = 3, .local = 4, .block = 1}, none),
                                table_mask({.heads = 1, .key_blocks = 2}, none)}) {
    ASSERT_EQ(mask.heads.size(), 1u);
    EXPECT_EQ(mask.heads[0].offsets, (std::vector<std::int64_t>{0}));
    expect_equal(count_visible(mask, 0, none), {});
  }
}

TEST(BlockMask, RowsAndTablesThatDoNotFitAreRefused) {
  for (const RowSpan& span : {RowSpan{-1, 2, 5}, RowSpan{5, -1, 5}, RowSpan{3, 3, 5}}) {
    EXPECT_THROW(dense_mask(span), std::logic_error) << span.q_start << "+" << span.rows;
  }
  EXPECT_NO_THROW(dense_mask({3, 2, 5}));
  const std::vector<std::uint8_t> visible(12, 1);
  const RowSpan span{.rows = 128, .tokens = 128};
  EXPECT_NO_THROW(table_mask({visible, 3, 2, 2, 64}, span));
  EXPECT_THROW(table_mask({visible, 2, 3, 2, 64}, span), std::logic_error);
  EXPECT_THROW(table_mask({visible, 2, 2, 2, 64}, span), std::logic_error);
  EXPECT_THROW(table_mask({visible, 3, 2, 3, 64}, span), std::logic_error);
}

}  // namespace
}  // namespace elastic::engine
