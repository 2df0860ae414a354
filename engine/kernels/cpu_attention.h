#pragma once

// Attention on CPU under key ranges, on raw pointers: no tensors, no threads. A caller cuts the
// work into tasks (rows of one KV head that see the same ranges), runs them on any threads, each
// with its own scratch, and joins the pieces of a decode step.
//
// Prefill is the online softmax over tiles: keys and values of a range are packed block by block
// into panels, scores of a few rows at a time stay in the first cache, and only keys inside the
// ranges are touched. All arithmetic is fp32; bf16 is widened while packing. Which instruction set
// runs is chosen once from what the processor has.
//
//   const CpuKernels& kernels = cpu_kernels();
//   float* scratch = ...;   // kernels.prefill_scratch(head_dim, group * rows) floats
//   kernels.prefill(task, scratch);

#include <cstdint>

#include "engine/kernels/block_mask.h"
#include "engine/kernels/skip_rule.h"

namespace elastic::engine {

enum class CpuType { kFp32, kBf16 };

/// Positions of a prefill task at most, and its stacked query rows (positions x heads of the group)
/// where there are several: enough to hide the packing of keys and values, few enough to stay in
/// the second cache.
inline constexpr std::int64_t kTaskRows = 256;

/// [rows, head_dim] of one head: `data` at row 0, rows `stride` elements apart.
struct HeadRows {
  const void* data = nullptr;
  std::int64_t stride = 0;
};

/// Rows [first, first + rows) of `group` query heads of one KV head, seen by one set of ranges.
/// Query head g of the group starts g * head_stride elements after q.data (and out, g * lse_stride
/// after lse).
struct PrefillTask {
  CpuType type = CpuType::kFp32;
  std::int64_t head_dim = 0, group = 1;
  HeadRows q, k, v;       // of the group's first query head; of its KV head
  std::int64_t keys = 0;  // rows of k and v; positions may lie behind them
  std::int64_t q_head_stride = 0;
  void* out = nullptr;
  std::int64_t out_stride = 0, out_head_stride = 0;
  float* lse = nullptr;  // may be null
  std::int64_t lse_head_stride = 0;
  std::int64_t first = 0, rows = 0;  // rows of the call
  std::int64_t q_start = 0;          // absolute position of row 0 of the call
  float scale = 0;
  const KeyRange* ranges = nullptr;  // ascending, disjoint
  std::int64_t range_count = 0;
  // Where rows see keys of their own within these: the row at position p those of its query block,
  // row_ranges[row_offsets[b] .. row_offsets[b + 1]), b = p / query_block - that of the first row.
  // Null: every row sees all of `ranges`.
  const KeyRange* row_ranges = nullptr;
  const std::int64_t* row_offsets = nullptr;
  std::int64_t query_block = 1;
  std::int64_t token_sink = 0, token_local = 0;  // as in BlockMask
  // Of one head that sees every key: tiles of at most kMaskBlock keys that it passes over. `rows`
  // begin with a query tile. tiles: computed, and all that it met, are added to.
  const SkipRule* skip = nullptr;
  std::int64_t* tiles = nullptr;
};

/// One query row of `group` heads against the keys of some ranges of one KV head. Leaves the
/// unnormalised partial result: per head max (log2 domain), sum, and head_dim values.
struct DecodePiece {
  CpuType type = CpuType::kFp32;
  std::int64_t head_dim = 0, group = 1;
  HeadRows q, k, v;  // q: row h = head h of the group
  const KeyRange* ranges = nullptr;
  std::int64_t range_count = 0;
  float scale = 0;
  float* partial = nullptr;  // [group, head_dim + 2]: max, sum, values
};

/// Joins `pieces` partials (each [group, head_dim + 2], one after the other) into out rows.
struct DecodeJoin {
  CpuType type = CpuType::kFp32;
  std::int64_t head_dim = 0, group = 1, pieces = 0;
  const float* partials = nullptr;
  void* out = nullptr;  // row h = head h
  std::int64_t out_stride = 0;
  float* lse = nullptr;  // may be null; head h at h * lse_stride
  std::int64_t lse_stride = 0;
};

struct CpuKernels {
  const char* name;  // "avx512", "avx2", "portable"
  /// Floats of scratch (64-byte aligned) that a task of group x rows query rows needs.
  std::int64_t (*prefill_scratch)(std::int64_t head_dim, std::int64_t stacked_rows);
  void (*prefill)(const PrefillTask& task, float* scratch);
  void (*decode)(const DecodePiece& piece, float* scratch);  // scratch: head_dim floats
  void (*join)(const DecodeJoin& join);
};

/// The best set this processor runs.
const CpuKernels& cpu_kernels();

/// Every set this processor runs, best first; for tests and benches.
struct CpuKernelList {
  const CpuKernels* sets[3];
  int count;
};
CpuKernelList all_cpu_kernels();

}  // namespace elastic::engine
