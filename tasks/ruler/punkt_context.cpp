#include "tasks/ruler/punkt_context.h"

#include <string>
#include <vector>

#include "base/text.h"
#include "base/unicode.h"
#include "base/utf8.h"

namespace elastic::tasks {
namespace {

constexpr std::string_view kNumber = "##number##";

// Orthographic flags: seen with an upper-case first letter in the middle of a sentence; seen in
// lower case at all; seen in upper case at all; in lower case at the beginning of a sentence.
constexpr int kUpperMiddle = 4;
constexpr int kAnyUpper = 2 | 4 | 8;
constexpr int kAnyLower = 16 | 32 | 64;
constexpr int kLowerBeginning = 16;

struct Token {
  std::string_view text;
  std::string type;  // lower case, numbers folded to one type
  bool breaks = false, abbreviation = false, ellipsis = false;

  bool ends_in_stop() const { return text.ends_with('.'); }
};

std::string_view without_stop(std::string_view type) {
  return type.size() > 1 && type.ends_with('.') ? type.substr(0, type.size() - 1) : type;
}

bool starts_word(char c) {
  return std::string_view("(\"`{[:;&#*@)}]-,").find(c) == std::string_view::npos;
}

bool ends_word(std::string_view line, std::size_t offset) {
  return offset >= line.size() || is_space(code_point_at(line, offset).value) ||
         is_non_word(line[offset]) || multi_character_mark(line, offset) > 0;
}

std::size_t word_bytes(std::string_view line, std::size_t begin) {
  std::size_t end = begin + code_point_at(line, begin).bytes;
  while (!ends_word(line, end) && !(line[end] == ',' && ends_word(line, end + 1))) {
    end += code_point_at(line, end).bytes;
  }
  return end - begin;
}

// Optional minus, optional full stop or comma, a digit, then digits, commas, stops or hyphens.
bool is_number(std::string_view text) {
  std::size_t i = text.starts_with('-') ? 1 : 0;
  if (i < text.size() && (text[i] == '.' || text[i] == ',')) ++i;
  if (i >= text.size() || !is_decimal_digit(code_point_at(text, i).value)) return false;
  while (i < text.size()) {
    const CodePoint c = code_point_at(text, i);
    if (!is_decimal_digit(c.value) && c.value != ',' && c.value != '.' && c.value != '-') {
      return false;
    }
    i += c.bytes;
  }
  return true;
}

// One letter (or another word character that is no digit) and a full stop.
bool is_initial(std::string_view text) {
  if (text.size() < 2 || !text.ends_with('.')) return false;
  const CodePoint c = code_point_at(text, 0);
  return c.bytes + 1 == text.size() && is_word(c.value) && !is_decimal_digit(c.value);
}

Token make_token(std::string_view text) {
  std::string type = lower_case(text);
  if (is_number(type)) type = kNumber;
  return {.text = text, .type = std::move(type)};
}

std::vector<Token> word_tokens(std::string_view context) {
  std::vector<Token> tokens;
  for (const std::string_view line : split(context, '\n')) {
    for (std::size_t i = 0; i < line.size();) {
      const CodePoint c = code_point_at(line, i);
      std::size_t bytes = multi_character_mark(line, i);
      if (bytes == 0 && is_space(c.value)) {
        i += c.bytes;
        continue;
      }
      if (bytes == 0) bytes = starts_word(line[i]) ? word_bytes(line, i) : 1;
      tokens.push_back(make_token(line.substr(i, bytes)));
      i += bytes;
    }
  }
  return tokens;
}

// First pass: what a token says about itself.
void annotate(const PunktParameters& parameters, Token& token) {
  if (token.text == "." || token.text == "?" || token.text == "!") {
    token.breaks = true;
  } else if (token.text.size() > 1 && token.text.find_first_not_of('.') == std::string_view::npos) {
    token.ellipsis = true;
  } else if (token.ends_in_stop() && !token.text.ends_with("..")) {
    const std::string word = lower_case(token.text.substr(0, token.text.size() - 1));
    const std::size_t hyphen = word.rfind('-');
    token.abbreviation =
        parameters.abbreviations.contains(word) ||
        (hyphen != std::string::npos && parameters.abbreviations.contains(word.substr(hyphen + 1)));
    token.breaks = !token.abbreviation;
  }
}

enum class StartsSentence { kYes, kNo, kUnknown };

int orthography(const PunktParameters& parameters, const std::string& type) {
  const auto it = parameters.orthography.find(type);
  return it == parameters.orthography.end() ? 0 : it->second;
}

StartsSentence starts_sentence(const Token& token, int flags) {
  if (token.text.size() == 1 &&
      std::string_view(";:,.!?").find(token.text[0]) != std::string_view::npos) {
    return StartsSentence::kNo;
  }
  const char32_t first = code_point_at(token.text, 0).value;
  if (is_upper(first) && (flags & kAnyLower) != 0 && (flags & kUpperMiddle) == 0) {
    return StartsSentence::kYes;
  }
  if (is_lower(first) && ((flags & kAnyUpper) != 0 || (flags & kLowerBeginning) == 0)) {
    return StartsSentence::kNo;
  }
  return StartsSentence::kUnknown;
}

// Second pass: what the following token says about one that ends in a full stop.
void reconsider(const PunktParameters& parameters, Token& token, const Token& following) {
  if (!token.ends_in_stop()) return;
  const std::string_view type = without_stop(token.type);
  const std::string next(following.breaks ? without_stop(following.type) : following.type);
  if (parameters.collocations.contains(std::string(type) + '\t' + next)) {
    token.breaks = false;
    return;
  }
  const bool initial = is_initial(token.text);
  const int flags = orthography(parameters, next);
  const StartsSentence starts = starts_sentence(following, flags);
  const bool upper = is_upper(code_point_at(following.text, 0).value);
  if ((token.abbreviation || token.ellipsis) && !initial &&
      (starts == StartsSentence::kYes || (upper && parameters.sentence_starters.contains(next)))) {
    token.breaks = true;
    return;
  }
  if (!initial && type != kNumber) return;
  if (starts == StartsSentence::kNo ||
      (starts == StartsSentence::kUnknown && initial && upper && (flags & kAnyLower) == 0)) {
    token.breaks = false;
  }
}

}  // namespace

std::size_t multi_character_mark(std::string_view text, std::size_t offset) {
  const char mark = text[offset];
  if (mark != '-' && mark != '.') return 0;
  std::size_t end = offset;
  while (end < text.size() && text[end] == mark) ++end;
  if (end - offset >= 2) return end - offset;
  if (mark == '-') return 0;
  std::size_t pairs = 0;  // full stop and one white-space character
  for (std::size_t i = offset; i < text.size() && text[i] == '.'; ++pairs) {
    if (pairs >= 2) end = i + 1;
    if (i + 1 >= text.size()) break;
    const CodePoint c = code_point_at(text, i + 1);
    if (!is_space(c.value)) break;
    i += 1 + c.bytes;
  }
  return end - offset >= 2 ? end - offset : 0;
}

bool is_non_word(char c) {
  return std::string_view(")\";}]*:@'({[?!").find(c) != std::string_view::npos;
}

bool context_breaks(const PunktParameters& parameters, std::string_view context) {
  std::vector<Token> tokens = word_tokens(context);
  for (Token& token : tokens) annotate(parameters, token);
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    reconsider(parameters, tokens[i], tokens[i + 1]);
    if (tokens[i].breaks) return true;
  }
  return false;
}

}  // namespace elastic::tasks
