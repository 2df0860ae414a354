// SnapKV (`snapkv`) and TOVA (`tova`): presses that keep the keys which the last queries of the
// prompt attend to (sparse_attention_2 spec 4). SnapKV takes the mean over a window of queries,
// pools it along the keys and takes the mean over the query heads of a KV head; TOVA takes the last
// query's attention, the mean over all query heads.

#include <ATen/ops/avg_pool1d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/max_pool1d.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/error.h"
#include "engine/attention/attention_plan.h"
#include "engine/attention/press.h"
#include "engine/attention/ranking.h"
#include "engine/attention/registry.h"

namespace elastic::engine {
namespace {

class AttendedPress : public Press {
 public:
  AttendedPress(const PressBudget& budget, std::int64_t window) : Press(budget), window_(window) {}

  void add_rows(const AttentionInput& rows, HeadState& state) const override {
    const std::int64_t end = rows.q_start + rows.q.size(1);
    const std::int64_t first = std::max(rows.q_start, rows.k.size(1) - window_);
    if (first >= end) return;
    const at::Tensor last = rows.q.narrow(1, first - rows.q_start, end - first).contiguous();
    state.tensors = {state.tensors.empty() ? last : at::cat({state.tensors[0], last}, 1)};
  }

  at::Tensor scores(const AttentionInput& rows, const HeadState& state) const override {
    AttentionInput last = rows;
    last.q = state.tensors[0];  // [heads_q, window, head_dim]
    std::vector<at::Tensor> by_head;
    for (std::int64_t head = 0; head < rows.k.size(0); ++head) {
      by_head.push_back(pooled(attended(last, head)).mean(0));
    }
    return at::constant_pad_nd(over_heads(at::stack(by_head)), {0, window_}, kInfinity);
  }

 protected:
  /// Attention to each key, [group, keys], as it is ranked.
  virtual at::Tensor pooled(const at::Tensor& attention) const = 0;
  /// Scores [heads_kv, keys], as they are ranked.
  virtual at::Tensor over_heads(const at::Tensor& scores) const = 0;
  std::int64_t last_forced() const override { return window_; }

 private:
  // Softmax over all keys, mean over the window's rows: [group, keys before the window].
  at::Tensor attended(const AttentionInput& last, std::int64_t head) const {
    const std::int64_t before = last.k.size(1) - window_;
    const at::Tensor scores = key_scores(last, head);  // [group, window, keys]
    const at::Tensor later =
        at::ones({window_, window_}, scores.options().dtype(at::kBool)).triu(1);
    scores.narrow(2, before, window_).masked_fill_(later, -kInfinity);
    return at::softmax(scores, 2).narrow(2, 0, before).mean(1);
  }

  std::int64_t window_;
};

struct SnapOptions {
  std::int64_t window = 64, kernel = 5;
  bool max = false;  // pooling; else the average, zeros beyond the ends counted
};

class SnapKv final : public AttendedPress {
 public:
  SnapKv(const PressBudget& budget, const SnapOptions& options)
      : AttendedPress(budget, options.window), options_(options) {}

  std::string_view name() const override { return "snapkv"; }

 protected:
  std::string options() const override {
    return fmt::format(",window={},kernel={},pool={}", options_.window, options_.kernel,
                       options_.max ? "max" : "avg");
  }
  at::Tensor pooled(const at::Tensor& attention) const override {
    const std::int64_t kernel = options_.kernel, padding = kernel / 2;
    return options_.max ? at::max_pool1d(attention, kernel, 1, padding)
                        : at::avg_pool1d(attention, kernel, 1, padding);
  }
  at::Tensor over_heads(const at::Tensor& scores) const override { return scores; }

 private:
  SnapOptions options_;
};

class Tova final : public AttendedPress {
 public:
  explicit Tova(const PressBudget& budget) : AttendedPress(budget, 1) {}

  std::string_view name() const override { return "tova"; }

 protected:
  at::Tensor pooled(const at::Tensor& attention) const override { return attention; }
  at::Tensor over_heads(const at::Tensor& scores) const override {
    return scores.mean(0, true).expand_as(scores);
  }
};

}  // namespace

std::unique_ptr<HeadMode> make_snapkv(ModeOptions& options, const PlanContext&) {
  const PressBudget budget = read_budget(options, true);
  SnapOptions wanted;
  wanted.window = options.integer("window", wanted.window, 1);
  wanted.kernel = options.integer("kernel", wanted.kernel, 1);
  wanted.max = options.either("pool", "max", "avg");
  if (wanted.kernel % 2 == 0) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: kernel={} has no middle; take an odd one", options.text(),
                            wanted.kernel));
  }
  return std::make_unique<SnapKv>(budget, wanted);
}

std::unique_ptr<HeadMode> make_tova(ModeOptions& options, const PlanContext&) {
  return std::make_unique<Tova>(read_budget(options, true));
}

}  // namespace elastic::engine
