// `ablate`: routers trained with one setting varied, each run on the same prompts, in one report
// beside the paper's ablation (elastic_attention spec 5.6).

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "base/unicode.h"
#include "engine/api/make_generator.h"
#include "engine/api/tokenizer.h"
#include "harness/commands/command.h"
#include "harness/commands/config_file.h"
#include "harness/commands/flag_values.h"
#include "harness/commands/router_vectors.h"
#include "harness/commands/run_benchmark.h"
#include "harness/commands/run_setup.h"
#include "harness/commands/train_config.h"
#include "reports/ablation.h"
#include "reports/input.h"
#include "reports/render/render.h"
#include "reports/render/write.h"
#include "runs/run_store.h"
#include "tasks/registry.h"
#include "tasks/training/training_mix.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNotice = "stopping after what is in flight; --resume goes on\n";
constexpr const char* kRouted = "fa-ssa";
constexpr const char* kAllRows = "all";

struct AblateFlags {
  std::string config, output, values;
  std::string device = "auto", data_dir;
  bool resume = false;
  double max_minutes = 0;
};

struct Axis {
  const char* name;
  const char* summary;
  const char* values;  // of the paper, and beyond where its figure does not bend yet
  void (*set)(Json& training, const std::string& value);
};

double parse_setting(const std::string& value) {
  constexpr double kMost = 1e6;
  const std::optional<double> number = parse_double(value);
  if (number && *number >= 0 && *number <= kMost) return *number;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("--values: `{}` is no number from 0 to {}", value, kMost));
}

void set_expansion(Json& training, const std::string& value) {
  training["router"]["expansion"] = static_cast<std::int64_t>(parse_setting(value));
}

void set_target(Json& training, const std::string& value) {
  training["data"]["target_sensitive"] = parse_setting(value);
}

void set_pool(Json& training, const std::string& value) {
  Json& router = training["router"];
  router["pooling"] = value == kAllRows ? "full" : "boundary";
  if (value != kAllRows) router["pool_rows"] = static_cast<std::int64_t>(parse_setting(value));
}

// Word lists of a synthetic mixture come from the folder of the evaluation's data, unless the
// training names one of its own.
void set_data_dir(Json& training, const std::string& data_dir) {
  const auto data = training.find("data");
  if (data_dir.empty() || data == training.end() || !data->is_object()) return;
  if (data->value("kind", Json()) == "synthetic" && !data->contains("data_dir")) {
    (*data)["data_dir"] = data_dir;
  }
}

constexpr Axis kAxes[] = {
    {"hidden-size", "Hidden width of the router's MLPs, times head_dim", "2,4,6,8", set_expansion},
    {"target-sparsity", "Target MSR of the sparsity-sensitive families",
     "0.4,0.5,0.6,0.7,0.8,0.9,0.95", set_target},
    {"pool-budget", "Keys pooled at each end of the prompt, or all", "50,100,200,400,800,all",
     set_pool},
};

// The file's two parts; `training` may be the path of a file of its own.
struct AblateConfig {
  Json training, evaluation;
  std::string training_source, evaluation_source;
};

AblateConfig read_ablate_config(const std::string& path) {
  const Json json = read_json(path);
  refuse_unknown_keys({json, path}, {"training", "evaluation"});
  const auto part = [&json](const char* key) {
    const auto found = json.find(key);
    return found == json.end() ? Json::object() : *found;
  };
  AblateConfig config{part("training"), part("evaluation"), path + ": training",
                      path + ": evaluation"};
  if (config.training.is_string()) {
    config.training_source = config.training.get<std::string>();
    config.training = read_json(config.training_source);
  }
  if (!config.training.is_object() || config.training.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                path +
                    ": key `training` is neither a router training's settings nor the path of "
                    "a file with them (docs/ablations.md)");
  }
  return config;
}

RunOptions run_options(const AblateConfig& config, const AblateFlags& flags) {
  CLI::App app;
  RunOptions options;
  std::string unused;
  add_run_flags(app, options, unused);
  for (const char* own : {"model", "modes", "output", "device", "dry_run"}) {
    if (!config.evaluation.is_object() || !config.evaluation.contains(own)) continue;
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: key `{}` is set by the ablation itself; leave it out",
                            config.evaluation_source, own));
  }
  apply_config(app, config.evaluation, config.evaluation_source);
  options.device = flags.device;
  if (!flags.data_dir.empty()) options.data_dir = flags.data_dir;
  return options;
}

