// InfLLM-V2 (`infllm2`): the query heads of a KV head read the key blocks that their scores with
// means of small windows of keys name, besides the first blocks and those nearby (sparse_attention
// spec 10). A score is exp(q . mean / sqrt(d) - lse); the lse is that of means of larger windows,
// so that scores only come near to probabilities. Prompts and caches below `dense_len` are dense.

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/logsumexp.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "engine/attention/attention_plan.h"
#include "engine/attention/ranking.h"
#include "engine/attention/registry.h"
#include "engine/attention/row_blocks.h"

namespace elastic::engine {
namespace {

// Tokens, but for init and topk.
struct InfllmOptions {
  KeyWindows fine{32, 16}, coarse{128, 64};
  std::int64_t block = 64;
  std::int64_t init = 1;      // blocks at the start that every row reads
  std::int64_t local = 2048;  // the row's own block and those that begin at most so far before it
  std::int64_t topk = 96;     // blocks that a row reads, all counted
  std::int64_t dense_len = 8192;
  bool public_rounding = false;  // of the published kernels, which at times lose a window
  bool trained = false;
};

class InfllmMode final : public HeadMode {
 public:
  explicit InfllmMode(const InfllmOptions& options) : options_(options) {}

  std::string_view name() const override { return "infllm2"; }
  std::string describe() const override {
    return fmt::format(
        "infllm2:kernel={},stride={},coarse={},coarse_stride={},block={},init={},local={},topk={},"
        "dense_len={},rounding={},weights={}",
        options_.fine.size, options_.fine.stride, options_.coarse.size, options_.coarse.stride,
        options_.block, options_.init, options_.local, options_.topk, options_.dense_len,
        options_.public_rounding ? "public" : "exact", options_.trained ? "trained" : "untrained");
  }
  ModePlaces places() const override { return {.prefill_mask = true, .decode_selection = true}; }
  bool falls_back(std::int64_t tokens) const override {
    return tokens < options_.dense_len || reads_all(tokens);
  }

  BlockMask block_mask(const AttentionInput& input, std::span<const int> kv_heads) const override {
    HeadState state;
    return chosen(input, kv_heads, state, options_.public_rounding);
  }

  BlockMask decode_mask(const AttentionInput& input, std::span<const int> kv_heads,
                        HeadState& state) const override {
    return chosen(input, kv_heads, state, false);  // of windows a step sees all that there are
  }

 private:
  bool reads_all(std::int64_t keys) const { return keys <= options_.topk * options_.block; }

  // `state`: means of the fine and of the coarse windows, fp32 [heads_kv, windows, dim].
  BlockMask chosen(const AttentionInput& input, std::span<const int> kv_heads, HeadState& state,
                   bool public_rounding) const {
    const RowSpan span = input.span();
    const std::int64_t end = span.q_start + span.rows, blocks = (end - 1) / options_.block + 1;
    if (span.tokens < options_.dense_len || reads_all(end)) return dense_mask(span);
    state.tensors.resize(2);
    const at::Tensor keys = input.k.narrow(1, 0, end);
    extend_means(keys, options_.fine, state.tensors[0]);
    extend_means(keys, options_.coarse, state.tensors[1]);
    state.selection_vectors = state.tensors[0].size(1) + state.tensors[1].size(1);
    const at::Tensor heads = index_of(kv_heads, input.k.device());
    const at::Tensor fine = state.tensors[0].index_select(0, heads).transpose(1, 2),
                     coarse = state.tensors[1].index_select(0, heads).transpose(1, 2);
    const std::int64_t group = input.q.size(0) / input.k.size(0);
    const std::int64_t scores_per_row = heads.size(0) * group * std::max(fine.size(2), blocks);
    return mask_by_rows(input, scores_per_row, options_.block, group, [&](const RowSpan& rows) {
      const at::Tensor q = grouped_queries(input, heads, rows, input.scale);
      const auto by_row = [&](const at::Tensor& means, const KeyWindows& windows) {
        const at::Tensor ended = up_to(means, windows, rows);
        return at::bmm(q, ended).view({heads.size(0), group, rows.rows, ended.size(2)});
      };
      const at::Tensor scores =
          window_scores(by_row(fine, options_.fine), by_row(coarse, options_.coarse), rows,
                        public_rounding ? span.tokens : 0);
      return best_blocks(
          block_scores(scores, blocks),
          {options_.block, options_.init, options_.local / options_.block + 1, options_.topk},
          rows);
    });
  }

