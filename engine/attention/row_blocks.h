#pragma once

// What methods share that rank blocks of keys for each query row: means of windows of keys, masks
// of one row a query block.

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "engine/attention/head_mode.h"
#include "engine/attention/mode_options.h"

namespace elastic::engine {

/// Windows [stride j, stride j + size) of tokens, where they are complete. `stride` divides `size`.
struct KeyWindows {
  std::int64_t size = 32, stride = 16;

  /// Those that end at or before token `tokens` - 1.
  std::int64_t within(std::int64_t tokens) const {
    return std::max<std::int64_t>(0, tokens / stride - size / stride + 1);
  }
};

/// `means`, fp32 [heads, windows, dim] or undefined, is made to cover all windows of keys [heads,
/// tokens, dim].
void extend_means(const at::Tensor& keys, const KeyWindows& windows, at::Tensor& means);

/// Of `means` [heads, dim, windows] those of windows that end at or before the last of the rows.
at::Tensor up_to(const at::Tensor& means, const KeyWindows& windows, const RowSpan& rows);

/// int64 [rows, 1]: positions of the rows.
at::Tensor row_positions(const RowSpan& rows, at::Device device);

/// Of `rows` of the call: fp32 [kv_heads, group * rows, head_dim], times `scale`.
at::Tensor grouped_queries(const AttentionInput& input, const at::Tensor& kv_heads,
                           const RowSpan& rows, double scale);

/// Which key blocks a row takes, whatever their scores, and how many in all.
struct BlockRule {
  std::int64_t block = 64;  // tokens
  std::int64_t init = 1;    // from the first
  std::int64_t nearby = 1;  // up to the row's own
  std::int64_t topk = 1;    // with those
};

/// bool [heads, rows, blocks] of scores fp32 [heads, rows, blocks], which are overwritten; nothing
/// behind the row's own block.
at::Tensor best_blocks(const at::Tensor& scores, const BlockRule& rule, const RowSpan& rows);

/// kInvalidArgument where the option `large` is not a multiple of the option `small`.
void check_multiple(const ModeOptions& options, std::string_view large, std::int64_t large_value,
                    std::string_view small, std::int64_t small_value);

/// Rows of a call, a few at a time so that `scores_per_row` numbers of each fit: `choose` gives
/// bool [heads, rows, blocks of `block` keys], one head for `share` query heads of the call's.
BlockMask mask_by_rows(const AttentionInput& input, std::int64_t scores_per_row, std::int64_t block,
                       std::int64_t share,
                       const std::function<at::Tensor(const RowSpan& rows)>& choose);

}  // namespace elastic::engine
