#pragma once

// A chat template cut into text, `{{ }}` and `{% %}`, white space controls applied as Hugging Face
// configures Jinja: trim_blocks, lstrip_blocks, one final newline dropped.
//
//   for (const TemplatePart& part : split_template(source, name)) ...

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::engine {

enum class TokenKind { kName, kString, kInteger, kFloat, kOperator, kEnd };

struct TemplateToken {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  // a string's value, unescaped
  int line = 0;
};

struct TemplatePart {
  enum class Kind { kText, kOutput, kBlock } kind = Kind::kText;
  std::string text;                   // of kText
  std::vector<TemplateToken> tokens;  // of the others, closed by a kEnd
  int line = 0;
};

/// Throws kCorrupt naming `name` and line.
std::vector<TemplatePart> split_template(std::string_view source, std::string_view name);

/// "NAME, line N: what".
[[noreturn]] void template_error(std::string_view name, int line, std::string_view what);

/// The same for a construct outside the subset.
[[noreturn]] void template_unsupported(std::string_view name, int line, std::string_view construct);

}  // namespace elastic::engine
