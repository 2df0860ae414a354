// Quest (`quest`): decode steps read the pages of keys that may matter most (sparse_attention_2
// spec 3). A page keeps the element-wise minimum and maximum of its keys; sum_d max(q_d lo_d,
// q_d hi_d) bounds every product with a key of the page. Prefill is dense.

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "engine/attention/attention_plan.h"
#include "engine/attention/page_bounds.h"
#include "engine/attention/ranking.h"
#include "engine/attention/registry.h"

namespace elastic::engine {
namespace {

struct QuestOptions {
  std::int64_t page = 16;      // tokens
  std::int64_t budget = 1024;  // tokens that a step reads
  bool all = false;        // every page competes; else the newest is read and the others compete
  bool group_sum = false;  // one set a KV head, by the scores of its query heads together
};

// tensors {lo, hi} up to the keys of `k`: pages that were not full are made anew.
void add_keys(const at::Tensor& k, std::int64_t page, HeadState& state) {
  if (state.tokens == k.size(1)) return;
  const std::int64_t whole = state.tokens / page;
  const at::Tensor fresh = k.narrow(1, whole * page, k.size(1) - whole * page);
  std::vector<at::Tensor> now;
  for (const bool upper : {false, true}) {
    at::Tensor part = page_bounds(fresh, page, upper);
    if (whole > 0) {
      part = at::cat({state.tensors[upper ? 1 : 0].narrow(1, 0, whole), part}, 1);
    }
    now.push_back(part);
  }
  state.tensors = std::move(now);
  state.tokens = k.size(1);
}

class QuestMode final : public HeadMode {
 public:
  explicit QuestMode(const QuestOptions& options) : options_(options) {}

  std::string_view name() const override { return "quest"; }
  std::string describe() const override {
    return fmt::format("quest:page={},budget={},rule={},share={}", options_.page, options_.budget,
                       options_.all ? "all" : "current", options_.group_sum ? "group_sum" : "head");
  }
  ModePlaces places() const override { return {.decode_selection = true}; }
  bool falls_back(std::int64_t tokens) const override { return tokens <= options_.budget; }
  std::int64_t dense_layers() const override { return 2; }
  PageRule page_rule() const override {
    return {.page = static_cast<std::int32_t>(options_.page),
            .budget = static_cast<std::int32_t>(options_.budget),
            .count = static_cast<std::int32_t>(pages_read()),
            .newest = !options_.all,
            .group = options_.group_sum};
  }

  BlockMask decode_mask(const AttentionInput& input, std::span<const int> kv_heads,
                        HeadState& state) const override {
    const std::int64_t tokens = input.k.size(1), group = input.q.size(0) / input.k.size(0);
    add_keys(input.k, options_.page, state);
    const std::int64_t pages = state.tensors[0].size(1);
    state.selection_vectors = 2 * pages;
    if (falls_back(tokens)) return dense_mask(input.span());
    std::vector<at::Tensor> keep;  // [group, pages] of each KV head
    for (const int head : kv_heads) {
      at::Tensor score = page_scores(input, head, group, state);  // [group, pages]
      if (options_.group_sum) score = score.sum(0, true).expand({group, pages});
      keep.push_back(select(score));
    }
    return mask_of({at::cat(keep).unsqueeze(1), options_.page}, input.span());
  }

 private:
  // sum_d max(q_d lo_d, q_d hi_d) = q+ . hi + q- . lo, fp32.
  static at::Tensor page_scores(const AttentionInput& input, std::int64_t head, std::int64_t group,
                                const HeadState& state) {
    const at::Tensor q = input.q.narrow(0, head * group, group).select(1, 0).to(at::kFloat);
    const auto pages = [&](std::size_t which) {
      return state.tensors[which][head].to(at::kFloat).t();
    };
    return at::matmul(q.clamp_min(0), pages(1)) + at::matmul(q.clamp_max(0), pages(0));
  }

  // Pages of a query head, where there are so many; under rule=current the newest is one of them.
  std::int64_t pages_read() const {
    constexpr std::int64_t kLeast = 3;  // of the authors' evaluation code
    const std::int64_t wanted = options_.budget / options_.page;
    return options_.all ? std::max(kLeast, wanted) : wanted;
  }

  // bool [group, pages].
  at::Tensor select(const at::Tensor& score) const {
    const std::int64_t pages = score.size(1);
    at::Tensor ranked = score.contiguous();
    if (!options_.all) {
      ranked = ranked.clone();
      ranked.select(1, pages - 1).fill_(kInfinity);
    }
    return best_of_rows(ranked, std::min(pages, pages_read()));
  }

  QuestOptions options_;
};

}  // namespace

std::unique_ptr<HeadMode> make_quest(ModeOptions& options, const PlanContext&) {
  QuestOptions wanted;
  wanted.page = options.integer("page", wanted.page, 1);
  wanted.budget = options.integer("budget", wanted.budget, 1);
  wanted.all = options.either("rule", "all", "current");
  wanted.group_sum = options.either("share", "group_sum", "head");
  if (wanted.budget < wanted.page) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: budget={} does not hold a page of {} tokens",
                            options.text(), wanted.budget, wanted.page));
  }
  return std::make_unique<QuestMode>(wanted);
}

}  // namespace elastic::engine
