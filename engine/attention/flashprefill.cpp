#include "engine/attention/flashprefill.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/where.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/error.h"
#include "engine/attention/attention_plan.h"
#include "engine/attention/block_ops.h"
#include "engine/attention/ranking.h"
#include "engine/attention/registry.h"

namespace elastic::engine {
namespace {

constexpr std::int64_t kProductBudget = std::int64_t{1} << 24;  // products held at once

// E of rows [start, start + rows) of the call: [heads, query blocks, key blocks up to theirs].
// `means` [heads_kv, key blocks, dim].
at::Tensor slice_scores(const AttentionInput& input, const at::Tensor& means, std::int64_t start,
                        std::int64_t rows, std::int64_t block) {
  const std::int64_t heads = input.q.size(0), groups = means.size(0), dim = input.q.size(2);
  const std::int64_t first = input.q_start + start, query_blocks = divided(rows, block),
                     key_blocks = divided(first + rows, block), all = query_blocks * block;
  const at::Tensor q = padded(input.q.narrow(1, start, rows).to(at::kFloat), 2, all)
                           .mul(input.scale)
                           .reshape({groups, heads / groups * all, dim});
  at::Tensor scores = at::bmm(q, means.narrow(1, 0, key_blocks).transpose(1, 2));
  scores = scores.view({heads, all, key_blocks});
  const auto options = at::TensorOptions(at::kLong).device(scores.device());
  const at::Tensor position = at::arange(first, first + all, options).unsqueeze(1);
  const at::Tensor last_key = at::arange(1, key_blocks + 1, options) * block - 1;
  const at::Tensor hidden = (position < last_key).logical_or(position >= first + rows);
  scores.masked_fill_(hidden, -kInfinity);
  scores = scores.view({heads, query_blocks, block, key_blocks});
  const at::Tensor most = scores.amax({2, 3}, true);  // -inf where a block of queries sees nothing
  return scores.sub_(at::where(most.isinf(), 0.0, most)).exp_().sum({2}).to(at::kDouble);
}

class FlashPrefillMode final : public HeadMode {
 public:
  explicit FlashPrefillMode(const FlashPrefillOptions& options) : options_(options) {}

  std::string_view name() const override { return "flashprefill"; }
  ModePlaces places() const override { return {.estimates = true}; }
  bool falls_back(std::int64_t tokens) const override {  // everything is forced
    const std::int64_t row = std::max(options_.sink + options_.window, options_.min);
    return tokens <= (row + options_.last) * options_.block;
  }
  std::string describe() const override {
    return fmt::format("flashprefill:alpha={},block={},sink={},window={},last={},min={}",
                       options_.alpha, options_.block, options_.sink, options_.window,
                       options_.last, options_.min);
  }

  BlockChoice choose_blocks(const AttentionInput& input,
                            const CandidateHeads& heads) const override {
    const at::Tensor scores = flash_prefill_scores(input, options_.block);
    return choice_of(select_by_share(scores, input, options_), options_.block, input, heads);
  }

 private:
  FlashPrefillOptions options_;
};

}  // namespace

at::Tensor flash_prefill_scores(const AttentionInput& input, std::int64_t block) {
  check(input.q_start % block == 0, "FlashPrefill rows start at a block");
  const std::int64_t rows = input.q.size(1), end = input.q_start + rows;
  const at::Tensor means = block_means(input.k.narrow(1, 0, end), block);
  const std::int64_t fitting = kProductBudget / (input.q.size(0) * means.size(1) * block);
  const std::int64_t slice = std::max<std::int64_t>(1, fitting) * block;
  std::vector<at::Tensor> scores;
  for (std::int64_t start = 0; start < rows; start += slice) {
    const at::Tensor part = slice_scores(input, means, start, std::min(slice, rows - start), block);
    scores.push_back(padded(part, 1, means.size(1)));
  }
  return at::cat(scores, 1);
}

at::Tensor select_by_share(const at::Tensor& scores, const AttentionInput& input,
                           const FlashPrefillOptions& options) {
  const at::Tensor distance = block_distances(input, options.block), best = scores.amax(-1, true);
  at::Tensor keep = (scores >= best * options.alpha).logical_and(best > 0);
  keep.logical_or_(distance < options.window);
  keep.narrow(2, 0, std::min(options.sink, keep.size(2))).fill_(true);
  if (options.min > 0) keep.logical_or_(best_of_rows(scores, options.min));
  const std::int64_t blocks = divided(input.k.size(1), options.block);
  const std::int64_t full = std::clamp<std::int64_t>(
      blocks - options.last - input.q_start / options.block, 0, keep.size(1));
  keep.narrow(1, full, keep.size(1) - full).fill_(true);
  return keep.logical_and_(distance >= 0);
}

std::unique_ptr<HeadMode> make_flash_prefill(ModeOptions& options, const PlanContext&) {
  FlashPrefillOptions wanted;
  const std::optional<double> alpha = options.fraction("alpha");
  if (!alpha) {
    options.note(
        fmt::format("alpha={} is published for Llama-3.1-8B (Qwen2.5-7B: 0.08, "
                    "Qwen3-30B-A3B: 0.12)",
                    wanted.alpha));
  }
  wanted.alpha = alpha.value_or(wanted.alpha);
  wanted.block = block_option(options);
  wanted.sink = options.integer("sink", wanted.sink, 0);
  wanted.window = options.integer("window", wanted.window, 1);  // a row sees at least its own block
  wanted.last = options.integer("last", wanted.last, 0);
  wanted.min = options.integer("min", wanted.min, 0);
  return std::make_unique<FlashPrefillMode>(wanted);
}

}  // namespace elastic::engine
