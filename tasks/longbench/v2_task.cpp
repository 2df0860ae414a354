// LongBench-V2 as a task: multiple choice over one long context. Rows stay in their file; a prompt
// reads its own row again, so that no more than one context is in memory.

#include <fmt/format.h>

#include <map>
#include <mutex>

#include "base/error.h"
#include "base/hash.h"
#include "base/registry.h"
#include "datasets/catalog.h"
#include "datasets/object_stream.h"
#include "tasks/longbench/chat.h"
#include "tasks/longbench/longbench_task.h"
#include "tasks/longbench/profile.h"
#include "tasks/longbench/rows.h"
#include "tasks/metrics/choice.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kAnswerBudget = 128, kReasoningBudget = 1024;  // tokens
constexpr std::string_view kLetters = "ABCD";

// Where a row lies.
struct RowPlace {
  fs::path file;
  std::int64_t offset = 0;
  std::size_t bytes = 0;
};

class LongbenchV2Task : public Task {
 public:
  LongbenchV2Task() {
    info_ = {.name = "longbench_v2",
             .suite = "longbench_v2",
             .category = "Multiple choice",
             .summary = "which of four answers is right, over a long context",
             .paper =
                 "LongBench v2: Towards Deeper Understanding and Reasoning on Realistic "
                 "Long-context Multitasks (arXiv 2412.15204)",
             .metric = "accuracy",
             .max_new_tokens = kAnswerBudget,
             .data = {"longbench_v2/data", "longbench/config"},
             .licence = std::string(datasets::find_sources("longbench_v2/data").front()->licence)};
  }

  const TaskInfo& info() const override { return info_; }

  std::vector<Sample> load(const LoadRequest& request) const override {
    longbench_profile(request.profile, request.data_dir);
    std::vector<Sample> samples;
    std::vector<RowPlace> places;
    std::map<std::string, std::string> ids;  // where each was read
    for_each_row(request, [&](const fs::path& file, const datasets::ObjectText& text,
                              const std::string& where) {
      const Json row = parse_json(text.text, where);
      if (row.contains("_id")) {
        const auto [first, added] = ids.emplace(dump_line(row.at("_id")), where);
        if (!added) {
          throw Error(ErrorKind::kCorrupt, fmt::format("{}: `_id` {} is also that of {}", where,
                                                       first->first, first->second));
        }
      }
      samples.push_back(sample_of(row, where));
      samples.back().index = static_cast<std::int64_t>(samples.size()) - 1;
      places.push_back({file, text.offset, text.text.size()});
    });
    if (samples.empty()) {
      throw Error(ErrorKind::kCorrupt, fmt::format("{}: the data hold no rows", info_.name));
    }
    const std::lock_guard lock(mutex_);
    places_ = std::move(places);
    data_dir_ = request.data_dir;
    return samples;
  }

  std::optional<std::int64_t> count(const LoadRequest& request) const override {
    return for_each_row(request, [](const auto&, const auto&, const auto&) {});
  }

  DataIdentity identity(const LoadRequest& request) const override {
    DataIdentity identity;
    const auto profile = longbench_profile(request.profile, request.data_dir);
    identity.source_ids = profile->source_ids;
    identity.prompt_template = profile->prompts.at("");
    for (const auto& [name, ignored] : identity.source_ids) identity.licences[name] = "MIT";
    for (const fs::path& file : find_v2_rows(request.data_dir)) {
      const std::string name = "longbench_v2/" + file.filename().string();
      identity.source_ids[name] = sha256_file(file);
      identity.licences[name] = info_.licence;
    }
    return identity;
  }

  Prompt prompt(const Sample& sample, const PromptContext& context) const override {
    const auto profile = longbench_profile(context.profile, data_dir());
    const Json row = row_of(sample);
    const bool reasons = !profile->answer_prompt.empty();
    Prompt prompt = make(*profile, context,
                         fill_v2_template(profile->prompts.at(""), row,
                                          profile->no_context ? "" : context_of(row), nullptr),
                         reasons ? kReasoningBudget : kAnswerBudget);
    prompt.steps.insert(
        prompt.steps.begin(),
        {"prompt", profile->builtin ? "our own words (" + profile->name + ")" : profile->name});
    prompt.second_pass = reasons;
    if (reasons) prompt.steps.emplace_back("second pass", "the answer, after the reasoning");
    return prompt;
  }

