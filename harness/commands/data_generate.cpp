// `data generate`: RULER's data as the reference generators write them, line for line.

#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/text.h"
#include "base/threads.h"
#include "datasets/folders.h"
#include "engine/api/chat_template.h"
#include "engine/api/tokenizer.h"
#include "harness/commands/command.h"
#include "harness/commands/flag_values.h"
#include "harness/run/model_path.h"
#include "tasks/registry.h"
#include "tasks/ruler/generate.h"
#include "tasks/ruler/sources.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

struct GenerateDataOptions {
  std::string tasks;
  std::string lengths;
  std::int64_t num_samples = 500;
  std::uint64_t seed = 42;
  std::string output;
  std::string profile = "ruler@gen-b";
  std::string token_counter = "model";
  std::string model;
  std::string model_template = "base";
  std::string wordlist;
  bool remove_newline_tab = false;
  std::string data_dir, cache_dir;
};

constexpr std::string_view kSuite = "ruler/";

std::vector<std::string> ruler_tasks_of(const std::string& list) {
  std::vector<std::string> names;
  for (const std::string& name : tasks::resolve_tasks(list)) {
    if (!name.starts_with(kSuite)) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{} is not generated data: only the tasks of RULER are", name));
    }
    names.push_back(name.substr(kSuite.size()));
  }
  return names;
}

// What counts tokens, and the text of `--model-template checkpoint`.
struct Counter {
  std::optional<engine::Tokenizer> tokenizer;
  tasks::TokenCounter counter;
  std::string checkpoint_template;
};

void read_model(const GenerateDataOptions& options, Counter& counter) {
  const fs::path folder = tokenizer_path(options.model, options.data_dir);
  counter.tokenizer.emplace(engine::Tokenizer::load(folder));
  if (options.model_template != tasks::kCheckpointTemplate) return;
  const auto chat = engine::ChatTemplate::load(folder);
  counter.checkpoint_template = tasks::checkpoint_template(
      chat ? &*chat : nullptr, *counter.tokenizer, std::nullopt, options.model);
}

std::unique_ptr<Counter> make_counter(const GenerateDataOptions& options) {
  auto counter = std::make_unique<Counter>();
  const bool own_template = options.model_template == tasks::kCheckpointTemplate;
  if (own_template && options.model.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                "--model-template checkpoint: give --model DIR, whose chat template it is");
  }
  const bool needs_model = own_template || options.token_counter == "model";
  if (needs_model && !options.model.empty()) read_model(options, *counter);
  if (options.token_counter == "ws") {
    counter->counter = tasks::whitespace_counter();
  } else if (options.token_counter == "bytes4") {
    counter->counter = tasks::byte_counter();
  } else if (options.token_counter != "model") {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("--token-counter {}: expected model, ws or bytes4", options.token_counter));
  } else if (options.model.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                "lengths are counted with a tokenizer: give --model DIR, or --token-counter ws or "
                "bytes4");
  } else {
    counter->counter = tasks::model_counter(*counter->tokenizer);
  }
  return counter;
}

std::vector<tasks::GenerateRequest> make_requests(const GenerateDataOptions& options,
                                                  const Counter& counter) {
  std::vector<tasks::GenerateRequest> requests;
  for (const std::string& task : ruler_tasks_of(options.tasks)) {
    for (const std::string& length : split_list(options.lengths)) {
      requests.push_back({.task = task,
                          .length = parse_length(length),
                          .count = options.num_samples,
                          .seed = options.seed,
                          .model_template = options.model_template,
                          .checkpoint_template = counter.checkpoint_template,
                          .remove_newline_tab = options.remove_newline_tab,
                          .counter = counter.counter});
    }
  }
  if (requests.empty()) throw Error(ErrorKind::kInvalidArgument, "--length is empty");
  return requests;
}

// One request writes the file named; several write TASK_LENGTH.jsonl into that folder.
fs::path output_of(const GenerateDataOptions& options, const tasks::GenerateRequest& request,
                   bool several) {
  if (!several) return options.output;
  return fs::path(options.output) / fmt::format("{}_{}.jsonl", request.task, request.length);
}

