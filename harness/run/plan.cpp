#include "harness/run/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "engine/api/mode_list.h"

namespace elastic::harness {
namespace {

constexpr std::int64_t kDefaultLengths[] = {4096, 8192, 16384, 32768, 65536, 131072};
[[noreturn]] void refuse(const std::string& text) {
  throw Error(ErrorKind::kInvalidArgument, text);
}

std::vector<std::string> planned_modes(const std::string& list) {
  std::vector<std::string> unique;
  for (std::string& mode : engine::split_modes(list)) {
    if (std::find(unique.begin(), unique.end(), mode) == unique.end()) {
      unique.push_back(std::move(mode));
    }
  }
  if (unique.empty()) refuse("--modes is empty; give a comma-separated list");
  return unique;
}

// Suite -> the profile that was asked for.
std::map<std::string, std::string> profiles_by_suite(const std::string& list,
                                                     std::span<const tasks::Suite> suites) {
  std::map<std::string, std::string> profiles;
  for (const std::string& profile : split_list(list)) {
    const tasks::Suite* suite = tasks::suite_of_profile(profile, suites);
    if (suite == nullptr) {
      std::vector<std::string> known;
      for (const tasks::Suite& one : suites) known.emplace_back(one.profile);
      refuse(fmt::format("--profile {}: not a profile; names look like {}", profile,
                         join(known, ", ")));
    }
    const auto [it, added] = profiles.emplace(suite->name, profile);
    if (!added && it->second != profile) {
      refuse(fmt::format("--profile: `{}` and `{}` are both for {}; give one a suite", it->second,
                         profile, it->first));
    }
  }
  return profiles;
}

std::vector<std::int64_t> planned_lengths(const std::string& list, std::int64_t window) {
  std::vector<std::int64_t> lengths;
  for (const std::string& part : split_list(list)) {
    const std::int64_t length = parse_length(part);
    if (length > window) {
      refuse(
          fmt::format("--lengths: {} is beyond the model's window of {} tokens "
                      "(max_position_embeddings); leave it out",
                      part, window));
    }
    if (std::find(lengths.begin(), lengths.end(), length) == lengths.end()) {
      lengths.push_back(length);
    }
  }
  if (lengths.empty()) {
    for (const std::int64_t length : kDefaultLengths) {
      if (length <= window) lengths.push_back(length);
    }
    if (lengths.empty()) lengths.push_back(window);
  }
  std::sort(lengths.begin(), lengths.end());
  return lengths;
}

void check_counts(const RunOptions& o) {
  const auto positive = [](std::string_view flag, const std::optional<std::int64_t>& value) {
    if (value && *value < 1) refuse(fmt::format("--{} is {}; give 1 or more", flag, *value));
  };
  positive("limit", o.limit);
  positive("batch-size", o.batch_size);
  positive("max-new-tokens", o.max_new_tokens);
  positive("max-length", o.max_length);
  positive("thinking-tokens", o.thinking_tokens);
  if (o.timing && o.batch_size.value_or(1) != 1) {
    refuse(fmt::format("--timing takes one sample at a time, --batch-size is {}; leave one out",
                       *o.batch_size));
  }
}

// Flags that act through a chat template have nothing to act on where the prompt has none, or ends
// in the beginning of the answer; saying so beats a run whose
// record claims a setting that did nothing.
void check_templates(const RunOptions& o, const Plan& plan) {
  const bool wrapped = o.model_template != "base";
  for (const auto& planned : plan.tasks) {
    const tasks::TaskInfo& info = planned->task->info();
    if (!info.begins_answer) continue;
    const auto unsupported = [&](std::string_view flag) {
      throw Error(
          ErrorKind::kUnsupported,
          fmt::format("{}: the prompts of {} begin with one BOS and end in the beginning of "
                      "the answer, so there is nothing for it to do (--model-template {}); "
                      "leave the flag out",
                      flag, info.name, o.model_template));
    };
    if (o.thinking == "on" || o.thinking_tokens) unsupported("--thinking");
    if (o.bos == "official") unsupported("--bos official");
    if (!o.chat_template && wrapped) {
      refuse(fmt::format("--no-chat-template contradicts --model-template {}; give one of the two",
                         o.model_template));
    }
  }
}

void check_word(std::string_view flag, const std::string& value,
                const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), value) != known.end()) return;
  refuse(fmt::format("--{} `{}` is not one of {}", flag, value, join(known, ", ")));
}

