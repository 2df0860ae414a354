#pragma once

// One sample on its way through a mode: prompt, checks, generation, score, record. The loop over
// samples is runner.h.

#include <optional>
#include <span>
#include <string>

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
  const PreparedPrompt* prompt = nullptr;
  runs::SampleRecord record;  // key and mode are the caller's, the rest is filled here
};

/// Generates and scores a batch, filling the records. Where a batch fails, its samples run one by
/// one, so that one bad sample costs only itself. Throws kDevice where the device failed: nothing
/// more can run on it.
void run_batch(engine::Generator& generator, const RunOptions& options, std::span<SampleRun> runs);

}  // namespace elastic::harness
