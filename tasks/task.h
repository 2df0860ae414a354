#pragma once

// A task turns data into prompts and predictions into scores. One of the five seams; one file and
// one line in registry.cpp per task. Data flows Task -> prompt ids -> Generator -> record; a task
// never sees a model, only its tokenizer (through PromptContext).
//
//   std::unique_ptr<Task> task = make_task("ruler/niah_single_2");
//   for (const Sample& s : task->load(request)) { Prompt p = task->prompt(s, context); ...
//   task->score(s, text); }

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/api/chat_template.h"
#include "engine/api/tokenizer.h"

namespace elastic::tasks {

/// Thrown by load(): no sample of the task fits in the length. A run of several cells goes on with
/// the others.
class LengthTooShort : public Error {
 public:
  explicit LengthTooShort(const std::string& message)
      : Error(ErrorKind::kInvalidArgument, message) {}
};

struct TaskInfo {
  std::string name;                 // "ruler/niah_single_1"
  std::string suite;                // "ruler"
  std::string category;             // "retrieval", "Single-Doc QA", ...
  std::string summary;              // one line
  std::string paper;                // where it comes from
  std::string metric;               // "string_match_all"
  std::int64_t max_new_tokens = 0;  // the official answer budget
  bool has_lengths = false;         // generated per length (RULER) or a fixed set
  // Prompts begin with one BOS and end in the beginning of the answer: flags of chat templates
  // have nothing to act on.
  bool begins_answer = false;
  std::int64_t default_limit = 0;  // samples per length where the user gives none; 0 = all
  std::vector<std::string> data;   // names of datasets/catalog entries it reads
  std::string licence;
};

struct LoadRequest {
  std::string profile;      // "ruler@builtin"
  std::int64_t length = 0;  // tokens, for tasks with lengths
  std::int64_t limit = 0;   // 0 = all
  std::uint64_t seed = 42;
  std::string model_template =
      "base";  // RULER's wrapper: a name of the prompt pack, or "checkpoint"
  std::filesystem::path data_dir;
  std::filesystem::path cache_dir;               // empty = no cache
  const engine::Tokenizer* tokenizer = nullptr;  // counts lengths; outlives the call
  const engine::ChatTemplate* chat = nullptr;    // the checkpoint's; null where it has none
  std::optional<bool> thinking;                  // --thinking, passed to it
};

struct Sample {
  std::int64_t index = 0;  // position within task and length: the sample's identity
  std::string input;       // what the prompt is built from (RULER: the prompt; LongBench: JSON row)
  std::string answer_prefix;  // the answer's beginning, already given to the model
  std::vector<std::string> references;
  std::vector<std::string> labels;  // classes that an answer may name, for metrics that need them
  std::vector<std::string> stop;    // texts that end the answer, where the profile has some
  std::map<std::string, std::string>
      strata;  // needle depth, difficulty, language, ...: for report breakdowns
};

/// What a loaded set is and what it was made from (user_needs 1).
struct DataIdentity {
  std::string data_id;  // two sets with equal ids hold the same data; empty: no better id than the
                        // hash of the samples
  std::map<std::string, std::string> source_ids;  // source file -> sha256
  std::map<std::string, std::string> licences;    // source file -> licence, or "none declared"
  std::string prompt_template = {};  // what a (first) prompt is filled from, fields in braces
};

struct PromptContext {
  const engine::Tokenizer* tokenizer = nullptr;
  std::int64_t max_length = 0;  // tokens for prompt, answer budget excluded; 0 = no limit
  bool exact_length = false;    // max_length is the user's own, not what the window leaves
  std::int64_t window = 0;      // positions of the model; 0 = unknown
  std::optional<std::int64_t> max_new_tokens;  // the user's answer budget
  bool chat_template = true;                   // false: --no-chat-template
  const engine::ChatTemplate* chat = nullptr;  // the checkpoint's; null where it has none
  std::optional<bool> thinking;                // --thinking, passed to the template
  bool official_bos = false;  // --bos official: the tokenizer's BOS even before the template's own
  std::string profile;        // of the task's suite
  std::string model;          // name of the checkpoint, for lengths by model
};

struct Prompt {
  std::string text;               // exactly what is encoded
  std::vector<std::int32_t> ids;  // exactly what the model gets
  std::int64_t truncated_tokens = 0;
  std::int64_t max_new_tokens = 0;
  std::vector<std::string> stop;
  std::vector<std::int32_t> stop_ids;  // further tokens that end the answer
  std::int64_t min_new_tokens = 0;     // until then none of them does
  bool second_pass = false;            // follow_up() asks once more
  // What was done, in order: "chat template", "none: this set is asked without one".
  std::vector<std::pair<std::string, std::string>> steps;
};

class Task {
 public:
  virtual ~Task() = default;

  virtual const TaskInfo& info() const = 0;

  /// Deterministic in the request. Throws kNotFound naming the missing data and the command that
  /// brings it, kInvalidArgument where the length is too short, naming the smallest that works.
  virtual std::vector<Sample> load(const LoadRequest& request) const = 0;

  /// How many samples load() would give, without making them; nothing where only load() can tell.
  /// Throws as load() for missing data.
  virtual std::optional<std::int64_t> count(const LoadRequest&) const { return std::nullopt; }

  /// Of the set that load() gives for the same request.
  virtual DataIdentity identity(const LoadRequest&) const { return {}; }

  /// Throws kInvalidArgument where the prompt cannot fit and the profile forbids truncation.
  virtual Prompt prompt(const Sample& sample, const PromptContext& context) const = 0;

  /// The prompt of a second pass that answers after the reply to the first; nothing where one pass
  /// is all. Throws kInvalidArgument where the reply allows none.
  virtual std::optional<Prompt> follow_up(const Sample&, const PromptContext&,
                                          std::string_view /*reply*/) const {
    return std::nullopt;
  }

  /// Score of one prediction in [0, 1].
  virtual double score(const Sample& sample, std::string_view prediction) const = 0;
};

}  // namespace elastic::tasks
