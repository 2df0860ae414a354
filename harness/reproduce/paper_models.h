#pragma once

// The paper's models as this program knows them: by their shape.

#include <string>
#include <string_view>

#include "engine/config/model_config.h"

namespace elastic::harness {

inline constexpr const char* kQwen4B = "Qwen3-4B";
inline constexpr const char* kQwen8B = "Qwen3-8B";
inline constexpr const char* kLlama = "Llama-3.1-8B-Instruct";

/// One of these, of a checkpoint of that shape; empty where the paper has none.
std::string paper_model_of_shape(const engine::ModelConfig& config);

/// Whose numbers of an experiment ours stand beside: those asked for, else those of `same`, else
/// the first printed. Throws kInvalidArgument where the experiment has none of the model asked for.
std::string choose_paper_model(std::string_view experiment, const std::string& asked,
                               const std::string& same);

}  // namespace elastic::harness