  // bool [rows, windows]: those that ended at or before the row. The published kernels round by the
  // `tokens` of the call; 0 = as it is.
  static at::Tensor visible(const KeyWindows& windows, std::int64_t count, const RowSpan& rows,
                            std::int64_t tokens, at::Device device) {
    const bool loses = tokens > 0 && tokens % windows.stride == windows.stride - 1;
    const at::Tensor ended = (row_positions(rows, device) + 1).div(windows.stride, "floor") -
                             (windows.size / windows.stride - 1 + (loses ? 1 : 0));
    return at::arange(count, ended.options()) < ended;
  }

  // Of the group's heads together: [heads, rows, fine windows], from [heads, group, rows, windows].
  at::Tensor window_scores(const at::Tensor& fine, at::Tensor coarse, const RowSpan& rows,
                           std::int64_t tokens) const {
    const at::Tensor sees = visible(options_.fine, fine.size(3), rows, tokens, fine.device());
    const at::Tensor sees_coarse =
        visible(options_.coarse, coarse.size(3), rows, tokens, fine.device());
    coarse = coarse.masked_fill(sees_coarse.logical_not(), -kInfinity);
    const at::Tensor lse = at::logsumexp(coarse, {3}, true);  // -inf: nothing to choose by
    const at::Tensor hidden = sees.logical_not().logical_or(lse.isinf());
    return (fine - lse).exp().masked_fill_(hidden, 0).sum(1);
  }

  // [heads, rows, blocks]: the best of the windows that touch a block.
  at::Tensor block_scores(const at::Tensor& scores, std::int64_t blocks) const {
    const std::int64_t step = options_.block / options_.fine.stride,
                       before = options_.fine.size / options_.fine.stride - 1;
    return at::constant_pad_nd(scores, {before, blocks * step - scores.size(2)}, 0)
        .unfold(2, step + before, step)
        .amax(3);
  }

  InfllmOptions options_;
};

}  // namespace

std::unique_ptr<HeadMode> make_infllm2(ModeOptions& options, const PlanContext& context) {
  InfllmOptions wanted;
  wanted.fine.size = options.integer("kernel", wanted.fine.size, 1);
  wanted.fine.stride = options.integer("stride", wanted.fine.stride, 1);
  wanted.coarse.size = options.integer("coarse", wanted.coarse.size, 1);
  wanted.coarse.stride = options.integer("coarse_stride", wanted.coarse.stride, 1);
  wanted.block = options.integer("block", wanted.block, 1);
  wanted.init = options.integer("init", wanted.init, 0);
  wanted.local = options.integer("local", wanted.local, 0);
  wanted.topk = options.integer("topk", wanted.topk, 1);
  wanted.dense_len = options.integer("dense_len", wanted.dense_len, 0);
  wanted.public_rounding = options.either("rounding", "public", "exact");
  check_multiple(options, "kernel", wanted.fine.size, "stride", wanted.fine.stride);
  check_multiple(options, "coarse", wanted.coarse.size, "coarse_stride", wanted.coarse.stride);
  check_multiple(options, "block", wanted.block, "stride", wanted.fine.stride);
  check_multiple(options, "local", wanted.local, "block", wanted.block);
  wanted.trained = trained_for(options, context);
  if (wanted.dense_len > 0) {
    options.note(fmt::format("prompts and caches below {} tokens are dense", wanted.dense_len));
  }
  return std::make_unique<InfllmMode>(wanted);
}

}  // namespace elastic::engine
