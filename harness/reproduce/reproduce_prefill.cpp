// Prefill speed-up and effective sparsity by length (figures 8 and 12): from a run where a model is
// given, its scores beside them; else a shape with random weights, its heads dealt out at the
// paper's MSR, since routers of random weights decide nothing.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "engine/api/mode_list.h"
#include "harness/bench/model_bench.h"
#include "harness/bench/prefill_times.h"
#include "harness/reproduce/experiments.h"
#include "harness/reproduce/paper_models.h"
#include "harness/reproduce/points.h"
#include "reports/paper_rows.h"
#include "reports/published.h"

namespace elastic::harness {
namespace {

using reports::ReproducedNumber;

// A row of the figures on random weights. MSR: what routed rows have on RULER (table 2), and the
// baselines' own.
struct ShapeRow {
  const char* name;
  const char* mode;
  bool by_default;  // the others are composed of library operations here
};
constexpr ShapeRow kRows[] = {
    {"FA-SSA", "fa-ssa:heads=random,sparsity=0.65", true},
    {"FA-XA", "fa-xa:heads=random,sparsity=0.72", true},
    {"XA-SSA", "xa-ssa:heads=random,sparsity=0.65", true},
    {"XAttention", "xa", true},
    {"DuoAttention", "fa-ssa:heads=random,sparsity=0.7,sink=128,local=1024", true},
    {"PruLong", "fa-ssa:heads=random,sparsity=0.7,sink=128,local=1024", true},
    {"MoBA", "moba", false},
    {"InfLLM-V2", "infllm2", false},
    {"NSA", "nsa", false},
};

struct Row {
  std::string name, mode;  // mode empty: not measured
};

// The rows of the figure; of --modes those that are named there, by row or by mode.
std::vector<Row> rows_of(const Experiment& experiment, const std::string& asked) {
  const std::vector<std::string> modes = engine::split_modes(asked);
  std::vector<Row> rows;
  for (const std::string& name : reports::paper_rows(experiment.name, kLlama)) {
    const auto* known = std::find_if(std::begin(kRows), std::end(kRows),
                                     [&name](const ShapeRow& row) { return name == row.name; });
    check(known != std::end(kRows), "a mode for every row of figures 8 and 12");
    const bool wanted =
        asked.empty() ? known->by_default
                      : std::any_of(modes.begin(), modes.end(), [known](const std::string& mode) {
                          return mode == known->mode || mode == engine::mode_name(known->mode);
                        });
    rows.push_back({name, wanted ? known->mode : ""});
  }
  return rows;
}

std::vector<std::string> modes_of(const std::vector<Row>& rows) {
  std::vector<std::string> modes{std::string(engine::kDenseMode)};
  for (const Row& row : rows) {
    if (!row.mode.empty() && std::find(modes.begin(), modes.end(), row.mode) == modes.end()) {
      modes.push_back(row.mode);
    }
  }
  if (modes.size() == 1) {
    throw Error(ErrorKind::kInvalidArgument, "--modes names none of the figure's rows");
  }
  return modes;
}

Json json_of(const PrefillTimes& times) {
  return {{"mode", times.mode},
          {"ms", part_of(times, &PrefillSplit::prefill)},
          {"attention_ms", part_of(times, &PrefillSplit::attention)},
          {"msr", times.trace.msr},
          {"esr", times.trace.esr.last_query},
          {"visited_blocks", times.trace.block_density},
          {"peak_bytes", times.peak_bytes}};
}

// Of one mode that the memory is too small for, as MoBA's is at 256K in the paper.
Json json_of(const std::string& mode, const std::string& error) {
  return {{"mode", mode}, {"error", error}};
}

// All modes at one length, in turns.
Json measure_length(engine::Generator& engine, const std::vector<std::string>& modes,
                    std::int64_t tokens, int repetitions) {
  std::vector<PrefillTimes> times(modes.size(), PrefillTimes{.tokens = tokens});
  std::vector<std::string> errors(modes.size());
  const auto run = [&](std::size_t i, bool keep) {
    if (!errors[i].empty()) return 0.0;
    try {
      return run_prefill(engine, modes[i], times[i], keep);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kOutOfMemory || i == 0) throw;
      errors[i] = error.what();
      return 0.0;
    }
  };
  take_turns(fmt::format("{} tokens", tokens), modes, {.repetitions = repetitions}, run);
  Json result = {{"model", engine.model().name},
                 {"device", engine.device()},
                 {"dtype", engine.dtype()},
                 {"modes", Json::object()}};
  for (std::size_t i = 0; i < modes.size(); ++i) {
    result["modes"][modes[i]] =
        errors[i].empty() ? json_of(times[i]) : json_of(modes[i], errors[i]);
  }
  return result;
}

std::vector<std::string> obstacles_of(const ReproduceOptions& options, const Json& point,
                                      const std::string& mode, const std::string& quantity) {
  std::vector<std::string> obstacles = point_obstacles(options, point);
  if (options.shape != "llama-3.1-8b") obstacles.emplace_back("another shape than the paper's");
  if (mode.find("xa") != std::string::npos) {
    obstacles.emplace_back("random keys, of which XAttention keeps nearly all blocks");
  }
  if (quantity == "esr" && mode.find("heads=random") != std::string::npos) {
    obstacles.emplace_back("heads drawn at random: whole ones of the last layer's few");
  }
  return obstacles;
}

void add_numbers(const ReproduceOptions& options, const Row& row, std::int64_t length,
                 const Json& point, reports::Reproduction& made) {
  for (const char* quantity : {"speedup", "esr"}) {
    ReproducedNumber number{.row = row.name, .column = paper_length(length), .quantity = quantity};
    reports::set_published(
        reports::find_published(made.experiment, kLlama, row.name, number.column, quantity),
        number);
    const Json none = {{"error",
                        "not measured unless --modes asks for it: composed of library "
                        "operations here, slow and not representative"}};
    const Json& mode = row.mode.empty() ? none : point.at("modes").at(row.mode);
    if (mode.contains("error")) {
      if (!number.published) continue;
      number.obstacles = {mode.at("error").get<std::string>()};
    } else {
      const Json& dense = point.at("modes").at(std::string(engine::kDenseMode));
      number.obstacles = obstacles_of(options, point, row.mode, quantity);
      if (std::string_view(quantity) == "speedup") {
        number.measured = ratio_of_turns(dense.at("ms").get<std::vector<double>>(),
                                         mode.at("ms").get<std::vector<double>>());
      } else {
        number.measured = runs::Estimate{mode.at("esr"), std::nullopt, 1, "of one prompt"};
      }
    }
    made.numbers.push_back(std::move(number));
  }
}

}  // namespace

