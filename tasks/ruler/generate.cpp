#include "tasks/ruler/generate.h"

#include <algorithm>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/registry.h"
#include "engine/api/tokenizer.h"
#include "tasks/chat_wrapper.h"
#include "tasks/ruler/builtin_pack.h"
#include "tasks/task.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kGenA = "ruler@gen-a";
constexpr std::string_view kGenB = "ruler@gen-b";
constexpr std::string_view kBuiltin = "ruler@builtin";
constexpr int kSmallestLengthTries = 64;
constexpr int kSmallestLengthFailures = 64;
constexpr std::int64_t kLengthStep = 8;  // tokens
constexpr std::int64_t kMaxLength = std::int64_t{1} << 24;

using Generate = std::vector<RulerRecord> (*)(const GenerationJob&, SearchTrace&);

constexpr std::pair<std::string_view, Generate> kGenerators[] = {
    {"niah", generate_niah},
    {"variable_tracking", generate_variable_tracking},
    {"common_words_extraction", generate_common_words},
    {"freq_words_extraction", generate_frequent_words},
    {"qa", generate_qa},
};

std::vector<RulerRecord> run_job(const GenerationJob& job, SearchTrace& trace) {
  for (const auto& [base, generate] : kGenerators) {
    if (base == job.config->base) return generate(job, trace);
  }
  throw std::logic_error("a task without a generator");
}

void check_request(const GenerateRequest& request) {
  if (request.length <= 0 || request.length > kMaxLength) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("length {}: expected 1 to {} tokens", request.length, kMaxLength));
  }
  if (request.count <= 0) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{} samples: expected at least one", request.count));
  }
  if (request.seed > std::numeric_limits<std::uint32_t>::max()) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("seed {}: the reference generator takes 0 to 4294967295", request.seed));
  }
}

const std::string& template_text(const GenerateRequest& request, const PromptPack& pack) {
  if (request.model_template == kCheckpointTemplate) return request.checkpoint_template;
  const auto found = pack.model_templates.find(request.model_template);
  if (found != pack.model_templates.end()) return found->second;
  std::vector<std::string> known = {std::string(kCheckpointTemplate)};
  for (const auto& [name, text] : pack.model_templates) known.push_back(name);
  throw_unknown_name("model template", request.model_template, known);
}

GenerationJob make_job(const GenerateRequest& request, const RulerProfile& profile) {
  check_request(request);
  return {.config = &ruler_config(request.task),
          .vintage = profile.vintage,
          .length = request.length,
          .count = request.count,
          .seed = request.seed,
          .pack = &profile.pack,
          .model_template = template_text(request, profile.pack),
          .from_checkpoint = request.model_template == kCheckpointTemplate,
          .remove_newline_tab = request.remove_newline_tab,
          .sources = profile.sources.get(),
          // Every search and every sample counts: one place to hear a signal in all generators.
          .count_tokens = [count = request.counter.count](std::string_view text) {
            stop_if_interrupted();
            return count(text);
          }};
}

// The smallest length found at which the whole job succeeds, trying upwards from the shortest
// prompt that the failing job could make. Nothing where none is found.
std::optional<std::int64_t> smallest_length(GenerationJob job, std::int64_t shortest_prompt) {
  job.max_failures = kSmallestLengthFailures;
  for (int i = 0; i < kSmallestLengthTries; ++i) {
    job.length = std::max(job.length + (i == 0 ? 1 : kLengthStep), shortest_prompt);
    SearchTrace trace;
    try {
      run_job(job, trace);
      return job.length;
    } catch (const TooShort& error) {
      shortest_prompt = error.smallest();
    }
  }
  return std::nullopt;
}

std::string make_data_id(const GenerateRequest& request, const RulerProfile& profile,
                         const GenerationJob& job, const std::vector<std::string>& lines) {
  Sha256 hash;
  hash.update(fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n", profile.name, request.task,
                          request.length, request.count, request.seed, request.counter.id,
                          sha256_hex(job.full_template())));
  for (const std::string& line : lines) hash.update(line).update("\n");
  return hash.hex();
}

}  // namespace

std::string checkpoint_template(const engine::ChatTemplate* chat,
                                const engine::Tokenizer& tokenizer, std::optional<bool> thinking,
                                std::string_view model) {
  if (chat == nullptr) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("--model-template {}: {} has no chat template; copy its "
                            "chat_template.jinja or tokenizer_config.json, or leave the flag out",
                            kCheckpointTemplate, model));
  }
  ChatWrapper wrapper = chat_wrapper(*chat, thinking);
  const std::string bos = chat->bos_text();
  if (tokenizer.bos_id() && wrapper.before.starts_with(bos)) wrapper.before.erase(0, bos.size());
  return wrapper.before + "{task_template}" + wrapper.after;
}

const RulerConfig& ruler_config(std::string_view task) {
  return find_entry(std::span<const RulerConfig>(ruler_configs()), "RULER task", task);
}

std::unique_ptr<RulerProfile> make_ruler_profile(std::string_view name, const fs::path& data_dir,
                                                 std::string wordlist) {
  if (name != kGenA && name != kGenB && name != kBuiltin) {
    throw_unknown_name("profile", name,
                       {std::string(kGenA), std::string(kGenB), std::string(kBuiltin)});
  }
  auto profile = std::make_unique<RulerProfile>();
  profile->name = name;
  profile->vintage = name == kGenA ? Vintage::kGenA : Vintage::kGenB;
  if (wordlist.empty()) wordlist = name == kGenA ? "2.2.0" : "3.0.1";
  if (wordlist != "2.2.0" && wordlist != "3.0.1") {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("word list `{}`: expected 2.2.0 or 3.0.1", wordlist));
  }
  profile->wordlist = wordlist;
  const fs::path ruler_folder = data_dir / "ruler";
  const bool builtin = name == kBuiltin;
  if (builtin) {
    profile->pack = parse_prompt_pack(builtin_prompt_pack(), "built-in prompt pack");
  } else {
    const std::string file = name == kGenA ? "prompts-gen-a.json" : "prompts-gen-b.json";
    std::error_code ignored;
    if (!fs::exists(ruler_folder / file, ignored)) throw_missing_ruler(ruler_folder, file);
    profile->pack = load_prompt_pack(ruler_folder / file);
  }
  profile->sources = std::make_unique<Sources>(SourceOptions{
      .ruler_folder = ruler_folder, .wordlist = std::move(wordlist), .builtin = builtin});
  return profile;
}

GeneratedSet generate_ruler(const GenerateRequest& request, const RulerProfile& profile) {
  const GenerationJob job = make_job(request, profile);
  GeneratedSet set;
  try {
    for (const RulerRecord& record : run_job(job, set.trace)) {
      set.lines.push_back(record_line(record, profile.vintage));
    }
  } catch (const TooShort& error) {
    const auto smallest = smallest_length(job, error.smallest());
    throw LengthTooShort(fmt::format(
        "{}: length {} is too short for {} ({} tokens of it are the answer budget){}", profile.name,
        request.length, request.task, job.texts().tokens_to_generate,
        smallest ? fmt::format("; the smallest that works here is {}", *smallest) : ""));
  }
  set.data_id = make_data_id(request, profile, job, set.lines);
  set.source_ids = source_ids(*job.config, profile);
  return set;
}

}  // namespace elastic::tasks
