#include "harness/train/ablation.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/text.h"
#include "datasets/folders.h"
#include "engine/api/make_generator.h"
#include "harness/evaluate/evaluate.h"
#include "harness/evaluate/router_similarity.h"
#include "harness/train/train_config.h"
#include "reports/ablation.h"
#include "reports/input.h"
#include "reports/render/write.h"
#include "runs/run_store.h"
#include "tasks/registry.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNotice = "stopping after what is in flight; --resume goes on\n";
constexpr const char* kRouted = "fa-ssa";
constexpr const char* kAllRows = "all";

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

constexpr AblationAxis kAxes[] = {
    {"hidden-size", "Hidden width of the router's MLPs, times head_dim", "2,4,6,8", set_expansion},
    {"target-sparsity", "Target MSR of the sparsity-sensitive families",
     "0.4,0.5,0.6,0.7,0.8,0.9,0.95", set_target},
    {"pool-budget", "Keys pooled at each end of the prompt, or all", "50,100,200,400,800,all",
     set_pool},
};

// Word lists of a synthetic mixture come from the folder of the evaluation's data, unless the
// training names one of its own.
void set_data_dir(Json& training, const std::string& data_dir) {
  const auto data = training.find("data");
  if (data_dir.empty() || data == training.end() || !data->is_object()) return;
  if (data->value("kind", Json()) == "synthetic" && !data->contains("data_dir")) {
    (*data)["data_dir"] = data_dir;
  }
}

using Similarities = std::vector<reports::TaskSimilarity>;

enum class Outcome { kDone, kTimeUp, kStopped };

class Ablation {
 public:
  Ablation(const AblationAxis& axis, const AblationOptions& options)
      : axis_(axis), options_(options) {
    if (options.settings.empty()) {
      throw Error(ErrorKind::kInvalidArgument, "--values names no setting");
    }
    for (const std::string& setting : options.settings) training_of(setting);  // errors first
  }

  AblationResult run() {
    Outcome outcome = Outcome::kDone;
    for (const std::string& setting : options_.settings) {
      try {
        outcome = point(setting);
      } catch (const Interrupted& stop) {  // while data or a model was prepared
        outcome = stopped(stop.signal);
      }
      if (outcome != Outcome::kDone) break;
      done_.push_back(setting);
    }
    result_.done = done_.size();
    if (!done_.empty()) report(outcome == Outcome::kDone ? similarities() : Similarities());
    return std::move(result_);
  }

 private:
  fs::path training_folder(const std::string& setting) const {
    return options_.output / "training" / run_name(setting);
  }
  fs::path run_folder(const std::string& name) const { return options_.output / "runs" / name; }
  std::string run_name(const std::string& setting) const {
    return std::string(axis_.name) + "-" + setting;
  }

  Outcome stopped(int signal) {
    result_.signal = signal;
    return Outcome::kStopped;
  }

  TrainConfig training_of(const std::string& setting) const {
    Json json = options_.training;
    axis_.set(json, setting);
    set_data_dir(json, options_.evaluation.data_dir);
    TrainConfig config = parse_train_config(json, options_.training_source);
    engine::TrainOptions& options = config.options;
    require_base(options, options_.training_source);
    options.output = training_folder(setting);
    options.export_as = engine::TrainExport::kModel;  // each setting runs as a model of its own
    options.device = options_.evaluation.device;
    options.resume = options_.resume;
    return config;
  }

  // Minutes left of max_minutes; 0 = no limit.
  double minutes_left() const {
    constexpr double kLeast = 1e-3;
    if (options_.max_minutes == 0) return 0;
    return std::max(kLeast, options_.max_minutes - watch_.seconds() / 60);
  }
  bool time_is_up() const {
    return options_.max_minutes > 0 && watch_.seconds() > options_.max_minutes * 60;
  }

  Outcome point(const std::string& setting) {
    if (time_is_up()) return Outcome::kTimeUp;
    log_info(fmt::format("{} {} ({} of {})", axis_.name, setting, done_.size() + 1,
                         options_.settings.size()));
    const Outcome trained = train(setting);
    if (trained != Outcome::kDone) return trained;
    if (done_.empty()) {  // the routers do not matter to fa and ssa: once is enough
      const Outcome baseline = evaluate_modes(setting, "baseline", "fa,ssa");
      if (baseline != Outcome::kDone) return baseline;
    }
    return evaluate_modes(setting, run_name(setting), kRouted);
  }