void write_lines(const fs::path& file, const tasks::GeneratedSet& set) {
  std::string text;
  for (const std::string& line : set.lines) (text += line) += '\n';
  if (file == "-") {
    std::fwrite(text.data(), 1, text.size(), stdout);
    return;
  }
  if (file.has_parent_path()) create_folders(file.parent_path());
  write_file_atomic(file, text);
}

// Every source once, with its hash; bytes that no catalogue entry knows are named as such.
void report_sources(const std::vector<tasks::GeneratedSet>& sets) {
  std::map<std::string, std::string> sources;
  for (const tasks::GeneratedSet& set : sets) {
    sources.insert(set.source_ids.begin(), set.source_ids.end());
  }
  for (const auto& [name, sha256] : sources) {
    log_info(fmt::format("source {} {}", name, sha256));
    if (name.starts_with(kSuite) && !tasks::is_published(name.substr(kSuite.size()), sha256)) {
      log_warning(
          fmt::format("{}: unknown corpus: its bytes are those of no published copy, so "
                      "samples made from it equal nobody else's",
                      name));
    }
  }
}

void generate_data(const GenerateDataOptions& options) {
  const std::unique_ptr<Counter> counter = make_counter(options);
  const std::vector<tasks::GenerateRequest> requests = make_requests(options, *counter);
  const bool several = requests.size() > 1;
  if (several && options.output == "-") {
    throw Error(ErrorKind::kInvalidArgument,
                "several data sets do not go to standard output: name a folder");
  }
  const auto profile = tasks::make_ruler_profile(
      options.profile, datasets::data_folder(options.data_dir), options.wordlist);
  const std::vector<tasks::GeneratedSet> sets = tasks::cached_ruler_sets(
      requests, *profile, datasets::cache_folder(options.cache_dir), hardware_threads());
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const fs::path file = output_of(options, requests[i], several);
    write_lines(file, sets[i]);
    log_info(fmt::format("{} {} {}: {} samples, data_id {}{} -> {}", profile->name,
                         requests[i].task, format_length(requests[i].length), sets[i].lines.size(),
                         sets[i].data_id, sets[i].cached ? ", from the cache, nothing made" : "",
                         file.string()));
  }
  report_sources(sets);
}

}  // namespace

void add_data_generate(CLI::App& data, int& exit_code) {
  const auto options = std::make_shared<GenerateDataOptions>();
  CLI::App* sub =
      data.add_subcommand("generate", "RULER's data, byte for byte as upstream makes them");
  sub->add_option("tasks", options->tasks, "ruler, or tasks: ruler/vt,ruler/cwe")->required();
  sub->add_option("--length,--lengths", options->lengths, "Tokens: 4096, 4k, or a list 4k,8k")
      ->required();
  sub->add_option("--num-samples", options->num_samples, "Samples per task and length")
      ->transform(whole_number(1, kMostSamples));
  sub->add_option("--seed", options->seed, "Seed of the random streams")
      ->transform(whole_number(0, UINT32_MAX));
  sub->add_option(kOutputFlag, options->output,
                  "File, - for standard output; with several tasks or lengths a folder for "
                  "TASK_LENGTH.jsonl")
      ->required();
  sub->add_option("--profile", options->profile, "ruler@gen-a, ruler@gen-b or ruler@builtin");
  sub->add_option("--token-counter", options->token_counter,
                  "model (needs --model), ws (blank-separated words) or bytes4 (bytes / 4)");
  sub->add_option("-m,--model", options->model, kModelHelp);
  sub->add_option("--model-template", options->model_template,
                  "Wrapper by its name in the prompt pack, or checkpoint: that of --model");
  sub->add_option("--wordlist", options->wordlist,
                  "wonderwords 2.2.0 or 3.0.1 (default: 2.2.0 for gen-a, else 3.0.1)");
  sub->add_flag("--remove-newline-tab", options->remove_newline_tab,
                "Line ends and tabs to blanks, as upstream's option");
  sub->add_option("--data-dir", options->data_dir, "Folder of the sources (see `data list`)");
  sub->add_option("--cache-dir", options->cache_dir, "Folder that keeps generated data");
  sub->callback([options, &exit_code] {
    const InterruptGuard guard(kStopNotice);
    generate_data(*options);
    exit_code = kExitComplete;
  });
}

}  // namespace elastic::harness
