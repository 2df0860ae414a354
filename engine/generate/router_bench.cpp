#include "engine/api/router_bench.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "base/error.h"
#include "engine/attention/attention_plan.h"
#include "engine/config/shapes.h"
#include "engine/device/stage_clock.h"
#include "engine/generate/bench_device.h"
#include "engine/model/layer_router.h"
#include "engine/router/router.h"

namespace elastic::engine {
namespace {

constexpr double kLogitTolerance[] = {1e-4, 5e-2};  // of logits, fp32 and bf16

// Of one layer, wide enough that heads differ.
RouterWeights random_router(std::int64_t dim, std::int64_t expansion,
                            const at::TensorOptions& options) {
  RouterWeights router;
  for (const RouterLinear& linear : kRouterLinears) {
    const auto shape = router_linear_shape(linear, dim, expansion);
    router.*linear.weight =
        at::randn({shape[0], shape[1]}, options) * (4 / std::sqrt(static_cast<double>(shape[1])));
    router.*linear.bias = at::randn({shape[0]}, options) / 10;
  }
  return router;
}

// Keys of one layer before RoPE that its router reads: the rows at both ends of a prompt.
struct LayerKeys {
  at::Tensor first, last;  // [rows, heads_kv, head_dim]; a short prompt is all in `first`
};

struct RoutingProblem {
  const AttentionPlan& plan;
  std::vector<LayerKeys> layers;
  std::int64_t tokens = 0;
  at::Device device;
};

// What reads keys in chunks is given both ends.
template <typename Reader>
void feed(Reader& reader, const LayerKeys& keys, std::int64_t tokens) {
  reader.add(keys.first, 0);
  if (keys.last.defined()) reader.add(keys.last, tokens - keys.last.size(0));
}

// Decisions of all layers, by the device's kernel where there is one.
std::vector<HeadDecision> decide(const RoutingProblem& p) {
  StageClock clock(p.device);
  std::vector<HeadDecision> decisions;
  for (std::size_t layer = 0; layer < p.layers.size(); ++layer) {
    LayerRouter router(*p.plan.policy, static_cast<std::int64_t>(layer), {.tokens = p.tokens},
                       clock);
    feed(router, p.layers[layer], p.tokens);
    decisions.push_back(router.decide());
  }
  return decisions;
}

std::vector<HeadDecision> decide_composed(const RoutingProblem& p) {
  std::vector<HeadDecision> decisions;
  for (std::size_t layer = 0; layer < p.layers.size(); ++layer) {
    KeyPool pool(p.tokens);
    feed(pool, p.layers[layer], p.tokens);
    decisions.push_back(p.plan.policy->decide(static_cast<std::int64_t>(layer), pool.mean()));
  }
  return decisions;
}

void check_decisions(const RoutingProblem& p, RouterBenchRow& row) {
  const std::vector<HeadDecision> ours = decide(p), composed = decide_composed(p);
  for (std::size_t layer = 0; layer < ours.size(); ++layer) {
    const HeadDecision &a = ours[layer], &b = composed[layer];
    row.max_error =
        std::max(row.max_error, (a.device_logits - b.device_logits).abs().max().item<double>());
    row.unlike += a.device_sparse.ne(b.device_sparse).sum().item<std::int64_t>();
    row.decisions += a.device_sparse.numel();
  }
  if (row.max_error <= kLogitTolerance[row.dtype == "fp32" ? 0 : 1]) return;
  throw Error(ErrorKind::kMeasurement,
              fmt::format("measurement INVALID: router logits of {} tokens are off by {:.2e}",
                          row.tokens, row.max_error));
}

double milliseconds_of(const RoutingProblem& p,
                       std::vector<HeadDecision> (*way)(const RoutingProblem&)) {
  synchronize(p.device);
  const Stopwatch watch;
  way(p);
  synchronize(p.device);
  return watch.milliseconds();
}

RoutingProblem make_routing_problem(const AttentionPlan& plan, const ModelConfig& config,
                                    std::int64_t tokens, const BenchDevice& where) {
  if (tokens < 1) throw Error(ErrorKind::kInvalidArgument, "a length below one token");
  RoutingProblem p{plan, {}, tokens, where.device};
  const auto rows = [&](std::int64_t count) {
    return at::randn({count, config.heads_kv, config.head_dim}, where.tensors());
  };
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    p.layers.push_back(tokens <= 2 * kPoolRows ? LayerKeys{rows(tokens), {}}
                                               : LayerKeys{rows(kPoolRows), rows(kPoolRows)});
  }
  return p;
}

}  // namespace

std::vector<RouterBenchRow> bench_router(const RouterBenchOptions& options) {
  const c10::InferenceMode no_gradients;
  const ModelConfig config = shape_config(options.shape);
  const BenchDevice where = bench_device(options.device, options.dtype);
  std::vector<RouterWeights> routers;
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    routers.push_back(random_router(config.head_dim, options.expansion, where.tensors()));
  }
  const AttentionPlan plan = make_attention_plan("fa-ssa", {.layers = config.layers,
                                                            .heads_q = config.heads_q,
                                                            .heads_kv = config.heads_kv,
                                                            .routers = routers});
  std::vector<RouterBenchRow> rows;
  for (const std::int64_t tokens : options.lengths) {
    const RoutingProblem p = make_routing_problem(plan, config, tokens, where);
    RouterBenchRow row{.device = where.name(),
                       .dtype = where.dtype(),
                       .tokens = tokens,
                       .layers = config.layers,
                       .heads_kv = config.heads_kv,
                       .head_dim = config.head_dim,
                       .expansion = options.expansion};
    check_decisions(p, row);
    Times times = take_turns(2, options.enough, [&](std::size_t i) {
      return milliseconds_of(p, i == 0 ? decide : decide_composed);
    });
    row.milliseconds = std::move(times[0]);
    row.composed_milliseconds = std::move(times[1]);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace elastic::engine