using Similarities = std::vector<reports::TaskSimilarity>;

enum class Outcome { kDone, kTimeUp, kStopped };

// One ablation: its folders are OUTPUT/training/<point>, OUTPUT/runs/<point>, OUTPUT/report.
class Ablating {
 public:
  Ablating(const Axis& axis, const AblateFlags& flags)
      : axis_(axis),
        flags_(flags),
        config_(read_ablate_config(flags.config)),
        evaluation_(run_options(config_, flags)),
        settings_(split_list(flags.values.empty() ? axis.values : flags.values)) {
    if (settings_.empty()) throw Error(ErrorKind::kInvalidArgument, "--values names no setting");
    for (const std::string& setting : settings_) training_of(setting);  // errors before the work
  }

  int run() {
    Outcome outcome = Outcome::kDone;
    for (const std::string& setting : settings_) {
      try {
        outcome = point(setting);
      } catch (const Interrupted& stop) {  // while data or a model was prepared
        exit_code_ = kExitSignalBase + stop.signal;
        outcome = Outcome::kStopped;
      }
      if (outcome != Outcome::kDone) break;
      done_.push_back(setting);
    }
    if (!done_.empty()) report(outcome == Outcome::kDone ? similarities() : Similarities());
    const int done = some_failed_ ? kExitSomeFailed : kExitComplete;
    if (outcome == Outcome::kDone) return done;
    log_info(fmt::format("{} of {} settings done; the same command with --resume goes on",
                         done_.size(), settings_.size()));
    return outcome == Outcome::kStopped ? exit_code_ : done;
  }

 private:
  fs::path training_folder(const std::string& setting) const {
    return fs::path(flags_.output) / "training" / run_name(setting);
  }
  fs::path run_folder(const std::string& name) const {
    return fs::path(flags_.output) / "runs" / name;
  }
  std::string run_name(const std::string& setting) const {
    return std::string(axis_.name) + "-" + setting;
  }

  TrainConfig training_of(const std::string& setting) const {
    Json json = config_.training;
    axis_.set(json, setting);
    set_data_dir(json, evaluation_.data_dir);
    TrainConfig config = parse_train_config(json, config_.training_source);
    engine::TrainOptions& options = config.options;
    require_base(options, config_.training_source);
    options.output = training_folder(setting);
    options.device = flags_.device;
    options.resume = flags_.resume;
    return config;
  }

  // Minutes left of --max-minutes; 0 = no limit.
  double minutes_left() const {
    constexpr double kLeast = 1e-3;
    if (flags_.max_minutes == 0) return 0;
    return std::max(kLeast, flags_.max_minutes - watch_.seconds() / 60);
  }
  bool time_is_up() const {
    return flags_.max_minutes > 0 && watch_.seconds() > flags_.max_minutes * 60;
  }

  Outcome point(const std::string& setting) {
    if (time_is_up()) return Outcome::kTimeUp;
    log_info(
        fmt::format("{} {} ({} of {})", axis_.name, setting, done_.size() + 1, settings_.size()));
    const Outcome trained = train(setting);
    if (trained != Outcome::kDone) return trained;
    if (done_.empty()) {  // the routers do not matter to fa and ssa: once is enough
      const Outcome baseline = evaluate(setting, "baseline", "fa,ssa");
      if (baseline != Outcome::kDone) return baseline;
    }
    return evaluate(setting, run_name(setting), kRouted);
  }

  Outcome train(const std::string& setting) {
    TrainConfig config = training_of(setting);
    config.options.max_minutes = minutes_left();
    const InterruptGuard guard(kNotice);
    const engine::Tokenizer tokenizer = engine::Tokenizer::load(config.options.tokenizer);
    const engine::BatchSource source = tasks::make_training_mix(config.data, tokenizer);
    const engine::TrainResult result = engine::train_router(config.options, source);
    if (result.end == engine::TrainEnd::kInterrupted) {
      exit_code_ = kExitSignalBase + result.signal;
      return Outcome::kStopped;
    }
    return result.end == engine::TrainEnd::kTimeUp ? Outcome::kTimeUp : Outcome::kDone;
  }

