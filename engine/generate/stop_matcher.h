#pragma once

// Stop strings over a growing continuation. Text comes out of the tokenizer piece by piece and a
// stop string may begin in one token and end in another, so each step decodes only a tail of tokens
// long enough to hold the longest stop string; a hit is then placed in the text of the whole
// continuation. Torch-free.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/api/tokenizer.h"

namespace elastic::engine {

class StopMatcher {
 public:
  /// Empty strings are dropped. `tokenizer` may be null only where `stop` is empty; it must outlive
  /// the matcher.
  StopMatcher(const Tokenizer* tokenizer, std::vector<std::string> stop);

  /// The text before the earliest stop string, once `ids` (the whole continuation so far) contains
  /// one.
  std::optional<std::string> find(std::span<const std::int32_t> ids) const;

 private:
  const Tokenizer* tokenizer_;
  std::vector<std::string> stop_;
  std::size_t tail_tokens_ = 0;
};

}  // namespace elastic::engine