void add_cells(const RunOptions& options, Plan& plan) {
  const double share = options.limit_share.value_or(1);
  const auto add = [&](const PlannedTask& planned, std::int64_t length) {
    const std::int64_t own = planned.task->info().default_limit;
    const std::int64_t samples = options.limit.value_or(share_of(own, share));
    plan.cells.push_back({&planned, length, samples, samples > 0 ? 1 : share});
  };
  for (const auto& planned : plan.tasks) {
    if (!planned->task->info().has_lengths) add(*planned, 0);
  }
  for (const std::int64_t length : plan.lengths) {
    for (const auto& planned : plan.tasks) {
      if (planned->task->info().has_lengths) add(*planned, length);
    }
  }
}

}  // namespace

std::int64_t share_of(std::int64_t all, double share) {
  const double part = std::ceil(static_cast<double>(all) * share);
  return std::min(all, std::max<std::int64_t>(1, static_cast<std::int64_t>(part)));
}

Plan make_plan(const RunOptions& options, const PlanModel& model,
               std::span<const tasks::Suite> suites) {
  check_counts(options);
  check_word("device", options.device, {"auto", "cpu", "cuda"});
  check_word("dtype", options.dtype, {"auto", "fp32", "bf16"});
  check_word("bos", options.bos, {"single", "official"});
  if (!options.thinking.empty()) check_word("thinking", options.thinking, {"on", "off"});
  Plan plan;
  plan.modes = planned_modes(options.modes);
  const std::vector<std::string> names = tasks::resolve_tasks(options.tasks, suites);
  std::map<std::string, std::string> profiles = profiles_by_suite(options.profiles, suites);
  bool with_lengths = false;
  for (const std::string& name : names) {
    auto planned = std::make_unique<PlannedTask>();
    planned->task = tasks::make_task(name, suites);
    const tasks::TaskInfo& info = planned->task->info();
    with_lengths = with_lengths || info.has_lengths;
    const auto given = profiles.find(info.suite);
    const tasks::Suite& suite = tasks::find_suite(info.suite, suites);
    planned->profile = given != profiles.end()
                           ? given->second
                           : std::string(model.demo ? suite.demo_profile : suite.profile);
    plan.tasks.push_back(std::move(planned));
  }
  for (const auto& [suite, profile] : profiles) {
    const bool used = std::any_of(
        plan.tasks.begin(), plan.tasks.end(),
        [&suite = suite](const auto& planned) { return planned->task->info().suite == suite; });
    if (!used) refuse(fmt::format("--profile {}: no task of {} is asked for", profile, suite));
  }
  check_templates(options, plan);
  if (with_lengths) {
    plan.lengths = planned_lengths(options.lengths, model.window);
  } else if (!options.lengths.empty()) {
    refuse("--lengths: none of the tasks has lengths to choose");
  }
  add_cells(options, plan);
  return plan;
}

tasks::LoadRequest load_request(const RunOptions& options, const PlannedCell& cell,
                                const engine::Tokenizer* tokenizer,
                                const engine::ChatTemplate* chat) {
  return {.profile = cell.task->profile,
          .length = cell.length,
          .limit = cell.samples,
          .seed = options.seed,
          .model_template = options.model_template,
          .data_dir = options.data_dir,
          .cache_dir = options.cache_dir,
          .tokenizer = tokenizer,
          .chat = chat,
          .thinking =
              options.thinking.empty() ? std::nullopt : std::optional(options.thinking == "on")};
}

}  // namespace elastic::harness
