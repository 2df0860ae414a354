#pragma once

// From options to what an evaluation works on: the model's folder and config, the plan, and what
// turns samples into prompts. No weights are loaded.
//
//   const RunSetup setup = set_up(options);
//   const PromptParts parts = load_prompt_parts(setup.model);

#include <filesystem>
#include <memory>
#include <vector>

#include "engine/api/chat_template.h"
#include "engine/api/make_generator.h"
#include "engine/api/tokenizer.h"
#include "engine/config/model_config.h"
#include "harness/run/plan.h"
#include "harness/run/prepare.h"
#include "harness/run/run_options.h"
#include "harness/run/sample_run.h"

namespace elastic::harness {

struct RunSetup {
  RunOptions options;  // with folders resolved
  std::filesystem::path model;
  engine::ModelConfig config;
  Plan plan;
  engine::ModeNeeds needs;  // of the plan's modes
};

/// Throws as model_path(), read_model_config(), make_plan() and check_modes().
RunSetup set_up(const RunOptions& options);

struct PromptParts {
  std::shared_ptr<const engine::Tokenizer> tokenizer;
  std::shared_ptr<const engine::ChatTemplate> chat;  // null where the checkpoint has none
};

/// Those of a checkpoint folder. Throws as their load().
PromptParts load_prompt_parts(const std::filesystem::path& model);

/// The data of the plan's cells, on every thread of the machine.
std::vector<PreparedCell> prepare_cells(const RunSetup& setup, const PromptParts& parts);

/// One sample of a cell, for prepare_prompt(); it refers to all of its arguments.
PromptRequest prompt_request(const RunSetup& setup, const PromptParts& parts,
                             const PreparedCell& cell, const tasks::Sample& sample);

}  // namespace elastic::harness
