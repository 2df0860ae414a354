#include "engine/kernels/block_mask.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace elastic::engine {
namespace {

// Blocks of `query_block` rows that the rows of `span` touch: [first, last).
struct BlockSpan {
  std::int64_t first = 0, last = 0;
};

BlockSpan blocks_of(const RowSpan& span, std::int64_t query_block) {
  check(span.rows >= 0 && span.q_start >= 0 && span.q_start + span.rows <= span.tokens,
        "query rows lie inside the cached tokens");
  const std::int64_t first = span.q_start / query_block;
  if (span.rows == 0) return {first, first};
  return {first, (span.q_start + span.rows - 1) / query_block + 1};
}

// An empty mask for `span` whose `heads` heads have no ranges yet.
BlockMask start_mask(const RowSpan& span, std::int64_t query_block, std::int64_t heads) {
  BlockMask mask{.query_block = query_block, .first_block = span.q_start / query_block};
  mask.heads.assign(static_cast<std::size_t>(heads), HeadMask{.ranges = {}, .offsets = {0}});
  return mask;
}

void close_block(HeadMask& head) {
  head.offsets.push_back(static_cast<std::int64_t>(head.ranges.size()));
}

// A block that sees the keys [0, sink) and [local, end): false where that leaves out some.
bool close_window_block(HeadMask& head, std::int64_t sink, std::int64_t local, std::int64_t end) {
  const bool all = sink >= local;
  if (all) {
    head.ranges.push_back({0, end});
  } else {
    if (sink > 0) head.ranges.push_back({0, sink});
    head.ranges.push_back({local, end});
  }
  close_block(head);
  return all;
}

// Sum over rows p in [first, last) of the keys j <= p of one range.
std::int64_t causal_pairs(const KeyRange& range, std::int64_t first, std::int64_t last) {
  const std::int64_t begin = std::max(first, range.begin);
  const std::int64_t full = std::clamp(range.end - 1, begin, std::max(begin, last));
  // Rows [begin, full) see p + 1 - range.begin keys each, rows [full, last) all of the range.
  const std::int64_t partial = (full - begin) * (begin + full + 1 - 2 * range.begin) / 2;
  return partial + std::max<std::int64_t>(0, last - full) * (range.end - range.begin);
}

std::int64_t overlap(std::int64_t a0, std::int64_t a1, std::int64_t b0, std::int64_t b1) {
  return std::max<std::int64_t>(0, std::min(a1, b1) - std::max(a0, b0));
}

// Keys of one range that row p sees through causality and the token window.
std::int64_t keys_of_row(const BlockMask& mask, const KeyRange& range, std::int64_t p) {
  const std::int64_t end = std::min(range.end, p + 1);
  const std::int64_t local =
      mask.token_local == 0 ? 0 : std::max(mask.token_sink, p - mask.token_local + 1);
  return overlap(range.begin, end, 0, mask.token_sink) + overlap(range.begin, end, local, end);
}

// Adds the rows [first, last) of one query block, all in one row of tiles, and marks their tiles.
void count_rows(const BlockMask& mask, std::span<const KeyRange> ranges, std::int64_t first,
                std::int64_t last, VisibleCount& count, std::vector<std::uint8_t>& tiles) {
  for (const KeyRange& range : ranges) {
    if (mask.token_local == 0) {
      count.pairs += causal_pairs(range, first, last);
    } else {
      for (std::int64_t p = first; p < last; ++p) count.pairs += keys_of_row(mask, range, p);
    }
    const std::int64_t last_tile = (std::min(range.end, last) - 1) / kMaskBlock;
    for (std::int64_t t = range.begin / kMaskBlock; t <= last_tile; ++t) tiles[t] = 1;
  }
}

}  // namespace

std::vector<KeyRange> union_of(std::span<const KeyRange> a, std::span<const KeyRange> b) {
  std::vector<KeyRange> all(a.size() + b.size());
  std::merge(a.begin(), a.end(), b.begin(), b.end(), all.begin(),
             [](const KeyRange& x, const KeyRange& y) { return x.begin < y.begin; });
  std::size_t kept = 0;
  for (const KeyRange& range : all) {
    if (kept > 0 && range.begin <= all[kept - 1].end) {
      all[kept - 1].end = std::max(all[kept - 1].end, range.end);
    } else {
      all[kept++] = range;
    }
  }
  all.resize(kept);
  return all;
}

BlockMask dense_mask(const RowSpan& span) {
  const BlockSpan blocks = blocks_of(span, kMaskBlock);
  const std::int64_t end = span.q_start + span.rows;
  BlockMask mask = start_mask(span, kMaskBlock, 1);
  mask.dense = true;
  for (std::int64_t b = blocks.first; b < blocks.last; ++b) {
    mask.heads[0].ranges.push_back({0, std::min((b + 1) * kMaskBlock, end)});
    close_block(mask.heads[0]);
  }
  return mask;
}

