#include "tasks/longbench/longbench_task.h"

#include <fmt/format.h>

#include <mutex>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "datasets/catalog.h"
#include "datasets/folders.h"
#include "tasks/longbench/aggregate.h"
#include "tasks/longbench/chat.h"
#include "tasks/longbench/profile.h"
#include "tasks/longbench/rows.h"
#include "tasks/longbench/scorer.h"

namespace elastic::tasks {
namespace {

constexpr std::string_view kPaper =
    "LongBench: A Bilingual, Multitask Benchmark for Long Context Understanding (arXiv 2308.14508)";

std::vector<std::string> texts(const Json& list) {
  std::vector<std::string> all;
  for (const Json& entry : list) {
    if (entry.is_string()) all.push_back(entry.get<std::string>());
  }
  return all;
}

class LongbenchTask : public Task {
 public:
  LongbenchTask(const LongbenchSet& set, bool e) : set_(set), e_(e) {
    info_.suite = e ? "longbench_e" : "longbench";
    info_.name = fmt::format("{}/{}", info_.suite, set.name);
    info_.category = set.category;
    info_.summary = set.summary;
    info_.paper = kPaper;
    info_.metric = longbench_metric_name(set, CodeSimilarity::kDifflib);
    info_.max_new_tokens = set.answer_budget;
    info_.data = {"longbench/data", "longbench/config"};
    if (needs_segmentation(set)) info_.data.emplace_back("jieba");
    info_.licence = datasets::find_sources("longbench/data").front()->licence;
  }

  const TaskInfo& info() const override { return info_; }

  std::vector<Sample> load(const LoadRequest& request) const override {
    longbench_profile(request.profile, request.data_dir);  // missing files are told before a run
    if (needs_segmentation(set_)) shared_segmenter(request.data_dir);
    std::vector<Sample> samples;
    for (const Json& row : read_longbench_rows(source(request.data_dir), request.limit)) {
      Sample sample{.index = static_cast<std::int64_t>(samples.size()), .input = dump_line(row)};
      sample.references = texts(row.at("answers"));
      if (row.contains("all_classes") && row.at("all_classes").is_array()) {
        sample.labels = texts(row.at("all_classes"));
      }
      sample.strata = strata(row);
      samples.push_back(std::move(sample));
    }
    const std::lock_guard lock(mutex_);
    data_dir_ = request.data_dir;
    return samples;
  }

  std::optional<std::int64_t> count(const LoadRequest& request) const override {
    return count_longbench_rows(source(request.data_dir), request.limit);
  }

  DataIdentity identity(const LoadRequest& request) const override {
    const RowSource rows = source(request.data_dir);
    DataIdentity identity;
    const auto profile = longbench_profile(request.profile, request.data_dir);
    identity.source_ids = profile->source_ids;
    if (const auto text = profile->prompts.find(std::string(set_.name));
        text != profile->prompts.end()) {
      identity.prompt_template = text->second;
    }
    for (const auto& [name, ignored] : identity.source_ids) identity.licences[name] = "MIT";
    identity.source_ids[rows.name] = hash_of(rows.file);
    identity.licences[rows.name] = info_.licence;
    return identity;
  }

  Prompt prompt(const Sample& sample, const PromptContext& context) const override {
    const auto profile = longbench_profile(context.profile, data_dir());
    const std::string set(set_.name);
    const Json row = parse_json(sample.input, fmt::format("{} row {}", info_.name, sample.index));
    const auto format = profile->prompts.find(set);
    if (format == profile->prompts.end()) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("profile {}: no prompt for the set {}", profile->name, set));
    }
    const std::string text = fill_template(format->second, row);
    const auto budget = profile->budgets.find(set);
    const auto length = profile->lengths.find(context.model);
    Prompt prompt = make_longbench_prompt(
        {.text = text,
         .task = info_.name,
         .wrap = set_.chat,
         .cut = profile->cut,
         .budget = budget == profile->budgets.end() ? set_.answer_budget : budget->second,
         .model_length = length == profile->lengths.end() ? 0 : length->second},
        context);
    prompt.steps.insert(prompt.steps.begin(),
                        {"prompt", profile->builtin ? "our own words (" + profile->name + ")"
                                                    : "dataset2prompt.json"});
    if (set == "samsum") end_at_line(*context.tokenizer, prompt);
    prompt.steps.emplace_back("scored", set_.first_line ? "the answer's first line" : "the answer");
    return prompt;
  }

  double score(const Sample& sample, std::string_view prediction) const override {
    LongbenchScorer scorer;
    if (needs_segmentation(set_)) scorer.segmenter = shared_segmenter(data_dir());
    const auto* labels = sample.labels.empty() ? nullptr : &sample.labels;
    return longbench_score(set_, {prediction, sample.references, labels}, scorer);
  }

 private:
  RowSource source(const std::filesystem::path& data_dir) const {
    return find_longbench_rows(data_dir, fmt::format("{}{}", set_.name, e_ ? "_e" : ""));
  }

  std::map<std::string, std::string> strata(const Json& row) const {
    std::map<std::string, std::string> strata;
    strata["language"] = set_.language;
    if (const auto length = row.find("length"); length != row.end() && length->is_number()) {
      strata["length"] = kLengthBuckets[length_bucket(length->get<double>())];
    }
    strata["document"] = sha256_hex(row.at("context").get_ref<const std::string&>()).substr(0, 12);
    return strata;
  }

  // The official stop rule of samsum: a line feed ends the answer, but not before its first token.
  static void end_at_line(const engine::Tokenizer& tokenizer, Prompt& prompt) {
    const Ids ids = tokenizer.encode("\n", false);
    if (!ids.empty()) prompt.stop_ids = {ids.back()};
    prompt.min_new_tokens = 1;
    prompt.steps.emplace_back("stop", fmt::format("token {} (line feed), after one token at least",
                                                  ids.empty() ? -1 : ids.back()));
  }

  // Folder of the last load(), else the usual one (scores of stored predictions).
  std::filesystem::path data_dir() const {
    const std::lock_guard lock(mutex_);
    return data_dir_.empty() ? datasets::data_folder() : data_dir_;
  }

  // Hash of a file, kept: all sets of an archive ask for the same.
  static std::string hash_of(const std::filesystem::path& file) {
    static std::mutex mutex;
    static std::map<std::filesystem::path, std::string> kept;
    const std::lock_guard lock(mutex);
    std::string& hash = kept[file];
    if (hash.empty()) hash = sha256_file(file);
    return hash;
  }

  const LongbenchSet& set_;
  bool e_;
  TaskInfo info_;
  mutable std::mutex mutex_;
  mutable std::filesystem::path data_dir_;
};

}  // namespace

std::vector<std::string> longbench_task_names() {
  std::vector<std::string> names;
  for (const LongbenchSet& set : longbench_sets()) names.emplace_back(set.name);
  return names;
}

std::vector<std::string> longbench_e_task_names() {
  std::vector<std::string> names;
  for (const LongbenchSet& set : longbench_sets()) {
    if (set.in_e) names.emplace_back(set.name);
  }
  return names;
}

std::unique_ptr<Task> make_longbench_task(std::string_view name) {
  return std::make_unique<LongbenchTask>(longbench_set(name), false);
}

std::unique_ptr<Task> make_longbench_e_task(std::string_view name) {
  return std::make_unique<LongbenchTask>(longbench_set(name), true);
}

}  // namespace elastic::tasks
