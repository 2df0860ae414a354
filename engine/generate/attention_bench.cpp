#include "engine/api/attention_bench.h"
#include "engine/config/shapes.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "base/error.h"
#include "engine/attention/attention_backend.h"
#include "engine/attention/reference.h"
#include "engine/attention/registry.h"
#include "engine/attention/sparsity.h"
#include "engine/device/stage_clock.h"
#include "engine/generate/bench_device.h"
#include "engine/model/weights.h"

namespace elastic::engine {
namespace {

constexpr double kTolerance[] = {2e-5, 2e-2};  // fp32, bf16
constexpr std::int64_t kCheckedRows = 4;       // at each of the places that are checked

// Heads of one kind, for a call of their own.
struct KindOfHeads {
  at::Tensor q_heads, kv_heads;  // indices on the device
  HeadGroups groups;             // of these heads alone, counted from 0
};

struct Problem {
  AttentionInput input;
  HeadDecision decision;
  HeadGroups groups;
  at::Tensor out;
  AttentionBenchRow row;
  std::vector<KindOfHeads> kinds;  // for serial dispatch
};

AttentionBenchOptions with_shape(AttentionBenchOptions options) {
  if (!options.shape.empty()) {
    const ModelConfig config = shape_config(options.shape);
    options.heads_q = config.heads_q;
    options.heads_kv = config.heads_kv;
    options.head_dim = config.head_dim;
  }
  if (options.heads_q < 1 || options.heads_kv < 1 || options.head_dim < 1 ||
      options.heads_q % options.heads_kv != 0) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{} query heads over {} KV heads of {}: not a whole group each",
                            options.heads_q, options.heads_kv, options.head_dim));
  }
  return options;
}

// The mode's plan; what decides its heads is not asked, so routers that decide nothing will do.
AttentionPlan make_plan(const AttentionBenchOptions& options,
                        const std::vector<RouterWeights>& routers) {
  AttentionPlan plan = make_attention_plan(options.mode, {.layers = 1,
                                                          .heads_q = options.heads_q,
                                                          .heads_kv = options.heads_kv,
                                                          .sink = {},
                                                          .local = {},
                                                          .routers = routers});
  if (plan.retrieval == nullptr || plan.sparse == nullptr) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("mode `{}` has one kind of head; name two, as in fa-ssa", options.mode));
  }
  for (const HeadMode* mode : {plan.retrieval.get(), plan.sparse.get()}) {
    if (!mode->places().kernel_loop) continue;
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("mode `{}`: what {} passes over is known inside its loop alone, and the "
                    "reference has no mask to check it with; bench prefill times it",
                    options.mode, mode->name()));
  }
  return plan;
}

// Sparse KV heads of every share asked for, in order; shares that round to the same heads once.
std::vector<std::int64_t> distinct_counts(const AttentionBenchOptions& options) {
  std::vector<std::int64_t> counts;
  for (const double msr : options.msr) {
    const std::int64_t count = std::lround(msr * static_cast<double>(options.heads_kv));
    if (std::find(counts.begin(), counts.end(), count) == counts.end()) counts.push_back(count);
  }
  return counts;
}

Problem make_problem(const AttentionBenchOptions& options, const AttentionPlan& plan,
                     const AttentionInput& input, std::int64_t sparse) {
  Problem p{input, {}, {}, at::empty(input.q.sizes(), input.q.options()), {}, {}};
  for (std::int64_t h = 0; h < options.heads_kv; ++h) p.decision.is_sparse.push_back(h < sparse);
  p.groups = select_heads(plan, p.decision, input);
  SparsityMeter meter(1, options.heads_q / options.heads_kv);
  meter.add(0, p.groups, input.span());
  meter.settle({&p.decision, 1});
  Trace trace;
  meter.fill(trace);
  const double tokens = static_cast<double>(input.k.size(1));
  p.row.mode = plan.describe();
  const BenchDevice where{input.q.device(), input.q.scalar_type()};
  p.row.device = where.name();
  p.row.dtype = where.dtype();
  p.row.heads_q = options.heads_q;
  p.row.heads_kv = options.heads_kv;
  p.row.head_dim = options.head_dim;
  p.row.tokens = input.k.size(1);
  p.row.msr = static_cast<double>(sparse) / static_cast<double>(options.heads_kv);
  p.row.visited_blocks = trace.block_density;
  p.row.visible_flop = (1 - trace.esr.last_layer) * tokens * (tokens + 1) / 2 * 4 *
                       static_cast<double>(options.heads_q * options.head_dim);
  return p;
}

double select(Problem& p, const AttentionPlan& plan) {
  const Stopwatch watch;
  p.groups = select_heads(plan, p.decision, p.input);
  synchronize(p.input.q.device());
  return watch.milliseconds();
}

double run(Problem& p) {
  const Stopwatch watch;
  attention_backend(p.input.q.device()).prefill(p.input, p.groups, p.out, nullptr);
  synchronize(p.input.q.device());
  return watch.milliseconds();
}

AttentionInput gather(const AttentionInput& input, const KindOfHeads& kind) {
  return {at::index_select(input.q, 0, kind.q_heads), at::index_select(input.k, 0, kind.kv_heads),
          at::index_select(input.v, 0, kind.kv_heads), input.q_start, input.scale};
}

