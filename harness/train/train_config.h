#pragma once

// The JSON file of `train`: an object with the keys of engine::TrainOptions (docs/training.md), the
// objects `loss`, `optimizer`, `router`, `regularizer`, `heads`, and `data`, which belongs to
// tasks/training/training_mix.h.
//
//   const TrainConfig config = read_train_config("models/demo/training/router.json");

#include <filesystem>

#include "base/json.h"
#include "engine/api/train_router.h"

namespace elastic::harness {

struct TrainConfig {
  engine::TrainOptions options;  // without output, resume and limits: those are flags
  Json data;
};

/// `base` and `tokenizer` are as the file names them: a flag may take their place. Throws
/// kInvalidArgument naming file and key for unknown keys, kCorrupt for values of another type.
TrainConfig read_train_config(const std::filesystem::path& path);

/// The same as read_train_config() from an object; `source` names it in errors.
TrainConfig parse_train_config(const Json& json, const std::string& source);

/// The folders behind `base` and `tokenizer` (model_path.h); the tokenizer of `base` where none
/// is named.
void resolve_folders(engine::TrainOptions& options);

/// The same for routers and head gates, which need a checkpoint: throws kInvalidArgument where
/// `base` is missing.
void require_base(engine::TrainOptions& options, const std::string& source);

/// The same for a backbone: throws kInvalidArgument unless the file names a checkpoint to go on
/// from, or a new model and its tokenizer.
void require_start(engine::TrainOptions& options, const std::string& source);

/// engine::train_router(), train_heads() or train_backbone().
using Trainer = engine::TrainResult (*)(const engine::TrainOptions&, const engine::BatchSource&);

/// One of them, of the data that the file names. Throws as make_training_mix() and the trainer.
engine::TrainResult run_training(const TrainConfig& config, Trainer train);

}  // namespace elastic::harness