  Outcome train(const std::string& setting) {
    TrainConfig config = training_of(setting);
    config.options.max_minutes = minutes_left();
    const InterruptGuard guard(kNotice);
    const engine::TrainResult result = run_training(config, engine::train_router);
    if (result.end == engine::TrainEnd::kInterrupted) return stopped(result.signal);
    return result.end == engine::TrainEnd::kTimeUp ? Outcome::kTimeUp : Outcome::kDone;
  }

  Outcome evaluate_modes(const std::string& setting, const std::string& name, const char* modes) {
    RunOptions options = options_.evaluation;
    options.model = training_folder(setting).string();
    options.modes = modes;
    options.output = run_folder(name).string();
    options.resume = options_.resume;
    const Ranks ranks = ranks_from_environment();
    set_log_rank(ranks.rank);
    const RunOutcome outcome = evaluate(set_up(options), ranks);
    if (outcome.signal) return stopped(*outcome.signal);
    log_failures(outcome);
    result_.some_failed = result_.some_failed || outcome.failed > 0;
    return Outcome::kDone;
  }

  // Of every router over the evaluation's samples; empty where these are of one task.
  Similarities similarities() const {
    RunOptions options = options_.evaluation;
    options.model = training_folder(done_.front()).string();
    options.modes = kRouted;
    const std::vector<TaskPrompts> prompts = task_prompts(set_up(options), Grouping::kTask);
    Similarities all;
    if (prompts.size() < 2) return all;
    const InterruptGuard guard(kNotice);
    for (const std::string& setting : done_) {
      const auto generator = engine::make_generator(
          {.model = training_folder(setting), .device = options.device, .dtype = options.dtype});
      generator->set_mode(kRouted);
      for (reports::TaskSimilarity& one : router_similarity(*generator, prompts, {0})) {
        all.push_back(std::move(one));
      }
    }
    return all;
  }

  void report(const Similarities& similarities) {
    std::vector<runs::RunData> runs{runs::read_run(run_folder("baseline").string())};
    reports::Ablation ablation{axis_.name, kRouted, 0, {}};
    std::vector<reports::TrainingCurves> trainings;
    for (const std::string& setting : done_) {
      trainings.push_back(reports::read_training_curves(training_folder(setting)));
      ablation.points.push_back({setting, runs.size(), trainings.back()});
      runs.push_back(runs::read_run(run_folder(run_name(setting)).string()));
    }
    const reports::ReportInput input = reports::make_input(std::move(runs), tasks::suite_titles());
    const fs::path folder = options_.output / "report";
    const reports::WriteOptions write{
        .output = folder, .plotly_js = datasets::plotly_script(options_.evaluation.data_dir)};
    reports::Document document = reports::ablation_document(ablation, input);
    std::vector<reports::Document> first{document, reports::training_document(trainings)};
    if (!similarities.empty()) first.push_back(reports::task_similarity_document(similarities));
    reports::write_report(input, write, first);
    result_.tables = std::move(document.tables);
    result_.page = folder / "report.html";
  }

  const AblationAxis& axis_;
  const AblationOptions& options_;
  std::vector<std::string> done_;
  Stopwatch watch_;
  AblationResult result_;
};

}  // namespace

std::span<const AblationAxis> ablation_axes() { return kAxes; }

AblationFile read_ablation_file(const std::string& path) {
  const Json json = read_json(path);
  refuse_unknown_keys({json, path}, {"training", "evaluation"});
  const auto part = [&json](const char* key) {
    const auto found = json.find(key);
    return found == json.end() ? Json::object() : *found;
  };
  AblationFile file{part("training"), part("evaluation"), path + ": training",
                    path + ": evaluation"};
  if (file.training.is_string()) {
    file.training_source = file.training.get<std::string>();
    file.training = read_json(file.training_source);
  }
  if (!file.training.is_object() || file.training.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                path +
                    ": key `training` is neither a router training's settings nor the path of "
                    "a file with them (docs/ablations.md)");
  }
  return file;
}

AblationResult run_ablation(const AblationAxis& axis, const AblationOptions& options) {
  return Ablation(axis, options).run();
}

}  // namespace elastic::harness