void add_kinds(Problem& p, const AttentionPlan& plan) {
  for (const std::uint8_t sparse : {0, 1}) {
    std::vector<int> heads;
    for (const int head : every_head(p.input.k.size(0))) {
      if (p.decision.is_sparse[static_cast<std::size_t>(head)] == sparse) heads.push_back(head);
    }
    if (heads.empty()) continue;
    const at::Device device = p.input.q.device();
    KindOfHeads kind{index_of(query_heads(p.input, heads), device).to(at::kLong),
                     index_of(heads, device).to(at::kLong),
                     {}};
    HeadDecision decision;
    decision.is_sparse.assign(heads.size(), sparse);
    kind.groups = select_heads(plan, decision, gather(p.input, kind));
    p.kinds.push_back(std::move(kind));
  }
}

double run_serial(Problem& p) {
  const Stopwatch watch;
  for (const KindOfHeads& kind : p.kinds) {
    const AttentionInput input = gather(p.input, kind);
    at::Tensor out = at::empty(input.q.sizes(), input.q.options());
    attention_backend(input.q.device()).prefill(input, kind.groups, out, nullptr);
    p.out.index_copy_(0, kind.q_heads, out);
  }
  synchronize(p.input.q.device());
  return watch.milliseconds();
}

// The larger one, and NaN before any number.
void note_error(AttentionBenchRow& row, double error) {
  if (!(error <= row.max_error)) row.max_error = error;
}

void require_small_error(const AttentionBenchRow& row) {
  const double allowed = kTolerance[row.dtype == "fp32" ? 0 : 1];
  if (row.max_error <= allowed) return;
  throw Error(ErrorKind::kMeasurement,
              fmt::format("measurement INVALID: attention of {} tokens at MSR {} is off by {:.2e}",
                          row.tokens, row.msr, row.max_error));
}

// Serial dispatch gives what the one call gave, which was checked.
void check_serial(Problem& p, const AttentionPlan& plan) {
  add_kinds(p, plan);
  const at::Tensor fused = p.out.clone();
  p.out.zero_();
  run_serial(p);
  note_error(p.row, (p.out - fused).abs().max().to(at::kDouble).item<double>());
  require_small_error(p.row);
}

// Rows at the start, around a block border in the middle, and at the end.
void check_result(Problem& p) {
  const std::int64_t tokens = p.input.k.size(1), rows = std::min(kCheckedRows, tokens);
  const at::Tensor q = p.input.q.cpu(), k = p.input.k.cpu(), v = p.input.v.cpu(), out = p.out.cpu();
  for (const std::int64_t wanted : {std::int64_t{0}, tokens / 256 * 128 - 2, tokens - rows}) {
    const std::int64_t first = std::clamp<std::int64_t>(wanted, 0, tokens - rows);
    const AttentionInput slice{q.narrow(1, first, rows), k, v, first, p.input.scale};
    for (const HeadGroup& group : p.groups.groups) {
      const at::Tensor truth =
          reference_attention(slice, group.kv_heads, host_mask(group, p.input.span())).out;
      const std::int64_t per_head = q.size(0) / k.size(0);
      for (const int head : group.kv_heads) {
        const at::Tensor difference =
            out.narrow(0, head * per_head, per_head).narrow(1, first, rows).to(at::kDouble) -
            truth.narrow(0, head * per_head, per_head);
        note_error(p.row, difference.abs().max().item<double>());
      }
    }
  }
  require_small_error(p.row);
}

}  // namespace

std::vector<AttentionBenchRow> bench_attention(const AttentionBenchOptions& given) {
  const AttentionBenchOptions options = with_shape(given);
  const BenchDevice where = bench_device(options.device, options.dtype);
  const std::vector<RouterWeights> routers(1);
  const AttentionPlan plan = make_plan(options, routers);
  const at::TensorOptions type = where.tensors();
  const std::vector<std::int64_t> sparse_counts = distinct_counts(options);
  std::vector<AttentionBenchRow> rows;
  for (const std::int64_t tokens : options.lengths) {
    if (tokens < 1) throw Error(ErrorKind::kInvalidArgument, "a length below one token");
    const AttentionInput input{at::randn({options.heads_q, tokens, options.head_dim}, type),
                               at::randn({options.heads_kv, tokens, options.head_dim}, type),
                               at::randn({options.heads_kv, tokens, options.head_dim}, type), 0,
                               1 / std::sqrt(static_cast<double>(options.head_dim))};
    std::vector<Problem> problems;
    for (const std::int64_t sparse : sparse_counts) {
      problems.push_back(make_problem(options, plan, input, sparse));
      run(problems.back());
      check_result(problems.back());
      if (options.serial) check_serial(problems.back(), plan);
    }
    Times times = take_turns(problems.size(), options.enough, [&](std::size_t i) {
      Problem& p = problems[i];
      p.row.select_milliseconds.push_back(select(p, plan));
      const double milliseconds = run(p);
      if (options.serial) p.row.serial_milliseconds.push_back(run_serial(p));
      return milliseconds;
    });
    for (std::size_t i = 0; i < problems.size(); ++i) {
      problems[i].row.milliseconds = std::move(times[i]);
      rows.push_back(std::move(problems[i].row));
    }
  }
  return rows;
}

}  // namespace elastic::engine
