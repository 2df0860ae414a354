#include "harness/evaluate/run_setup.h"

#include "base/threads.h"
#include "datasets/folders.h"
#include "engine/api/hub_cache.h"
#include "engine/api/make_generator.h"
#include "harness/run/model_path.h"
#include "tasks/registry.h"

namespace elastic::harness {

RunSetup set_up(const RunOptions& options) {
  RunSetup setup{.options = options};
  RunOptions& o = setup.options;
  o.data_dir = datasets::data_folder(o.data_dir).string();
  o.cache_dir = datasets::cache_folder(o.cache_dir).string();
  setup.model = model_path(o.model, o.data_dir);
  setup.config = engine::read_model_config(setup.model);
  setup.plan = make_plan(o, {.window = setup.config.max_positions, .demo = o.model == kDemoModel},
                         tasks::suites());
  setup.needs = engine::check_modes(setup.model, o.router, setup.plan.modes);
  return setup;
}

PromptParts load_prompt_parts(const std::filesystem::path& model) {
  PromptParts parts{std::make_shared<const engine::Tokenizer>(engine::Tokenizer::load(model)),
                    nullptr};
  if (auto chat = engine::ChatTemplate::load(model)) {
    parts.chat = std::make_shared<const engine::ChatTemplate>(std::move(*chat));
  }
  return parts;
}

std::vector<PreparedCell> prepare_cells(const RunSetup& setup, const PromptParts& parts) {
  return prepare(setup.plan, setup.options, parts.tokenizer.get(), hardware_threads(),
                 parts.chat.get());
}

PromptRequest prompt_request(const RunSetup& setup, const PromptParts& parts,
                             const PreparedCell& cell, const tasks::Sample& sample) {
  return {.cell = cell,
          .sample = sample,
          .options = setup.options,
          .window = setup.config.max_positions,
          .tokenizer = parts.tokenizer.get(),
          .chat = parts.chat.get(),
          .model = engine::model_name(setup.model)};
}

}  // namespace elastic::harness