  std::optional<Prompt> follow_up(const Sample& sample, const PromptContext& context,
                                  std::string_view reply) const override {
    const auto profile = longbench_profile(context.profile, data_dir());
    if (profile->answer_prompt.empty()) return std::nullopt;
    if (reply.empty()) {
      throw Error(ErrorKind::kInvalidArgument,
                  "the reasoning is empty; the official code drops such a question");
    }
    const Json row = row_of(sample);
    const std::string reasoning(reply);
    return make(*profile, context,
                fill_v2_template(profile->answer_prompt, row, context_of(row), &reasoning),
                kAnswerBudget);
  }

  double score(const Sample& sample, std::string_view prediction) const override {
    const std::optional<char> letter = extract_choice(prediction);
    return letter && !sample.references.empty() &&
                   sample.references.front() == std::string_view(&*letter, 1)
               ? 1
               : 0;
  }

 private:
  // Calls use(file, object, where) for the rows of a request, in order; how many there were.
  template <typename Use>
  static std::int64_t for_each_row(const LoadRequest& request, Use use) {
    std::int64_t count = 0;
    for (const fs::path& file : find_v2_rows(request.data_dir)) {
      datasets::ObjectStream rows(file);
      while (request.limit <= 0 || count < request.limit) {
        const auto text = rows.next();
        if (!text) break;
        use(file, *text, rows.where());
        ++count;
      }
    }
    return count;
  }

  static std::string text(const Json& row, const std::string& where, const char* key) {
    return json_get<std::string>({row, where}, key);
  }

  // Everything but the context, which is named by its hash.
  static Sample sample_of(Json row, const std::string& where) {
    for (const char* key : {"question", "choice_A", "choice_B", "choice_C", "choice_D"}) {
      text(row, where, key);
    }
    const std::string answer = text(row, where, "answer");
    if (answer.size() != 1 || kLetters.find(answer) == std::string_view::npos) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: key `answer` is `{}`, expected A, B, C or D", where, answer));
    }
    Sample sample;
    sample.references = {answer};
    for (const char* key : {"difficulty", "length", "domain", "sub_domain"}) {
      sample.strata[key] = text(row, where, key);
    }
    const std::string hash = sha256_hex(text(row, where, "context"));
    sample.strata["document"] = hash.substr(0, 12);
    row["context"] = hash;
    sample.input = dump_line(row);
    return sample;
  }

  static std::string context_of(const Json& row) {
    return text(row, "LongBench-V2 row", "context");
  }

  Json row_of(const Sample& sample) const {
    RowPlace place;
    {
      const std::lock_guard lock(mutex_);
      check(static_cast<std::size_t>(sample.index) < places_.size(), "a sample of load()");
      place = places_[static_cast<std::size_t>(sample.index)];
    }
    return parse_json(datasets::read_object(place.file, place.offset, place.bytes),
                      fmt::format("{}, row {}", place.file.string(), sample.index));
  }

  Prompt make(const LongbenchProfile& profile, const PromptContext& context,
              const std::string& text, std::int64_t budget) const {
    const auto length = profile.lengths.find(context.model);
    // The table's lengths are those of served models; none of it where it is beyond the window.
    const bool fits = length != profile.lengths.end() &&
                      (context.window <= 0 || length->second + budget <= context.window);
    return make_longbench_prompt({.text = text,
                                  .task = info_.name,
                                  .cut = profile.cut,
                                  .budget = budget,
                                  .model_length = fits ? length->second : 0},
                                 context);
  }

  fs::path data_dir() const {
    const std::lock_guard lock(mutex_);
    return data_dir_;
  }

  TaskInfo info_;
  mutable std::mutex mutex_;
  mutable std::vector<RowPlace> places_;  // of the last load()
  mutable fs::path data_dir_;
};

}  // namespace

std::vector<std::string> longbench_v2_task_names() { return {""}; }

std::unique_ptr<Task> make_longbench_v2_task(std::string_view) {
  return std::make_unique<LongbenchV2Task>();
}

}  // namespace elastic::tasks