Reproduced reproduce_prefill(const Experiment& experiment, const ReproduceOptions& options) {
  if (!options.run.model.empty()) return reproduce_samples(experiment, options);
  const InterruptGuard guard(kPointNotice);
  const std::vector<Row> rows = rows_of(experiment, options.run.modes);
  const std::vector<std::string> modes = modes_of(rows);
  const int repetitions = point_repetitions(options, kTurns);
  Json settings = point_settings(options, repetitions);
  settings["modes"] = modes;
  ModelBenchOptions bench;
  bench.shape = options.shape;
  bench.random_weights = true;
  bench.layers = options.layers;
  bench.device = point_device(options);
  bench.dtype = options.run.dtype;
  std::unique_ptr<engine::Generator> engine;  // opened where there is something to measure
  reports::Reproduction made{
      .experiment = experiment.name, .title = experiment.title, .paper_model = kLlama};
  std::vector<Json> points;
  for (const std::int64_t length :
       point_lengths(options, reports::paper_columns_of(experiment.name))) {
    const Json point = measured_point(
        {options.run.output, fmt::format("{}-{}", experiment.name, length), settings}, [&] {
          if (!engine) engine = open_engine(bench);
          return measure_length(*engine, modes, length, repetitions);
        });
    made.model = point.at("model");
    points.push_back(point);
    for (const Row& row : rows) add_numbers(options, row, length, point, made);
  }
  made.how = fmt::format(
      "Whole prefills of {}, {} on {}, modes in turns; speed-up over this program's dense "
      "attention in "
      "the same turn. Scores are not measured without weights (--model).",
      made.model, points.front().at("dtype").get<std::string>(), machines_of(points));
  return {.reproduction = std::move(made)};
}

}  // namespace elastic::harness
