#include "engine/train/training.h"

#include <fmt/format.h>

#include <filesystem>
#include <future>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/config/model_config.h"
#include "engine/config/shapes.h"
#include "engine/device/device.h"
#include "engine/io/checkpoint.h"
#include "engine/train/parameters.h"
#include "engine/train/train_options.h"

namespace elastic::engine {
namespace {

at::ScalarType compute_type(TrainType type, at::Device device) {
  if (type == TrainType::kAuto) return device.is_cpu() ? at::kFloat : at::kBFloat16;
  return type == TrainType::kBf16 ? at::kBFloat16 : at::kFloat;
}

Training start(const TrainOptions& options, bool routed) {
  check_options(options, routed);
  Training t;
  t.options = options;
  t.routed = routed;
  t.device = resolve_device(options.device);
  t.compute = compute_type(options.dtype, t.device);
  if (!writes_output(options)) return t;
  create_folders(options.output);
  t.lock = std::make_unique<FileLock>(options.output / ".lock", FileLock::Wait::kNo);
  return t;
}

// Loads the base's weight files and hashes them at the same time.
void load_base(Training& t, at::ScalarType type) {
  const Checkpoint checkpoint(t.options.base);
  std::uintmax_t bytes = 0;
  for (const auto& file : checkpoint.files()) bytes += std::filesystem::file_size(file);
  log_info(fmt::format("loading {} ({})", t.options.base.string(),
                       format_bytes(static_cast<std::int64_t>(bytes))));
  std::future<std::string> hash =
      std::async(std::launch::async, [&] { return checkpoint.sha256(); });
  t.weights = load_weights(checkpoint, read_model_config(t.options.base), type, t.device);
  t.base_sha256 = hash.get();
}

void refuse_adapter(const TrainOptions& options) {
  if (options.export_as == TrainExport::kModel) return;
  throw Error(ErrorKind::kInvalidArgument,
              "training option `export` is `adapter`: only `train router` makes routers; leave it "
              "out");
}

// Of the documents that rank 0 draws first: files of one name may hold other data on another host.
std::string first_batch_sha256(const BatchSource& source, const TrainOptions& o,
                               std::int64_t step) {
  std::string hashes;
  const double progress = static_cast<double>(step) / static_cast<double>(o.steps);
  for (const TrainingDocument& document : source.draw({.step = step,
                                          .micro_steps = o.micro_steps,
                                          .world = o.processes.world,
                                          .progress = progress})) {
    hashes += sha256_ids(document.ids);
  }
  return sha256_hex(hashes);
}

}  // namespace

bool writes_output(const TrainOptions& options) {
  return !options.output.empty() && options.processes.rank == 0;
}

Training set_up_router(const TrainOptions& options, const BatchSource& source) {
  Training t = start(options, true);
  if (options.random_shape.empty()) {
    const std::filesystem::path config = options.base / "config.json";
    load_base(t, t.compute);
    t.sparse = make_sparse_mode(options.router, t.weights.config);
    t.config_json =
        options.export_as == TrainExport::kAdapter
            ? dump_pretty(routing_keys(options.router, *t.sparse))
            : routed_config(read_file(config), config.string(), options.router, *t.sparse);
  } else {
    t.weights =
        random_weights(shape_config(options.random_shape), t.compute, t.device, options.seed);
    t.sparse = make_sparse_mode(options.router, t.weights.config);
  }
  add_routers(t.weights, options.router, options.seed);
  t.multipliers = make_multipliers(source.tasks, options.regularizer, options.seed, t.device);
  t.identity = identity(t, source.tasks);
  return t;
}

Training set_up_heads(const TrainOptions& options, const BatchSource& source) {
  refuse_adapter(options);
  Training t = start(options, true);
  load_base(t, t.compute);
  t.weights.routers.clear();
  RouterOptions window;
  window.sink = options.heads.sink;
  window.local = options.heads.local;
  t.sparse = make_sparse_mode(window, t.weights.config);
  t.heads = make_head_gates(options.heads, t.weights.config, t.device);
  std::vector<TrainingTask> tasks = source.tasks;
  for (TrainingTask& task : tasks) task.target_sparsity = options.heads.target;
  t.multipliers = make_multipliers(tasks, options.regularizer, options.seed, t.device);
  t.config_json = read_file(options.base / "config.json");
  t.identity = identity(t, tasks);
  return t;
}

Training set_up_backbone(const TrainOptions& options, const BatchSource& source) {
  refuse_adapter(options);
  Training t = start(options, false);
  if (options.base.empty()) {
    t.config_json = options.config_json;
    const Json config = parse_json(options.config_json, "model config");
    t.weights =
        initial_weights(parse_model_config({config, "model config"}), options.seed, t.device);
  } else {
    t.config_json = read_file(options.base / "config.json");
    load_base(t, at::kFloat);
  }
  if (!t.weights.routers.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: has routers, which would not fit another backbone; give the "
                            "checkpoint they were trained for",
                            options.base.string()));
  }
  t.identity = identity(t, source.tasks);
  return t;
}

void agree(const Training& t, const BatchSource& source, std::int64_t step) {
  if (!t.group) return;
  Json settings = parse_json(t.identity, "identity of the training");
  settings["steps done"] = step;
  if (step < t.options.steps) {
    settings["first batch sha256"] = first_batch_sha256(source, t.options, step);
  }
  t.group->agree(settings.dump());
}

}  // namespace elastic::engine