BlockMask streaming_mask(const StreamingWindow& window, const RowSpan& span) {
  const bool by_token = window.block == 1;
  const std::int64_t block = by_token ? kMaskBlock : window.block;
  const BlockSpan blocks = blocks_of(span, block);
  const std::int64_t q_end = span.q_start + span.rows;
  const std::int64_t sink = by_token ? window.sink : (window.sink + block - 1) / block * block;
  const std::int64_t local_blocks = (window.local + block - 1) / block;
  BlockMask mask = start_mask(span, block, 1);
  mask.window = window;
  HeadMask& head = mask.heads[0];
  mask.dense = !by_token || window.local >= q_end;
  if (by_token && !mask.dense) {
    mask.token_sink = window.sink;
    mask.token_local = window.local;
  }
  for (std::int64_t b = blocks.first; b < blocks.last; ++b) {
    const std::int64_t end = std::min((b + 1) * block, q_end);
    const std::int64_t first_row = std::max(b * block, span.q_start);
    const std::int64_t local = std::max<std::int64_t>(
        0, by_token ? first_row - window.local + 1 : (b - local_blocks + 1) * block);
    if (!close_window_block(head, sink, local, end)) mask.dense = false;
  }
  return mask;
}

BlockMask chunked_mask(const ChunkWindow& window, const RowSpan& span) {
  const std::int64_t block = std::gcd(window.chunk, kMaskBlock);  // no block lies in two chunks
  const BlockSpan blocks = blocks_of(span, block);
  BlockMask mask = start_mask(span, block, 1);
  mask.dense = true;
  for (std::int64_t b = blocks.first; b < blocks.last; ++b) {
    const std::int64_t end = std::min((b + 1) * block, span.q_start + span.rows);
    const std::int64_t chunk = b * block / window.chunk * window.chunk;
    if (!close_window_block(mask.heads[0], window.sink, chunk - window.local, end)) {
      mask.dense = false;
    }
  }
  return mask;
}

BlockMask table_mask(const BlockTable& table, const RowSpan& span) {
  const BlockSpan blocks = blocks_of(span, table.query_block);
  check(blocks.last - blocks.first == table.query_blocks, "one table row per query block");
  check(static_cast<std::int64_t>(table.visible.size()) ==
            table.heads * table.query_blocks * table.key_blocks,
        "block table has heads x query blocks x key blocks entries");
  const std::int64_t q_end = span.q_start + span.rows;
  BlockMask mask = start_mask(span, table.query_block, table.heads);
  const std::uint8_t* row = table.visible.data();
  for (HeadMask& head : mask.heads) {
    for (std::int64_t b = blocks.first; b < blocks.last; ++b, row += table.key_blocks) {
      const std::int64_t end = std::min((b + 1) * table.query_block, q_end);
      const std::size_t first_range = head.ranges.size();
      for (std::int64_t key = 0; key < table.key_blocks; ++key) {
        const KeyRange range{key * table.block, std::min((key + 1) * table.block, end)};
        if (row[key] == 0 || range.begin >= range.end) continue;
        if (head.ranges.size() > first_range && head.ranges.back().end == range.begin) {
          head.ranges.back().end = range.end;
        } else {
          head.ranges.push_back(range);
        }
      }
      close_block(head);
    }
  }
  return mask;
}

bool is_visible(const BlockMask& mask, std::int64_t head, std::int64_t p, std::int64_t j) {
  if (j > p) return false;
  if (mask.token_local > 0 && j >= mask.token_sink && p - j >= mask.token_local) return false;
  const auto ranges = mask.head(head).block(p / mask.query_block - mask.first_block);
  return std::any_of(ranges.begin(), ranges.end(),
                     [j](const KeyRange& r) { return r.begin <= j && j < r.end; });
}

VisibleCount count_visible(const BlockMask& mask, std::int64_t head, const RowSpan& span) {
  VisibleCount count;
  const std::int64_t q_end = span.q_start + span.rows;
  const HeadMask& ranges = mask.head(head);
  std::vector<std::uint8_t> tiles;  // of the row of tiles in hand
  for (std::int64_t row = span.q_start; row < q_end;) {
    const std::int64_t tile_end = std::min((row / kMaskBlock + 1) * kMaskBlock, q_end);
    tiles.assign(static_cast<std::size_t>((tile_end - 1) / kMaskBlock + 1), 0);
    while (row < tile_end) {
      const std::int64_t block = row / mask.query_block;
      const std::int64_t end = std::min((block + 1) * mask.query_block, tile_end);
      count_rows(mask, ranges.block(block - mask.first_block), row, end, count, tiles);
      row = end;
    }
    count.blocks += std::count(tiles.begin(), tiles.end(), 1);
    count.causal_blocks += static_cast<std::int64_t>(tiles.size());
  }
  count.causal_pairs = causal_pairs({0, q_end}, span.q_start, q_end);
  if (span.rows > 0) {
    count.last_row_causal = q_end;
    for (const KeyRange& range : ranges.block((q_end - 1) / mask.query_block - mask.first_block)) {
      count.last_row_keys += keys_of_row(mask, range, q_end - 1);
    }
  }
  return count;
}

}  // namespace elastic::engine
