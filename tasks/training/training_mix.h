#pragma once

// Training data for routers and backbones (elastic_attention spec 4.3): documents from JSON lines,
// packed token rows, exercises for any model, or the synthetic mixture that the demo model is
// trained on. The keys are listed in docs/training_data.md.
//
//   const engine::BatchSource source = make_training_mix(config.at("data"), tokenizer);
//   const auto documents = source.draw({.step = 17, .progress = .03});

#include <filesystem>

#include "base/json.h"
#include "engine/api/batch_source.h"
#include "engine/api/tokenizer.h"

namespace elastic::tasks {

/// `config`: the object "data" of a training configuration. A batch is a function of the seed, the
/// step and `micro_step * world + rank`, so that n processes draw what one process draws in n micro
/// steps. `draw` may be called by several threads at once; `tokenizer` must outlive the source.
/// `chat_folder`: the model whose chat template the data may ask for.
/// Throws kInvalidArgument naming the key for unknown keys and values that make no sense, kNotFound
/// for missing files, kCorrupt naming file and line for rows that are not usable, kUnsupported
/// where the tokenizer merges across the pieces that synthetic text is made of.
engine::BatchSource make_training_mix(const Json& config, const engine::Tokenizer& tokenizer,
                                      const std::filesystem::path& chat_folder = {});

}  // namespace elastic::tasks
