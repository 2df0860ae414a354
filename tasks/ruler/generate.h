#pragma once

// RULER's data, as upstream's generators make them: 13 tasks, two generations (`ruler@gen-a`,
// `ruler@gen-b`), and gen-B's code with texts and sources of our own (`ruler@builtin`).
//
//   GenerateRequest request{.task = "niah_single_1", .length = 4096, .count = 50};
//   request.counter = whitespace_counter();
//   const GeneratedSet set = generate_ruler(request, *make_ruler_profile("ruler@gen-b", data, ""));
//   for (const std::string& line : set.lines) out << line << '\n';

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/ruler/generation.h"

namespace elastic::engine {
class ChatTemplate;
class Tokenizer;
}  // namespace elastic::engine

namespace elastic::tasks {

/// A profile's texts and sources; shared by all requests for it, also by threads.
struct RulerProfile {
  std::string name;  // "ruler@gen-b"
  Vintage vintage = Vintage::kGenB;
  std::string wordlist;
  PromptPack pack;
  std::unique_ptr<Sources> sources;
};

/// `wordlist` empty: the generation's own (2.2.0 for gen-A, 3.0.1 otherwise). Throws kNotFound
/// where the prompt pack is missing, kInvalidArgument for an unknown profile or list.
std::unique_ptr<RulerProfile> make_ruler_profile(std::string_view name,
                                                 const std::filesystem::path& data_dir,
                                                 std::string wordlist);

/// The row of a task; throws kInvalidArgument with suggestions.
const RulerConfig& ruler_config(std::string_view task);

/// sha256 of the files that a task's data are made from, by name relative to the data folder.
std::map<std::string, std::string> source_ids(const RulerConfig& config,
                                              const RulerProfile& profile);

struct TokenCounter {
  std::string id;  // "ws", "bytes4", or the sha256 of the tokenizer's file
  CountTokens count;
};

TokenCounter whitespace_counter();  // runs of bytes other than ASCII white space
TokenCounter byte_counter();        // a quarter of the bytes, rounded up
/// Counts without added specials; `tokenizer` must outlive the counter.
TokenCounter model_counter(const engine::Tokenizer& tokenizer);

/// The model template that stands for the checkpoint's own chat template.
inline constexpr std::string_view kCheckpointTemplate = "checkpoint";

/// Its text, {task_template} in the user's place; the answer prefix follows the assistant's header.
/// Without the BOS that the tokenizer puts in front anyway, so that lengths count none. `chat`
/// null: kInvalidArgument naming `model`.
std::string checkpoint_template(const engine::ChatTemplate* chat,
                                const engine::Tokenizer& tokenizer, std::optional<bool> thinking,
                                std::string_view model);

struct GenerateRequest {
  std::string task;  // "niah_single_1"
  std::int64_t length = 0;
  std::int64_t count = 0;
  std::uint64_t seed = 42;
  std::string model_template = "base";   // name in the prompt pack, or kCheckpointTemplate
  std::string checkpoint_template = {};  // its text
  bool remove_newline_tab = false;
  TokenCounter counter;
};

struct GeneratedSet {
  std::vector<std::string> lines;  // upstream's records, without line ends
  /// Hash over profile, task, length, count, seed, tokenizer, template and the lines: two sets with
  /// equal ids hold the same data.
  std::string data_id;
  std::map<std::string, std::string> source_ids;  // sha256 of the files it was made from
  SearchTrace trace;                              // empty where it came from the cache
  bool cached = false;
};

/// Throws LengthTooShort where the length is too short for the task, naming the smallest that
/// works; kNotFound where sources are missing.
GeneratedSet generate_ruler(const GenerateRequest& request, const RulerProfile& profile);

/// The same, kept under `cache_dir`: a second call with the same request, texts and sources reads
/// it back. An unreadable or damaged cache entry is made again;
/// a cache that cannot be written is a warning.
GeneratedSet cached_ruler(const GenerateRequest& request, const RulerProfile& profile,
                          const std::filesystem::path& cache_dir);

/// cached_ruler of every request, in the order given, by `threads` threads. Throws the first error.
std::vector<GeneratedSet> cached_ruler_sets(std::span<const GenerateRequest> requests,
                                            const RulerProfile& profile,
                                            const std::filesystem::path& cache_dir, int threads);

}  // namespace elastic::tasks
