#include "engine/attention/press.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/sort.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/attention/ranking.h"

namespace elastic::engine {
namespace {

std::int64_t part_of(std::int64_t tokens, double share) {
  return static_cast<std::int64_t>(std::floor(static_cast<double>(tokens) * share));
}

// Every head its `count` best: int64 [heads, count], ascending.
at::Tensor best_of_heads(const at::Tensor& scores, std::int64_t count) {
  return std::get<0>(at::sort(best_indices(scores, count), 1));
}

// `safe` keys of every head, then the best of the layer: heads * count keys in all.
KeptKeys best_of_layer(const at::Tensor& scores, std::int64_t count, std::int64_t safe) {
  const at::Tensor ranked = scores.masked_fill(best_of_rows(scores, safe), kInfinity);
  const at::Tensor keep =
      best_of_rows(ranked.view({1, -1}), scores.size(0) * count).view(scores.sizes());
  const at::Tensor counts = keep.sum(1).to(at::kCPU);
  return keep.nonzero().select(1, 1).split_with_sizes(
      {counts.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(counts.numel())});
}

}  // namespace

std::int64_t PressBudget::kept(std::int64_t prompt_tokens) const {
  return ratio ? std::max<std::int64_t>(1, part_of(prompt_tokens, 1 - *ratio)) : tokens;
}

PressBudget read_budget(ModeOptions& options, bool by_head) {
  PressBudget budget;
  const bool both = options.value("budget") && options.value("ratio");
  if (both) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: budget={} and ratio={} both say how much is kept; give one",
                            options.text(), *options.value("budget"), *options.value("ratio")));
  }
  budget.tokens = options.integer("budget", budget.tokens, 1);
  budget.ratio = options.fraction("ratio");
  if (by_head) budget.adakv = options.fraction("adakv");
  return budget;
}

std::string Press::describe() const {
  return fmt::format("{}:{}{}{}", name(),
                     budget_.ratio ? fmt::format("ratio={}", *budget_.ratio)
                                   : fmt::format("budget={}", budget_.tokens),
                     options(), budget_.adakv ? fmt::format(",adakv={}", *budget_.adakv) : "");
}

bool Press::falls_back(std::int64_t tokens) const {
  return budget_.kept(tokens) >= tokens || tokens <= first_forced() + last_forced();
}

KeptKeys Press::keep_keys(const AttentionInput& rows, HeadState& state) const {
  const std::int64_t tokens = rows.k.size(1), heads = rows.k.size(0), count = budget_.kept(tokens);
  if (falls_back(tokens)) return {};
  add_rows(rows, state);
  if (rows.q_start + rows.q.size(1) < tokens) return {};
  const HeadState seen = std::exchange(state, {});
  if (count <= last_forced()) {
    const at::Tensor last =
        at::arange(tokens - count, tokens, at::TensorOptions(at::kLong).device(rows.k.device()));
    return KeptKeys(static_cast<std::size_t>(heads), last);
  }
  const at::Tensor score = scores(rows, seen);
  if (budget_.adakv) return best_of_layer(score, count, part_of(count, *budget_.adakv));
  return best_of_heads(score, count).unbind(0);
}

}  // namespace elastic::engine
