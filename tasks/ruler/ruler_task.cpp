#include "tasks/ruler/ruler_task.h"

#include <algorithm>
#include <memory>
#include <mutex>

#include <fmt/format.h>

#include "base/error.h"
#include "base/registry.h"
#include "datasets/catalog.h"
#include "tasks/metrics/string_match.h"
#include "tasks/ruler/generate.h"

namespace elastic::tasks {
namespace {

constexpr std::int64_t kDefaultSamples = 50;
constexpr std::int64_t kAllSamples = 500;  // upstream's number

// Word pools, essays and questions serve all tasks of a process, so profiles are kept.
std::shared_ptr<const RulerProfile> shared_profile(const std::string& name,
                                                   const std::filesystem::path& data_dir) {
  static std::mutex mutex;
  static std::map<std::pair<std::string, std::string>, std::shared_ptr<const RulerProfile>> kept;
  const std::lock_guard lock(mutex);
  auto& profile = kept[{name, data_dir.string()}];
  if (!profile) profile = make_ruler_profile(name, data_dir, "");
  return profile;
}

// Where the one answer stands, in tenths of the prompt, as a percentage: "0", "10", ... "100".
std::string needle_depth(const RulerRecord& record) {
  const std::size_t offset = record.input.find(record.outputs.front());
  if (offset == std::string::npos || record.input.empty()) return "";
  return std::to_string((offset * 10 + record.input.size() / 2) / record.input.size() * 10);
}

class RulerTask : public Task {
 public:
  explicit RulerTask(const RulerConfig& config) : config_(config) {
    info_.name = "ruler/" + std::string(config.name);
    info_.suite = "ruler";
    info_.category = config.category;
    info_.summary = config.summary;
    info_.paper =
        "RULER: What's the Real Context Size of Your Long-Context Language Models? "
        "(arXiv 2404.06654)";
    info_.metric = config.metric;
    info_.max_new_tokens = config.budget;
    info_.has_lengths = true;
    info_.begins_answer = true;
    info_.default_limit = kDefaultSamples;
    info_.data = source_names();
    info_.licence = licences();
  }

  const TaskInfo& info() const override { return info_; }

  std::vector<Sample> load(const LoadRequest& request) const override {
    const auto profile = shared_profile(request.profile, request.data_dir);
    const auto set = generated(request, *profile);
    std::vector<Sample> samples;
    for (const std::string& line : set->lines) {
      RulerRecord record =
          parse_record(line, fmt::format("{}, sample {}", info_.name, samples.size()));
      Sample sample{.index = static_cast<std::int64_t>(samples.size()),
                    .input = {},
                    .answer_prefix = std::move(record.answer_prefix),
                    .references = {},
                    .stop = {},
                    .strata = strata(record)};
      sample.references = std::move(record.outputs);
      sample.input = std::move(record.input);
      if (!profile->pack.stop.empty()) sample.stop = {profile->pack.stop};
      samples.push_back(std::move(sample));
    }
    return samples;
  }

  DataIdentity identity(const LoadRequest& request) const override {
    const auto profile = shared_profile(request.profile, request.data_dir);
    const auto set = generated(request, *profile);
    DataIdentity identity{.data_id = set->data_id, .source_ids = set->source_ids, .licences = {}};
    const TaskTexts& texts = profile->pack.tasks.at(std::string(config_.base));
    identity.prompt_template = texts.prompt + texts.answer_prefix;
    for (const auto& [name, hash] : set->source_ids) {
      identity.licences[name] = name.starts_with("ruler/") ? licence_of(name.substr(6)) : "own";
    }
    return identity;
  }

