// What one layer takes, without weights: attention of all heads in one call against serial dispatch
// (figure 4), and the router (figure 10).

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "base/text.h"
#include "engine/api/attention_bench.h"
#include "engine/api/router_bench.h"
#include "harness/reproduce/experiments.h"
#include "harness/reproduce/paper_models.h"
#include "harness/reproduce/points.h"
#include "reports/paper_rows.h"
#include "reports/published.h"

namespace elastic::harness {
namespace {

using reports::ReproducedNumber;

constexpr int kRouterTurns = 50;

engine::Enough point_turns(const ReproduceOptions& options, int usual) {
  return engine::repetitions(static_cast<std::size_t>(point_repetitions(options, usual)));
}

Json measure_fused(const ReproduceOptions& options, std::int64_t length, double msr) {
  const auto rows = engine::bench_attention({.shape = options.shape,
                                             .lengths = {length},
                                             .msr = {msr},
                                             .device = point_device(options),
                                             .dtype = options.run.dtype,
                                             .enough = point_turns(options, kTurns),
                                             .serial = true});
  const engine::AttentionBenchRow& row = rows.front();
  return {{"device", row.device},
          {"dtype", row.dtype},
          {"mode", row.mode},
          {"heads", {row.heads_q, row.heads_kv, row.head_dim}},
          {"msr", row.msr},
          {"fused_ms", row.milliseconds},
          {"serial_ms", row.serial_milliseconds}};
}

ReproducedNumber fused_number(const ReproduceOptions& options, const std::string& length,
                              const std::string& msr, const Json& point) {
  ReproducedNumber number{.row = length, .column = msr, .quantity = "speedup"};
  reports::set_published(reports::find_published("fig4", "", length, msr, "speedup"), number);
  number.measured = ratio_of_turns(point.at("serial_ms").get<std::vector<double>>(),
                                   point.at("fused_ms").get<std::vector<double>>());
  number.obstacles = point_obstacles(options, point);
  if (point.at("heads") != Json({32, 8, 128})) {
    number.obstacles.emplace_back("other heads than the paper's models have");
  }
  if (std::abs(point.at("msr").get<double>() - *parse_double(msr)) > 1e-9) {
    number.obstacles.push_back(fmt::format("an MSR of {:.3f} is as near as whole heads come",
                                           point.at("msr").get<double>()));
  }
  return number;
}

Json measure_router(const ReproduceOptions& options, std::int64_t length) {
  const auto rows = engine::bench_router({.shape = options.shape,
                                          .lengths = {length},
                                          .device = point_device(options),
                                          .dtype = options.run.dtype,
                                          .enough = point_turns(options, kRouterTurns)});
  const engine::RouterBenchRow& row = rows.front();
  return {{"device", row.device},   {"dtype", row.dtype},
          {"layers", row.layers},   {"heads_kv", row.heads_kv},
          {"ms", row.milliseconds}, {"composed_ms", row.composed_milliseconds}};
}

}  // namespace

Reproduced reproduce_fused(const Experiment& experiment, const ReproduceOptions& options) {
  const InterruptGuard guard(kPointNotice);
  reports::Reproduction made{.experiment = experiment.name, .title = experiment.title};
  std::vector<Json> points;
  for (const std::int64_t length :
       point_lengths(options, reports::paper_rows(experiment.name, ""))) {
    for (const std::string& msr : reports::paper_columns_of(experiment.name)) {
      const Json point =
          measured_point({options.run.output, fmt::format("fused-{}-{}", length, msr),
                          point_settings(options, point_repetitions(options, kTurns))},
                         [&] { return measure_fused(options, length, *parse_double(msr)); });
      made.numbers.push_back(fused_number(options, paper_length(length), msr, point));
      points.push_back(point);
    }
  }
  made.how = fmt::format(
      "Attention of one layer, {} on {}: time of serial dispatch (heads of each kind gathered, "
      "attended one kind after the other, written back) over that of one call for all heads, both "
      "by this program's kernels in turns.",
      points.front().at("mode").get<std::string>(), machines_of(points));
  return {.reproduction = std::move(made)};
}

Reproduced reproduce_router(const Experiment& experiment, const ReproduceOptions& options) {
  const InterruptGuard guard(kPointNotice);
  reports::Reproduction made{.experiment = experiment.name, .title = experiment.title};
  const Json settings = point_settings(options, point_repetitions(options, kRouterTurns));
  std::vector<Json> points;
  for (const std::int64_t length :
       point_lengths(options, reports::paper_columns_of(experiment.name))) {
    const Json point =
        measured_point({options.run.output, fmt::format("router-{}", length), settings},
                       [&] { return measure_router(options, length); });
    points.push_back(point);
    const double per_layer = 1 / point.at("layers").get<double>();
    for (const auto& [row, times] :
         {std::pair("router", "ms"), {"router, composed", "composed_ms"}}) {
      ReproducedNumber number{.row = row, .column = paper_length(length), .quantity = "ms"};
      reports::set_published(
          reports::find_published(experiment.name, "", "router", number.column, "ms"), number);
      number.measured = median_of_turns(point.at(times).get<std::vector<double>>(), per_layer);
      number.obstacles = point_obstacles(options, point);
      number.obstacles.emplace_back("another card than the paper's, which it does not name");
      made.numbers.push_back(std::move(number));
    }
  }
  made.how = fmt::format(
      "Routers of all layers of {}, {} on {}, time of one: as the engine runs them, on a GPU by a "
      "kernel in 16 bits, and composed of LibTorch's operations, as the paper's is. The paper "
      "pools "
      "32 heads, here there are the model's KV heads.",
      options.shape, points.front().at("dtype").get<std::string>(), machines_of(points));
  return {.reproduction = std::move(made)};
}

}  // namespace elastic::harness
