#pragma once

// Expressions of the chat template language out of tokens, by Jinja's precedence.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/chat/template_ast.h"
#include "engine/chat/template_lexer.h"

namespace elastic::engine {

class ExpressionParser {
 public:
  /// Both outlive the parser. `tokens` ends in a kEnd.
  ExpressionParser(const std::vector<TemplateToken>& tokens, std::string_view name)
      : tokens_(tokens), name_(name) {}

  /// With commas at the top: a list. `condition`: whether `x if y` may follow.
  ExpressionPtr tuple(bool condition = true);
  ExpressionPtr expression(bool condition = true);

  bool accept(std::string_view text);  // an operator or a word
  void expect(std::string_view text);
  std::string expect_name();
  void expect_end();
  bool at_end() const { return peek().kind == TokenKind::kEnd; }
  const TemplateToken& peek(std::size_t ahead = 0) const;
  [[noreturn]] void fail(std::string_view what) const;

 private:
  class Depth;
  bool is(std::string_view text, std::size_t ahead = 0) const;
  ExpressionPtr make(ExpressionKind kind, std::string name = "") const;
  void adopt(Expression& parent, ExpressionPtr child) const;  // null: a part left out
  void note_height(Expression& parent, const Expression& child) const;
  ExpressionPtr binary(std::string op, ExpressionPtr left, ExpressionPtr right) const;
  ExpressionPtr any_of();
  ExpressionPtr all_of();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr joined();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr unary(bool filters);
  ExpressionPtr primary();
  ExpressionPtr literal();
  ExpressionPtr postfix(ExpressionPtr node);
  ExpressionPtr filters(ExpressionPtr node);
  ExpressionPtr test(ExpressionPtr node);
  ExpressionPtr subscript(ExpressionPtr node);
  ExpressionPtr list(std::string_view close);
  ExpressionPtr map();
  void arguments(Expression& node);

  const std::vector<TemplateToken>& tokens_;
  std::string_view name_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace elastic::engine
