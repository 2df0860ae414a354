// run_spec() of runner.h: which options change results, under the names run.json gives them.

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/text.h"
#include "harness/run/runner.h"

namespace elastic::harness {
namespace {

std::string number(const std::optional<std::int64_t>& value) {
  return value ? std::to_string(*value) : "default";
}

}  // namespace

std::map<std::string, std::string> key_settings(const RunJob& job) {
  const RunOptions& o = job.options;
  const engine::ModelInfo& model = job.generator.model();
  std::map<std::string, std::string> settings = {
      {"model_sha256", model.weights_sha256},
      {"config_sha256", model.config_sha256},
      {"tokenizer_sha256", job.tokenizer == nullptr ? "" : job.tokenizer->sha256()},
      {"seed", std::to_string(o.seed)},
      {"device", job.generator.device() == "cpu" ? "cpu" : "accelerator"},
      {"dtype", job.generator.dtype()},
      {"decoding", "greedy"},
      {"max_new_tokens", number(o.max_new_tokens)},
      {"max_length", number(o.max_length)},
      {"model_template", o.model_template},
      {"chat_template", o.chat_template ? "on" : "off"},
      {"bos", o.bos},
      {"thinking", o.thinking.empty() ? "default" : o.thinking},
      {"thinking_tokens", number(o.thinking_tokens)},
  };
  if (job.chat != nullptr) settings["chat_template_sha256"] = job.chat->sha256();
  if (!model.router_sha256.empty()) {
    settings["router_sha256"] = model.router_sha256;
    settings["router_config_sha256"] = model.router_config_sha256;
  }
  return settings;
}

runs::RunSpec run_spec(const RunJob& job) {
  runs::RunSpec spec;
  spec.created = utc_now();
  spec.settings = key_settings(job);
  for (const RunMode& mode : job.modes) {
    spec.modes.push_back(mode.name);
    spec.mode_options[mode.name] = mode.full;
  }
  if (job.chat != nullptr && job.options.chat_template) {
    spec.templates["chat_template"] = job.chat->text();
  }
  for (const PreparedCell& cell : job.cells) {
    const tasks::TaskInfo& info = cell.task->task->info();
    spec.settings[std::string(runs::kProfileSetting) + info.suite] = cell.task->profile;
    spec.categories[info.name] = info.category;
    spec.data_ids[{info.name, cell.length}] = cell.identity.data_id;
    spec.source_ids.insert(cell.identity.source_ids.begin(), cell.identity.source_ids.end());
    spec.licences.insert(cell.identity.licences.begin(), cell.identity.licences.end());
    if (const std::string& text = cell.identity.prompt_template; !text.empty()) {
      spec.templates[info.name] = text;
    }
    if (std::find(spec.tasks.begin(), spec.tasks.end(), info.name) == spec.tasks.end()) {
      spec.tasks.push_back(info.name);
    }
    if (cell.length > 0 &&
        std::find(spec.lengths.begin(), spec.lengths.end(), cell.length) == spec.lengths.end()) {
      spec.lengths.push_back(cell.length);
    }
    for (const RunMode& mode : job.modes) {
      const auto samples = static_cast<std::int64_t>(cell.samples.size());
      spec.planned[{mode.name, info.name, cell.length}] = samples;
      spec.planned_samples += samples;
    }
  }
  return spec;
}

}  // namespace elastic::harness
