#pragma once

// The inner half of Punkt (tasks/ruler/punkt.h): whether the text around
// one candidate mark holds a sentence break.
//
//   bool breaks = context_breaks(parameters, "word. Next");

#include <string_view>

#include "tasks/ruler/punkt.h"

namespace elastic::tasks {

/// Bytes of the mark at `offset` that is longer than one character: "--", "..", ". . ."; 0 if none.
std::size_t multi_character_mark(std::string_view text, std::size_t offset);

/// One of the characters that end a word and may follow a sentence's mark.
bool is_non_word(char c);

/// `context`: the word before a candidate mark, the mark, and the token behind it.
bool context_breaks(const PunktParameters& parameters, std::string_view context);

}  // namespace elastic::tasks
