#pragma once

// A document that was encoded whole, cut where its answer begins.
//
//   TrainingDocument document = split_document(tokenizer.encode(prompt),
//                                              tokenizer.encode(prompt + answer));

#include <cstdint>
#include <vector>

#include "engine/api/batch_source.h"

namespace elastic::tasks {

/// The answer begins where the ids of the prompt alone and those of the whole cease to agree: a
/// token that reaches over the border belongs to it. `task` is left 0.
engine::TrainingDocument split_document(const std::vector<std::int32_t>& prompt,
                                        std::vector<std::int32_t> whole);

}  // namespace elastic::tasks
