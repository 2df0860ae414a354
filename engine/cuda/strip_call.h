#pragma once

// What XAttention's kernels (engine/attention/xattention.h) take: pointers, strides and counts, no
// LibTorch. A strip is `stride` tokens. Query strips come in bands, because what the first kernel
// leaves for the second grows with strips times keys.

#include <cstdint>

#include "engine/cuda/prefill_call.h"

namespace elastic::engine {

inline constexpr int kStripTile = 256;       // strips a side of what two thread blocks compute
inline constexpr int kBandTiles = 2;         // at most, of a band
inline constexpr int kMostStripHeads = 256;  // KV heads

/// Of one query strip over the key strips of a tile.
struct StripTop {
  float top, sum;  // the largest score; all exponentials of score - that
};

struct StripCall {
  // Whole strips of the call's queries and of all keys up to its last row.
  HeadMatrix<const void*> q, k;
  // Where the last strip is not whole: its tile, filled up with zeros to whole strips.
  HeadMatrix<const void*> q_tail, k_tail;
  std::int32_t q_tail_tile = -1, k_tail_tile = -1;
  std::int32_t heads_q = 0, heads_kv = 0, head_dim = 0, stride = 0;
  std::int32_t rows = 0, q_start = 0;     // tokens; q_start a multiple of kMaskBlock
  float scale = 0;                        // of attention
  bool is_half = false;                   // fp16, else bf16
  const std::uint8_t* decided = nullptr;  // per KV head, device: those with `wanted`; null = all
  std::uint8_t wanted = 0;

  // The band: query strips of the call [first_strip, first_strip + strips).
  std::int32_t first_strip = 0, strips = 0;
  // Between the kernels, of [heads_q, kBandTiles * kStripTile] strips: of each key tile, and the
  // sum of exponentials of each key block in it.
  StripTop* tops = nullptr;  // [..., key_tiles]
  float* sums = nullptr;     // [..., key_tiles * key blocks of a tile]
  std::int32_t key_tiles = 0;

  // The selection: share of the mass, of all heads or [heads_q]; blocks of the published code's
  // first chunk, 0 = the exact rule.
  float tau = 0;
  const float* taus = nullptr;
  std::int32_t lagging_blocks = 0;
  std::uint32_t* bits = nullptr;   // [heads_q, query blocks of the call, words], as HeadVisits has
  std::int32_t* counts = nullptr;  // [heads_q, query blocks]: of the bits; 0 for other heads
  std::int32_t words = 0;
};

/// True where the kernels have that many tokens a strip.
inline bool strips_take(std::int64_t stride) { return stride == 8 || stride == 16; }

/// What select_strips() has shared memory for; 1M tokens at 16 a strip.
inline std::int64_t most_key_blocks(std::int64_t stride) { return 512 * stride; }

/// Scores of the band's strips against all keys, to tops and sums; compute capability 9.0 only.
cudaError_t score_strips(const StripCall& call, cudaStream_t stream);

/// From tops and sums the blocks of most mass, to bits and counts.
cudaError_t select_strips(const StripCall& call, cudaStream_t stream);

}  // namespace elastic::engine
