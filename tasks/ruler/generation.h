#pragma once

// The inside of RULER's generators: one job makes one file of samples. Specified by upstream's
// behaviour (hsiehjackson/RULER, arXiv 2404.06654), stream by stream; see tasks/ruler/generate.h
// for the way in.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/python_random.h"
#include "tasks/ruler/length_search.h"
#include "tasks/ruler/prompt_pack.h"
#include "tasks/ruler/record.h"
#include "tasks/ruler/sources.h"

namespace elastic::tasks {

enum class HaystackKind { kNoise, kEssay, kNeedle };
enum class ValueKind { kWords, kNumbers, kUuids };

/// A row of the table of 13 tasks; the last fields matter to needle tasks only.
struct RulerConfig {
  std::string_view name;      // "niah_single_1"
  std::string_view base;      // key in the prompt pack
  std::string_view category;  // the paper's four
  std::string_view summary;
  std::string_view metric;
  std::int64_t budget = 128;  // tokens of the answer, as upstream's own texts say too
  HaystackKind haystack = HaystackKind::kNoise;
  ValueKind key = ValueKind::kWords, value = ValueKind::kNumbers;
  int keys = 1;    // needles with different keys
  int values = 1;  // per key
  int asked = 1;   // keys asked for
  QuestionSource questions = QuestionSource::kSquad;
};

const std::vector<RulerConfig>& ruler_configs();

struct GenerationJob {
  const RulerConfig* config = nullptr;
  Vintage vintage = Vintage::kGenB;
  std::int64_t length = 0;  // tokens: prompt with answer prefix, and answer budget
  std::int64_t count = 0;   // samples
  std::uint64_t seed = 42;  // below 2^32
  const PromptPack* pack = nullptr;
  std::string model_template;    // its text, with {task_template}
  bool from_checkpoint = false;  // the model template is the checkpoint's, not the pack's
  bool remove_newline_tab = false;
  const Sources* sources = nullptr;
  CountTokens count_tokens;
  int max_failures = kMaxFailures;

  const TaskTexts& texts() const { return pack->tasks.at(std::string(config->base)); }
  /// The model template around the task's text, the answer prefix behind it.
  std::string full_template() const;
  bool with_examples() const { return length >= pack->examples_from; }
};

/// The random streams of one process: `main` runs on through everything; every fixed shuffle starts
/// a new stream of the same seed; `numpy` serves variable tracking.
struct Streams {
  explicit Streams(std::uint64_t stream_seed)
      : seed(stream_seed), main(stream_seed), numpy(static_cast<std::uint32_t>(stream_seed)) {}

  std::uint64_t seed;
  PythonRandom main;
  NumpyRandom numpy;

  template <typename T>
  void fixed_shuffle(std::vector<T>& items) const {
    PythonRandom(seed).shuffle(items);
  }
};

/// Puts a finished prompt into a record: gen-A as it is, gen-B cut before the answer prefix.
RulerRecord make_record(const GenerationJob& job, std::int64_t index, std::string prompt,
                        std::vector<std::string> answers, std::int64_t total);

/// How often the word of a rank (from 1) comes in a text of `words` words:
/// trunc(words * rank^-2 / zeta(2)).
std::int64_t zipf_count(std::int64_t words, std::int64_t rank);

// One generator per base task; `trace` takes the length search's trials.
std::vector<RulerRecord> generate_niah(const GenerationJob& job, SearchTrace& trace);
std::vector<RulerRecord> generate_variable_tracking(const GenerationJob& job, SearchTrace& trace);
std::vector<RulerRecord> generate_common_words(const GenerationJob& job, SearchTrace& trace);
std::vector<RulerRecord> generate_frequent_words(const GenerationJob& job, SearchTrace& trace);
std::vector<RulerRecord> generate_qa(const GenerationJob& job, SearchTrace& trace);

}  // namespace elastic::tasks
