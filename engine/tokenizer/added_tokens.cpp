#include "engine/tokenizer/added_tokens.h"

#include <algorithm>
#include <cstring>

#include "base/utf8.h"
#include "engine/tokenizer/char_class.h"

namespace elastic::engine {
namespace {

std::uint8_t flags_at(std::string_view text, std::size_t at) {
  return char_classes()[decode_utf8(text, at).value];
}

std::size_t spaces_begin(std::string_view text, std::size_t end) {
  while (end > 0) {
    const std::size_t before = previous_utf8(text, end);
    if (!(flags_at(text, before) & kSpace)) break;
    end = before;
  }
  return end;
}

std::size_t spaces_end(std::string_view text, std::size_t begin) {
  while (begin < text.size() && (flags_at(text, begin) & kSpace)) {
    begin += decode_utf8(text, begin).bytes;
  }
  return begin;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::erase_if(tokens_, [](const AddedToken& token) { return token.content.empty(); });
  std::sort(tokens_.begin(), tokens_.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
  for (const AddedToken& token : tokens_) {
    first_byte_[static_cast<unsigned char>(token.content.front())] = true;
  }
  if (std::count(first_byte_.begin(), first_byte_.end(), true) == 1) {
    only_first_byte_ = static_cast<unsigned char>(tokens_.front().content.front());
  }
}

void AddedTokens::for_each_part(std::string_view text, const Use& use) const {
  std::size_t done = 0;
  for (std::size_t at = next_candidate(text, 0); at < text.size(); at = next_candidate(text, at)) {
    const AddedToken* token = longest_at(text, at);
    if (token == nullptr) {
      ++at;
      continue;
    }
    const std::size_t end = at + token->content.size();
    if (accepts(*token, text, at, end)) {
      // Spaces that the token before has eaten already are not eaten twice.
      const std::size_t begin =
          token->lstrip ? std::max(spaces_begin(text, at), std::min(done, at)) : at;
      const std::size_t stop = token->rstrip ? spaces_end(text, end) : end;
      if (begin > done) use(text.substr(done, begin - done), nullptr);
      use(text.substr(begin, stop - begin), token);
      done = std::max(done, stop);
    }
    at = end;
  }
  if (done < text.size()) use(text.substr(done), nullptr);
}

const AddedToken* AddedTokens::longest_at(std::string_view text, std::size_t at) const {
  // Narrow the sorted range byte by byte; a token that ends on the way is the longest so far.
  auto low = tokens_.begin();
  auto high = tokens_.end();
  const AddedToken* found = nullptr;
  for (std::size_t i = 0; at + i < text.size() && low != high; ++i) {
    const auto byte = static_cast<unsigned char>(text[at + i]);
    const auto byte_of = [&](const AddedToken& token) {
      return i < token.content.size()
                 ? static_cast<int>(static_cast<unsigned char>(token.content[i]))
                 : -1;
    };
    low = std::partition_point(low, high, [&](const AddedToken& t) { return byte_of(t) < byte; });
    high = std::partition_point(low, high, [&](const AddedToken& t) { return byte_of(t) <= byte; });
    if (low != high && low->content.size() == i + 1) found = &*low;
  }
  return found;
}

std::size_t AddedTokens::next_candidate(std::string_view text, std::size_t at) const {
  if (tokens_.empty() || at >= text.size()) return text.size();
  if (only_first_byte_ >= 0) {
    const void* hit = std::memchr(text.data() + at, only_first_byte_, text.size() - at);
    return hit == nullptr ? text.size()
                          : static_cast<std::size_t>(static_cast<const char*>(hit) - text.data());
  }
  while (at < text.size() && !first_byte_[static_cast<unsigned char>(text[at])]) ++at;
  return at;
}

bool AddedTokens::accepts(const AddedToken& token, std::string_view text, std::size_t begin,
                          std::size_t end) const {
  if (!token.single_word) return true;
  const bool word_before = begin > 0 && (flags_at(text, previous_utf8(text, begin)) & kWord);
  const bool word_after = end < text.size() && (flags_at(text, end) & kWord);
  return !word_before && !word_after;
}

}  // namespace elastic::engine
