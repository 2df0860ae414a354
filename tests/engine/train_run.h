#pragma once

// Trainings of a few steps on the small model of train_model.h.

#include <filesystem>
#include <string_view>

#include "base/error.h"
#include "engine/api/train_router.h"
#include "tests/engine/train_model.h"
#include "tests/testing/folders.h"

namespace elastic::testing {

/// Two tasks; documents of 400 tokens, so that the window hides something.
inline engine::BatchSource made_source(std::int64_t fails_at = -1) {
  engine::BatchSource source;
  source.tasks = {{"needle", 0.6}, {"robust", 1.0}};
  source.draw = [fails_at](const engine::BatchPosition& at) {
    if (at.step == fails_at) throw Error(ErrorKind::kCorrupt, "made.jsonl line 7: cut");
    return made_documents({420, 400}, 2,
                          engine::mix_seed({static_cast<std::uint64_t>(at.step),
                                            static_cast<std::uint64_t>(at.micro_step)}));
  };
  return source;
}

inline engine::TrainOptions small_options(const std::filesystem::path& output) {
  engine::TrainOptions options;
  options.config_json = small_config(false);
  options.output = output;
  options.device = "cpu";
  options.steps = 6;
  options.log_every = 2;
  options.checkpoint_every = 2;
  options.feed_threads = 2;
  options.optimizer.lr = 1e-3;
  options.router.local = 128;
  return options;
}

/// A checkpoint to train routers for.
inline std::filesystem::path small_checkpoint(const std::filesystem::path& folder,
                                              std::uint64_t seed = 42) {
  engine::TrainOptions options = small_options(folder);
  options.steps = 1;
  options.seed = seed;
  engine::train_backbone(options, made_source());
  return folder;
}

inline engine::TrainOptions router_options(const TemporaryFolder& folder, std::string_view output) {
  engine::TrainOptions options = small_options(folder / output);
  options.base = folder / "base";
  if (!std::filesystem::exists(options.base)) small_checkpoint(options.base);
  return options;
}

}  // namespace elastic::testing