  Prompt prompt(const Sample& sample, const PromptContext& context) const override {
    check(context.tokenizer != nullptr, "a prompt needs a tokenizer");
    Prompt prompt{.text = sample.input + sample.answer_prefix,
                  .ids = {},
                  .truncated_tokens = 0,
                  .max_new_tokens = info_.max_new_tokens,
                  .stop = sample.stop};
    prompt.ids = context.tokenizer->encode(prompt.text);
    const auto tokens = static_cast<std::int64_t>(prompt.ids.size());
    if (context.max_length > 0 && tokens > context.max_length) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{} sample {}: the prompt has {} tokens, {} fit; RULER prompts are "
                              "never cut",
                              info_.name, sample.index, tokens, context.max_length));
    }
    return prompt;
  }

  double score(const Sample& sample, std::string_view prediction) const override {
    const std::string answer = ruler_postprocess(prediction);
    return config_.metric == "string_match_part" ? string_match_part(answer, sample.references)
                                                 : string_match_all(answer, sample.references);
  }

 private:
  std::vector<std::string> source_names() const {
    std::vector<std::string> names = {"ruler/prompts-gen-a", "ruler/prompts-gen-b"};
    const bool niah = config_.base == "niah", cwe = config_.base == "common_words_extraction";
    if ((niah && config_.key == ValueKind::kWords) || cwe) {
      names.insert(names.end(), {"ruler/wonderwords-2.2.0", "ruler/wonderwords-3.0.1"});
    }
    if (niah && config_.haystack == HaystackKind::kEssay) {
      names.insert(names.end(), {"ruler/essays", "ruler/punkt"});
    }
    if (cwe) names.emplace_back("ruler/english-words");
    if (config_.base == "qa") {
      names.emplace_back(config_.questions == QuestionSource::kSquad ? "ruler/squad"
                                                                     : "ruler/hotpotqa");
    }
    return names;
  }

  std::string licences() const {
    std::vector<std::string_view> seen;
    for (const std::string& name : info_.data) {
      const std::string_view licence = datasets::find_sources(name).front()->licence;
      if (std::find(seen.begin(), seen.end(), licence) == seen.end()) seen.push_back(licence);
    }
    return fmt::format("{}", fmt::join(seen, "; "));
  }

  static std::string licence_of(const std::string& file) {
    return std::string(datasets::find_sources(catalogue_name(file)).front()->licence);
  }

  std::map<std::string, std::string> strata(const RulerRecord& record) const {
    if (config_.base != "niah") return {};
    std::map<std::string, std::string> strata;
    const int needles = std::max(config_.keys, config_.asked) * config_.values;
    strata["needles"] = std::to_string(needles);
    if (record.outputs.size() == 1) {
      if (const std::string depth = needle_depth(record); !depth.empty()) {
        strata["needle_depth"] = depth;
      }
    }
    return strata;
  }

  // The set of a request; the last one is kept, since load() and identity() ask for the same.
  std::shared_ptr<const GeneratedSet> generated(const LoadRequest& request,
                                                const RulerProfile& profile) const {
    check(request.tokenizer != nullptr, "RULER counts its lengths with a tokenizer");
    GenerateRequest wanted{.task = std::string(config_.name),
                           .length = request.length,
                           .count = request.limit > 0 ? request.limit : kAllSamples,
                           .seed = request.seed,
                           .model_template = request.model_template,
                           .counter = model_counter(*request.tokenizer)};
    if (wanted.model_template == kCheckpointTemplate) {
      wanted.checkpoint_template =
          checkpoint_template(request.chat, *request.tokenizer, request.thinking, "the model");
    }
    const std::string key =
        fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", profile.name, request.data_dir.string(),
                    wanted.length, wanted.count, wanted.seed, wanted.model_template,
                    wanted.checkpoint_template, wanted.counter.id);
    {
      const std::lock_guard lock(mutex_);
      if (kept_ && kept_key_ == key) return kept_;
    }
    auto set =
        std::make_shared<const GeneratedSet>(cached_ruler(wanted, profile, request.cache_dir));
    const std::lock_guard lock(mutex_);
    kept_key_ = key;
    kept_ = set;
    return set;
  }

  const RulerConfig& config_;
  TaskInfo info_;
  mutable std::mutex mutex_;
  mutable std::string kept_key_;
  mutable std::shared_ptr<const GeneratedSet> kept_;
};

}  // namespace

std::vector<std::string> ruler_task_names() {
  std::vector<std::string> names;
  for (const RulerConfig& config : ruler_configs()) names.emplace_back(config.name);
  return names;
}

std::unique_ptr<Task> make_ruler_task(std::string_view name) {
  return std::make_unique<RulerTask>(ruler_config(name));
}

}  // namespace elastic::tasks
