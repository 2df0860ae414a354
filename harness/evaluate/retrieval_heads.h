#pragma once

// How much each head of a model looks at the answer inside a prompt (elastic_attention equation 9),
// over the samples of a plan.
//
//   const std::vector<NeedlePrompt> prompts = needle_prompts(set_up(options));
//   const auto scores = retrieval_heads(*generator, prompts);

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/api/generator.h"
#include "engine/api/tokenizer.h"
#include "harness/evaluate/run_setup.h"
#include "reports/head_scores.h"

namespace elastic::harness {

struct NeedlePrompt {
  std::string task;
  std::vector<std::int32_t> ids;
  std::vector<std::int64_t> needle;  // positions of the answer's tokens
};

/// Positions of the tokens that spell one of the texts, every time that it stands there; ascending.
std::vector<std::int64_t> token_positions(const engine::Tokenizer& tokenizer,
                                          std::span<const std::int32_t> ids,
                                          std::span<const std::string> texts);

/// Prompts of the plan's samples. One that cannot run, or does not hold its own answer, is left out
/// with a warning; kInvalidArgument where none is left.
std::vector<NeedlePrompt> needle_prompts(const RunSetup& setup);

/// Means over the prompts. A noted signal (base/interrupt.h) between two of them ends it: nothing.
std::optional<reports::HeadScores> retrieval_heads(engine::Generator& generator,
                                                   std::span<const NeedlePrompt> prompts);

}  // namespace elastic::harness
