#include "tasks/training/encode_document.h"

#include <algorithm>

namespace elastic::tasks {

engine::TrainingDocument split_document(const std::vector<std::int32_t>& prompt,
                                        std::vector<std::int32_t> whole) {
  engine::TrainingDocument document{.ids = std::move(whole), .is_answer = {}};
  const auto shorter = static_cast<std::ptrdiff_t>(std::min(prompt.size(), document.ids.size()));
  const auto differ = std::mismatch(prompt.begin(), prompt.begin() + shorter, document.ids.begin());
  document.prompt_tokens = differ.second - document.ids.begin();
  document.is_answer.assign(document.ids.size(), 0);
  std::fill(document.is_answer.begin() + document.prompt_tokens, document.is_answer.end(),
            std::uint8_t{1});
  return document;
}

}  // namespace elastic::tasks
