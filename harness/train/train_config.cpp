#include "harness/train/train_config.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "engine/api/tokenizer.h"
#include "harness/run/model_path.h"
#include "tasks/training/training_mix.h"

namespace elastic::harness {
namespace {

// Reads an object's keys into fields; keys that nobody read are an error.
class Fields {
 public:
  Fields(const Json& object, std::string source) : object_(object), source_(std::move(source)) {
    if (!object_.is_object()) {
      throw Error(ErrorKind::kCorrupt, fmt::format("{}: expected a JSON object", source_));
    }
  }

  void read(const char* key, double& field) { field = get<double>(key, field); }
  void read(const char* key, bool& field) { field = get<bool>(key, field); }
  void read(const char* key, std::string& field) { field = get<std::string>(key, field); }
  void read(const char* key, std::int64_t& field) { field = get<std::int64_t>(key, field); }
  void read(const char* key, int& field) {
    const auto value = get<std::int64_t>(key, field);
    constexpr std::int64_t kMost = 1 << 20;
    if (value < -kMost || value > kMost) {
      throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: `{}` is {}", source_, key, value));
    }
    field = static_cast<int>(value);
  }
  void read(const char* key, std::uint64_t& field) {
    field = static_cast<std::uint64_t>(get<std::int64_t>(key, static_cast<std::int64_t>(field)));
  }
  void read(const char* key, std::filesystem::path& field) {
    field = get<std::string>(key, field.string());
  }
  /// `option` names it in errors.
  template <typename Enum>
  void read_word(const char* key, const char* option, Enum& field) {
    field = engine::word_value<Enum>(option, get<std::string>(key, engine::to_word(field)));
  }
  /// The object itself; an empty one where the key is absent.
  Json object(const char* key) {
    known_.emplace_back(key);
    const auto it = object_.find(key);
    if (it == object_.end()) return Json::object();
    if (it->is_object()) return *it;
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: expected a JSON object", inside(key)));
  }
  std::string inside(const char* key) const { return fmt::format("{}: {}", source_, key); }

  void finish() const { refuse_unknown_keys({object_, source_}, known_); }

 private:
  template <typename T>
  T get(const char* key, const T& fallback) {
    known_.emplace_back(key);
    return json_get_or<T>({object_, source_}, key, fallback);
  }

