#pragma once

// Added and special tokens inside a text: leftmost, of those the longest, with the flags of
// tokenizer.json (single_word, lstrip, rstrip), as the `tokenizers` library finds them.
//
//   const AddedTokens tokens(list);
//   tokens.for_each_part(text, [&](std::string_view part, const AddedToken* token) {
//     token != nullptr: part is (with eaten spaces) that token; else ordinary text
//   });

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::engine {

struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  bool special = false;
  bool normalized = false;   // looked for after normalization, else before
  bool single_word = false;  // not inside a word
  bool lstrip = false;       // eats white space before it
  bool rstrip = false;       // eats white space after it
};

class AddedTokens {
 public:
  explicit AddedTokens(std::vector<AddedToken> tokens = {});

  bool empty() const { return tokens_.empty(); }

  using Use = std::function<void(std::string_view part, const AddedToken* token)>;
  void for_each_part(std::string_view text, const Use& use) const;

 private:
  // Sorted by content; those that share a first byte are neighbours.
  const AddedToken* longest_at(std::string_view text, std::size_t at) const;
  std::size_t next_candidate(std::string_view text, std::size_t at) const;
  bool accepts(const AddedToken& token, std::string_view text, std::size_t begin,
               std::size_t end) const;

  std::vector<AddedToken> tokens_;
  std::array<bool, 256> first_byte_{};
  int only_first_byte_ = -1;  // where all begin alike
};

}  // namespace elastic::engine
