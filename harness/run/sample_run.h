#pragma once

// One sample on its way through a mode: prompt, checks, generation, score, record. The loop over
// samples is runner.h.

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "engine/api/generator.h"
#include "harness/run/prepare.h"
#include "runs/record.h"

namespace elastic::harness {

/// Share of the stated length below which a sample is marked (and refused by --strict).
inline constexpr double kAchievedLength = 0.95;

/// What every mode of a cell shares.
struct PreparedPrompt {
  tasks::Prompt prompt;
  tasks::PromptContext context;  // what it was made with; a second pass is made with the same
  std::string prompt_sha256, ids_sha256;
  std::int64_t achieved_tokens = 0;  // by RULER's count: prompt without BOS, and answer budget
  bool too_short = false;            // below kAchievedLength of the stated length
  std::optional<std::string> error;  // why it cannot run
};

struct PromptRequest {
  const PreparedCell& cell;
  const tasks::Sample& sample;
  const RunOptions& options;
  std::int64_t window = 0;  // positions of the model
  const engine::Tokenizer* tokenizer = nullptr;
  const engine::ChatTemplate* chat = nullptr;  // the checkpoint's
  std::string model;                           // its name
};

/// A prompt that cannot run carries its reason: it does not fit the model's window, or --strict and
/// it falls short of the stated length. Throws kInvalidArgument where the ids begin with two BOS:
/// that is the template's fault, so every sample has it.
PreparedPrompt prepare_prompt(const PromptRequest& request);

struct SampleRun {
  const PreparedCell* cell = nullptr;
  const tasks::Sample* sample = nullptr;
  std::shared_ptr<const PreparedPrompt> prompt;
  runs::SampleRecord record;  // key and mode are the caller's, the rest is filled here
};

/// Fills in what is known before the engine is asked. False where it cannot be: the record says
/// why.
bool begin_sample(SampleRun& run, const engine::Generator& generator);

/// True where one request answers the sample: no thinking, no second pass.
bool takes_one_request(const SampleRun& run, const RunOptions& options);

engine::Request request_of(const SampleRun& run, const RunOptions& options);

/// What became of request_of(): scores an answer, records a failure. Throws kDevice where the
/// device failed: nothing more can run on it.
void finish_sample(SampleRun& run, std::variant<engine::Result, std::exception_ptr> outcome);

/// The same for a sample of several passes, run here one after the other.
void run_passes(engine::Generator& generator, const RunOptions& options, SampleRun& run);

}  // namespace elastic::harness