  Outcome evaluate(const std::string& setting, const std::string& name, const char* modes) {
    RunOptions options = evaluation_;
    options.model = training_folder(setting).string();
    options.modes = modes;
    options.output = run_folder(name).string();
    options.resume = flags_.resume;
    exit_code_ = run_benchmark(options, RunTable::kNone);
    some_failed_ = some_failed_ || exit_code_ == kExitSomeFailed;
    return exit_code_ >= kExitSignalBase ? Outcome::kStopped : Outcome::kDone;
  }

  // Of every router over the evaluation's samples; empty where these are of one task.
  Similarities similarities() const {
    RunOptions options = evaluation_;
    options.model = training_folder(done_.front()).string();
    options.modes = kRouted;
    const std::vector<TaskPrompts> prompts = task_prompts(set_up(options), Grouping::kTask);
    Similarities all;
    if (prompts.size() < 2) return all;
    const InterruptGuard guard(kNotice);
    for (const std::string& setting : done_) {
      const auto generator = engine::make_generator(
          {.model = training_folder(setting), .device = flags_.device, .dtype = evaluation_.dtype});
      generator->set_mode(kRouted);
      for (reports::TaskSimilarity& one : router_similarity(*generator, prompts, {0})) {
        all.push_back(std::move(one));
      }
    }
    return all;
  }

  void report(const Similarities& similarities) const {
    std::vector<runs::RunData> runs{runs::read_run(run_folder("baseline").string())};
    reports::Ablation ablation{axis_.name, kRouted, 0, {}};
    std::vector<reports::TrainingCurves> trainings;
    for (const std::string& setting : done_) {
      trainings.push_back(reports::read_training_curves(training_folder(setting)));
      ablation.points.push_back({setting, runs.size(), trainings.back()});
      runs.push_back(runs::read_run(run_folder(run_name(setting)).string()));
    }
    const reports::ReportInput input = reports::make_input(std::move(runs), tasks::suite_titles());
    const fs::path folder = fs::path(flags_.output) / "report";
    const reports::WriteOptions options{.output = folder,
                                        .plotly_js = plotly_path(evaluation_.data_dir)};
    const reports::Document document = reports::ablation_document(ablation, input);
    std::vector<reports::Document> first{document, reports::training_document(trainings)};
    if (!similarities.empty()) first.push_back(reports::task_similarity_document(similarities));
    reports::write_report(input, options, first);
    for (const reports::Table& table : document.tables) {
      fmt::print("{}\n\n{}\n", visible(table.title), reports::markdown_table(table));
    }
    log_info("open " + fs::absolute(folder / "report.html").string());
  }

  const Axis& axis_;
  AblateFlags flags_;
  AblateConfig config_;
  RunOptions evaluation_;
  std::vector<std::string> settings_, done_;
  Stopwatch watch_;
  int exit_code_ = kExitComplete;  // of the last run, or of the signal that stopped a training
  bool some_failed_ = false;
};

}  // namespace

void add_ablate(CLI::App& sub, int& exit_code) {
  sub.require_subcommand(1);
  for (const Axis& axis : kAxes) {
    CLI::App& part = *sub.add_subcommand(axis.name, axis.summary);
    const auto flags = std::make_shared<AblateFlags>();
    part.add_option("--config", flags->config,
                    "JSON file: `training` (a router training) and `evaluation` (flags of run); "
                    "docs/ablations.md")
        ->check(input_file())
        ->required();
    part.add_option(kOutputFlag, flags->output, "Folder for trainings, runs and the report")
        ->required();
    part.add_option("--values,--value", flags->values,
                    fmt::format("Comma-separated settings (default {})", axis.values));
    part.add_option("--device", flags->device, "cpu, cuda or auto")->capture_default_str();
    part.add_option("--data-dir", flags->data_dir, "Folder of benchmark data");
    part.add_flag("--resume", flags->resume, "Go on where an earlier command stopped");
    part.add_option("--max-minutes", flags->max_minutes, "Stop with a checkpoint after this time")
        ->transform(real_number(0, kMostMinutes));
    part.callback([&exit_code, &axis, flags] { exit_code = Ablating(axis, *flags).run(); });
  }
}

}  // namespace elastic::harness