  const Json& object_;
  std::string source_;
  std::vector<std::string> known_;
};

void read_loss(Fields fields, engine::LossOptions& loss) {
  fields.read_word("lm", "loss.lm", loss.lm);
  fields.read("other_share", loss.other_share);
  fields.read("other_weight", loss.other_weight);
  fields.finish();
}

void read_optimizer(Fields fields, engine::OptimizerOptions& o) {
  fields.read("lr", o.lr);
  fields.read("beta1", o.beta1);
  fields.read("beta2", o.beta2);
  fields.read("eps", o.eps);
  fields.read("weight_decay", o.weight_decay);
  fields.read("clip", o.clip);
  fields.read("warmup", o.warmup);
  fields.read("hold", o.hold);
  fields.read("floor", o.floor);
  fields.finish();
}

void read_router(Fields fields, engine::RouterOptions& r) {
  fields.read("expansion", r.expansion);
  fields.read_word("init", "router.init", r.init);
  fields.read_word("pooling", "router.pooling", r.pooling);
  fields.read("pool_rows", r.pool_rows);
  fields.read("sparse", r.sparse);
  fields.read("sink", r.sink);
  fields.read("local", r.local);
  fields.read_word("tau_schedule", "router.tau_schedule", r.tau_schedule);
  fields.read("tau_start", r.tau_start);
  fields.read("tau_end", r.tau_end);
  fields.read("tau_share", r.tau_share);
  fields.read("tau_rate", r.tau_rate);
  fields.finish();
}

void read_regularizer(Fields fields, engine::RegularizerOptions& r) {
  fields.read("signed", r.signed_form);
  fields.read("lr", r.lr);
  fields.read("weight_decay", r.weight_decay);
  fields.read("initial", r.initial);
  fields.finish();
}

void read_heads(Fields fields, engine::HeadOptions& h) {
  fields.read_word("method", "heads.method", h.method);
  if (h.method == engine::HeadMethod::kPrulong) h.local = 1024;
  fields.read("sink", h.sink);
  fields.read("local", h.local);
  fields.read("l1", h.l1);
  fields.read("target", h.target);
  fields.read("ramp", h.ramp);
  fields.finish();
}

}  // namespace

TrainConfig read_train_config(const std::filesystem::path& path) {
  return parse_train_config(read_json(path), path.string());
}

TrainConfig parse_train_config(const Json& json, const std::string& source) {
  Fields fields(json, source);
  TrainConfig config;
  engine::TrainOptions& o = config.options;
  fields.read("base", o.base);
  const Json model = fields.object("model");
  if (!model.empty()) o.config_json = dump_pretty(model);
  fields.read("tokenizer", o.tokenizer);
  fields.read_word("export", "export", o.export_as);
  fields.read("seed", o.seed);
  fields.read("steps", o.steps);
  fields.read("micro_steps", o.micro_steps);
  fields.read_word("dtype", "dtype", o.dtype);
  fields.read("recompute", o.recompute);
  fields.read("keep_attention", o.keep_attention);
  fields.read("log_every", o.log_every);
  fields.read("checkpoint_every", o.checkpoint_every);
  fields.read("feed_threads", o.feed_threads);
  const Json loss = fields.object("loss"), optimizer = fields.object("optimizer"),
             router = fields.object("router"), regularizer = fields.object("regularizer"),
             heads = fields.object("heads");
  read_loss({loss, fields.inside("loss")}, o.loss);
  read_optimizer({optimizer, fields.inside("optimizer")}, o.optimizer);
  read_router({router, fields.inside("router")}, o.router);
  read_regularizer({regularizer, fields.inside("regularizer")}, o.regularizer);
  read_heads({heads, fields.inside("heads")}, o.heads);
  config.data = fields.object("data");
  fields.finish();
  Json identity = config.data;
  identity.erase("data_dir");  // the same word lists may lie elsewhere when a run goes on
  o.data = dump_line(identity);
  return config;
}

void resolve_folders(engine::TrainOptions& options) {
  if (!options.base.empty()) options.base = model_path(options.base.string());
  options.tokenizer =
      options.tokenizer.empty() ? options.base : tokenizer_path(options.tokenizer.string());
  if (options.export_as == engine::TrainExport::kAdapter) return;
  // What is trained is written as a folder, tokenizer files and all.
  for (const auto& model : {options.base, options.tokenizer}) {
    if (std::filesystem::is_regular_file(model)) {
      throw Error(ErrorKind::kUnsupported,
                  fmt::format("{}: a whole model is trained from a Hugging Face checkpoint folder; "
                              "name one with the same model, or train routers alone "
                              "(\"export\": \"adapter\")",
                              model.string()));
    }
  }
}

void require_base(engine::TrainOptions& options, const std::string& source) {
  if (options.base.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                source +
                    ": `base` is missing; name the checkpoint to train for, there or with "
                    "`--base`");
  }
  resolve_folders(options);
}

void require_start(engine::TrainOptions& options, const std::string& source) {
  const bool scratch = options.base.empty();
  if (scratch == options.config_json.empty() || (scratch && options.tokenizer.empty())) {
    throw Error(ErrorKind::kInvalidArgument,
                source +
                    ": name `base` (a checkpoint to go on from), or `model` (the config.json of a "
                    "new model) and `tokenizer` (a folder with its tokenizer)");
  }
  resolve_folders(options);
}

engine::TrainResult run_training(const TrainConfig& config, Trainer train) {
  const engine::Tokenizer tokenizer = engine::Tokenizer::load(config.options.tokenizer);
  const engine::BatchSource source =
      tasks::make_training_mix(config.data, tokenizer, config.options.tokenizer);
  return train(config.options, source);
}

}  // namespace elastic::harness
