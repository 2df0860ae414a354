// ExpectedAttention (`expected-attention`): the press that keeps the keys which queries still to
// come would attend to, were these normal with the mean and covariance of the prompt's queries
// before RoPE and turned by the mean rotation of the positions after it (sparse_attention_2 spec
// 4).

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/diag.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <vector>

#include "base/error.h"
#include "engine/attention/attention_plan.h"
#include "engine/attention/press.h"
#include "engine/attention/registry.h"

namespace elastic::engine {
namespace {

struct ExpectedOptions {
  std::int64_t future = 512;  // positions after the prompt
  std::int64_t sink = 4;      // first tokens: kept, and not counted as queries
  double eps = 0;             // added to the scores before the norm of the value weighs them
};

// Mean over positions [first, first + count) of the matrix that RoPE multiplies a vector with: fp64
// [head_dim, head_dim].
at::Tensor mean_rotation(const RopeAngles& rope, std::int64_t first, std::int64_t count,
                         at::Device device) {
  const at::Tensor position =
      at::arange(first, first + count, at::TensorOptions(at::kFloat).device(device)).unsqueeze(1);
  const at::Tensor angles = position * rope.frequencies.to(device);  // [count, head_dim / 2]
  const auto diagonal = [&rope](const at::Tensor& x) {
    return at::diag(x.to(at::kDouble).mean(0).mul(rope.magnitude));
  };
  const at::Tensor cos = diagonal(angles.cos()), sin = diagonal(angles.sin());
  return at::cat({at::cat({cos, -sin}, 1), at::cat({sin, cos}, 1)});
}

class ExpectedAttention final : public Press {
 public:
  ExpectedAttention(const PressBudget& budget, const ExpectedOptions& options, RopeAngles rope)
      : Press(budget), options_(options), rope_(std::move(rope)) {}

  std::string_view name() const override { return "expected-attention"; }
  ModePlaces places() const override { return {.prompt_eviction = true, .plain_inputs = true}; }

  // tensors {sum of the queries, sum of their outer products} [heads_q, head_dim(, head_dim)], in
  // fp64: their difference is the covariance.
  void add_rows(const AttentionInput& rows, HeadState& state) const override {
    check(rows.plain_q.defined(), "expected attention is told of queries before RoPE");
    const std::int64_t first = std::max(rows.q_start, options_.sink),
                       count = rows.q_start + rows.q.size(1) - first;
    if (count <= 0) return;
    const at::Tensor q = rows.plain_q.narrow(1, first - rows.q_start, count).to(at::kDouble);
    const at::Tensor sum = q.sum(1), products = at::bmm(q.transpose(1, 2), q);
    if (state.tensors.empty()) {
      state.tensors = {sum, products};
    } else {
      state.tensors = {state.tensors[0] + sum, state.tensors[1] + products};
    }
  }

  at::Tensor scores(const AttentionInput& rows, const HeadState& state) const override {
    check(rope_.frequencies.defined(), "expected attention is told of the model's RoPE");
    const std::int64_t tokens = rows.k.size(1), sink = options_.sink;
    const auto queries = static_cast<double>(tokens - sink);
    at::Tensor mean = state.tensors[0] / queries;
    at::Tensor covariance =
        state.tensors[1] / queries - mean.unsqueeze(2) * mean.unsqueeze(1);  // [heads_q, d, d]
    const at::Tensor turn = mean_rotation(rope_, tokens, options_.future, rows.k.device());
    mean = at::matmul(mean, turn.t()).to(at::kFloat);
    covariance = at::matmul(at::matmul(turn, covariance), turn.t()).to(at::kFloat);
    const std::int64_t group = rows.q.size(0) / rows.k.size(0);
    std::vector<at::Tensor> by_head;
    for (std::int64_t head = 0; head < rows.k.size(0); ++head) {
      const at::Tensor k = rows.k[head].narrow(0, sink, tokens - sink).to(at::kFloat);
      const at::Tensor spread = at::matmul(k, covariance.narrow(0, head * group, group)).mul_(k);
      const at::Tensor expected =  // [group, keys]
          at::matmul(mean.narrow(0, head * group, group), k.t()).mul(rows.scale) +
          spread.sum(2).mul(rows.scale * rows.scale / 2);
      const at::Tensor norm =
          rows.v[head].narrow(0, sink, tokens - sink).to(at::kFloat).square().sum(1).sqrt();
      by_head.push_back((at::softmax(expected, 1).mean(0) + options_.eps) * norm);
    }
    return at::constant_pad_nd(at::stack(by_head), {sink, 0},
                               std::numeric_limits<double>::infinity());
  }

 protected:
  std::string options() const override {
    return fmt::format(",future={},sink={},eps={}", options_.future, options_.sink, options_.eps);
  }
  std::int64_t first_forced() const override { return options_.sink; }

 private:
  ExpectedOptions options_;
  RopeAngles rope_;
};

}  // namespace

std::unique_ptr<HeadMode> make_expected_attention(ModeOptions& options,
                                                  const PlanContext& context) {
  const PressBudget budget = read_budget(options, true);
  ExpectedOptions wanted;
  wanted.future = options.integer("future", wanted.future, 1);
  wanted.sink = options.integer("sink", wanted.sink, 0);
  wanted.eps = options.number("eps", wanted.eps);
  return std::make_unique<ExpectedAttention>(budget, wanted, context.rope);
}

}  // namespace elastic::engine
