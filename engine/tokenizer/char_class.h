#pragma once

// What pre-tokenizer patterns and normalizers ask of a code point, as one byte per code point (1.1
// MB, built once from utf8proc's data): letter \p{L}, number \p{N}, white space \s (the White_Space
// property), word character \w, and whether NFC can change text that holds it.
//
//   const CharClasses& classes = char_classes();
//   if (classes[c] & kLetter) ...

#include <cstdint>
#include <string_view>
#include <vector>

namespace elastic::engine {

inline constexpr std::uint8_t kLetter = 1;
inline constexpr std::uint8_t kNumber = 2;
inline constexpr std::uint8_t kSpace = 4;
inline constexpr std::uint8_t kNewline = 8;  // \r or \n
inline constexpr std::uint8_t kWord = 16;
inline constexpr std::uint8_t kMayChangeInNfc = 32;

class CharClasses {
 public:
  CharClasses();
  std::uint8_t operator[](std::uint32_t code_point) const { return flags_[code_point]; }

 private:
  std::vector<std::uint8_t> flags_;
};

/// Built at the first call; thread-safe.
const CharClasses& char_classes();

/// NFC of valid UTF-8 text. Returns `text` itself where it is already in that form.
std::string_view to_nfc(std::string_view text, std::string& storage);

}  // namespace elastic::engine
