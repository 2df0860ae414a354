#pragma once

// What a run leaves behind, as plain structs (docs/run_format.md is the contract). Field names in
// files are known to record_json.cpp alone. Unknown values are
// std::nullopt and become null, never NaN.

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::runs {

inline constexpr int kSchemaVersion = 1;

/// Samples of one mode, task and length; in files "mode|task|length".
struct CellKey {
  std::string mode, task;
  std::int64_t length = 0;  // 0 where the task has none

  auto operator<=>(const CellKey&) const = default;
};
std::string to_string(const CellKey& cell);

/// Data of a task at a length, the same for all modes; in files "task|length".
struct DataKey {
  std::string task;
  std::int64_t length = 0;

  auto operator<=>(const DataKey&) const = default;
};
std::string to_string(const DataKey& data);

/// How a sample ended; in files by the words of to_string().
enum class Outcome {
  kOk,
  kError,
  kOom,        // the device had no room
  kNonFinite,  // logits that are NaN or infinite
  kThinking,   // the budget ended inside the thought
};
const char* to_string(Outcome outcome);

/// One line of samples.rank<N>.jsonl.
struct SampleRecord {
  std::string key;  // hash of everything that determines the sample's outcome
  std::string model, mode, task;
  std::int64_t length = 0;  // stated length in tokens; 0 where the task has none
  std::int64_t index = 0;
  std::string prompt_sha256, ids_sha256;
  std::int64_t prompt_tokens = 0;
  std::int64_t truncated_tokens = 0;
  std::string prediction;
  std::vector<std::string> references;
  std::vector<std::string> all_classes;  // labels the metric needs; empty: none
  std::string metric;
  std::optional<double> score;  // 0..1
  Outcome outcome = Outcome::kOk;
  std::optional<std::string> error;

  std::optional<double> msr;
  std::optional<double> esr_last_query, esr_last_layer, esr_all_layers;
  std::optional<double> block_density, pv_density;
  std::optional<double> read_share;      // bytes of decode steps over dense ones, above 1 where
                                         // selecting reads more than it saves
  std::optional<double> fallback_share;  // of (layer, KV head) pairs
  std::vector<std::string> routing;      // per layer one character per KV head, 1 = sparse

  std::optional<double> prefill_ms, router_ms, select_ms, attention_ms, ttft_ms, decode_ms;
  std::int64_t output_tokens = 0;
  std::optional<std::int64_t> peak_bytes;
  std::optional<std::int64_t> kv_bytes, kv_bytes_full;  // K/V cache kept, and if all heads kept all
  std::optional<double> joules;  // of the GPU from prompt to answer, all passes; of a sample alone
  std::optional<std::int64_t> batch;  // sequences decoded together, itself included
  // An answer in several passes (after a thought, after a reasoning): output_tokens and decode_ms
  // are of all, prefill_ms and ttft_ms of the first; the others' prompts,
  // first tokens included, are here.
  std::int64_t passes = 1;
  std::optional<double> later_prefill_ms;
  // What reports break scores down by. Known keys: `needle_depth` (percent of the context;
  // several separated by commas), `document` (samples that share one are a cluster in intervals).
  std::map<std::string, std::string> strata;
};

/// Settings of this prefix hold the profile of one suite each; a run may gain suites.
inline constexpr std::string_view kProfileSetting = "profile_";

/// run.json: what was asked and what it ran on. `settings` changes results: a resume with other
/// values is refused naming the key. `environment` does not.
struct RunSpec {
  int schema_version = kSchemaVersion;
  std::string created;  // UTC
  std::map<std::string, std::string>
      settings;  // model and tokenizer hashes, seed, profiles, dtype, ...
  std::map<std::string, std::string> environment;   // build, versions, device, command line
  std::vector<std::string> modes;                   // as asked: "fa-ssa"
  std::map<std::string, std::string> mode_options;  // mode -> the same with every option spelt out
  std::vector<std::string> tasks;
  std::vector<std::int64_t> lengths;
  std::int64_t planned_samples = 0;
  std::map<CellKey, std::int64_t> planned;  // samples, for "n of N"
  std::map<DataKey, std::string> data_ids;
  std::map<std::string, std::string> source_ids;  // source file -> sha256
  std::map<std::string, std::string> licences;    // source file -> licence, "none declared"
  std::map<std::string, std::string> categories;  // task -> category of its TaskInfo
  // Texts that prompts were made with: "chat_template" and each task's own, with fields in braces.
  std::map<std::string, std::string> templates;
};

struct RunData {
  std::string folder;
  RunSpec spec;
  std::vector<SampleRecord> samples;  // the last record of each key, in file order
  std::vector<std::string> notes;     // torn lines skipped and the like
};

}  // namespace elastic::runs
