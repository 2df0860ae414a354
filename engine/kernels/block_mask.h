#pragma once

// Visible keys of query blocks, as key ranges per query block: the common form of full, streaming,
// XA, MoBA and InfLLM-V2 masks. Torch-free. Made once per call by HeadMode::block_mask and read by
// the kernels, the sparsity ratios (engine/attention/sparsity.h) and the tests, so that all three
// mean the same keys.
//
// The query row at absolute position p lies in query block p / query_block and sees key j iff j <=
// p, some range of that block holds j, and (with a token window) j < token_sink or p - j <
// token_local.
//
//   const BlockMask mask = streaming_mask({.sink = 128, .local = 2048}, {.rows = n, .tokens = n});
//   const VisibleCount count = count_visible(mask, 0, {.rows = n, .tokens = n});

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace elastic::engine {

/// Side of the square blocks in which density is counted and streaming masks are rounded.
inline constexpr std::int64_t kMaskBlock = 128;

/// Query rows [q_start, q_start + rows) of a sequence of `tokens` >= q_start + rows cached tokens.
struct RowSpan {
  std::int64_t q_start = 0;
  std::int64_t rows = 0;
  std::int64_t tokens = 0;
};

/// Keys [begin, end), absolute positions.
struct KeyRange {
  std::int64_t begin = 0, end = 0;
};

/// What either of two lists of ascending, disjoint ranges holds, in the same form.
std::vector<KeyRange> union_of(std::span<const KeyRange> a, std::span<const KeyRange> b);

/// Mask of one head: query block first_block + b sees ranges[offsets[b] .. offsets[b+1]),
/// ascending, disjoint, not empty, clipped to the causal area of the block's last row.
struct HeadMask {
  std::vector<KeyRange> ranges;
  std::vector<std::int64_t> offsets;  // blocks + 1 entries

  std::span<const KeyRange> block(std::int64_t b) const {
    return std::span(ranges).subspan(static_cast<std::size_t>(offsets[b]),
                                     static_cast<std::size_t>(offsets[b + 1] - offsets[b]));
  }
};

/// Streaming window. block = kMaskBlock: sink and local are rounded up to blocks, the diagonal
/// block counts as one of the local ones. block = 1: exact tokens, local counts the query itself.
struct StreamingWindow {
  std::int64_t sink = 128;    // tokens
  std::int64_t local = 2048;  // tokens
  std::int64_t block = kMaskBlock;
};

struct BlockMask {
  std::int64_t query_block = kMaskBlock;  // rows per query block, counted from absolute position 0
  std::int64_t first_block = 0;           // block of the first query row
  // One mask for all heads (size 1), or one per `share` query heads of the KV heads asked for, in
  // order.
  std::vector<HeadMask> heads;
  std::int64_t token_sink = 0, token_local = 0;  // token window; token_local 0 = none
  bool dense = false;  // every causal key is visible: kernels may take their dense path
  std::optional<StreamingWindow> window;  // of streaming_mask(): kernels may go by it alone
  std::int64_t share = 1;  // 1, or the whole group: those that read one KV head see the same keys

  const HeadMask& head(std::int64_t h) const { return heads[heads.size() == 1 ? 0 : h / share]; }
};

BlockMask dense_mask(const RowSpan& span);
BlockMask streaming_mask(const StreamingWindow& window, const RowSpan& span);

/// A prompt in chunks of `chunk` tokens over a cache that is cut after each: a row sees the first
/// `sink` and the last `local` tokens before its chunk, and its chunk up to itself.
struct ChunkWindow {
  std::int64_t sink = 0, local = 0, chunk = 0;
};
BlockMask chunked_mask(const ChunkWindow& window, const RowSpan& span);

/// Masks from booleans: visible[(h * query_blocks + b) * key_blocks + kb] of `heads` heads, in
/// blocks of `query_block` x `block` tokens; row b is query block q_start / query_block + b.
struct BlockTable {
  std::span<const std::uint8_t> visible;
  std::int64_t heads = 0, query_blocks = 0, key_blocks = 0, block = kMaskBlock;
  std::int64_t query_block = block;
};
BlockMask table_mask(const BlockTable& table, const RowSpan& span);

/// True where the mask lets the row at absolute position p see key j; the definition above, slow.
bool is_visible(const BlockMask& mask, std::int64_t head, std::int64_t p, std::int64_t j);

/// What one head sees. Blocks are kMaskBlock x kMaskBlock tiles of the causal area with at least
/// one visible pair (a tile touched by the rows of two calls counts in both).
struct VisibleCount {
  std::int64_t pairs = 0, causal_pairs = 0;
  std::int64_t blocks = 0, causal_blocks = 0;
  std::int64_t last_row_keys = 0, last_row_causal = 0;  // of the last row
};
VisibleCount count_visible(const BlockMask& mask, std::int64_t head, const RowSpan& span);

}  // namespace elastic::engine
