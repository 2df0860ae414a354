// parse_template() of template_ast.h: statements.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/chat/template_expression.h"
#include "engine/chat/template_lexer.h"

namespace elastic::engine {
namespace {

constexpr int kMaxBlocks = 60;  // nested statements

class Parser {
 public:
  Parser(std::string_view source, std::string_view name)
      : name_(name), parts_(split_template(source, name)) {}

  Body run() {
    Body body = block({});
    if (at_ < parts_.size()) {
      template_error(name_, parts_[at_].line,
                     fmt::format("`{}` without a beginning", word(parts_[at_])));
    }
    return body;
  }

 private:
  static std::string word(const TemplatePart& part) { return part.tokens.front().text; }

  // Statements up to a block that begins with one of `ends`, which stays unread.
  Body block(std::vector<std::string_view> ends) {
    if (++depth_ > kMaxBlocks) template_error(name_, line(), "statements nested too deeply");
    Body body;
    while (at_ < parts_.size()) {
      TemplatePart& part = parts_[at_];
      if (part.kind == TemplatePart::Kind::kText) {
        body.push_back({.kind = StatementKind::kText, .line = part.line, .text = part.text});
        ++at_;
      } else if (part.kind == TemplatePart::Kind::kOutput) {
        body.push_back(output(part));
        ++at_;
      } else {
        const std::string name = word(part);
        if (std::find(ends.begin(), ends.end(), name) != ends.end()) break;
        if (name.starts_with("end") || name == "else" || name == "elif") break;
        ++at_;
        statement(part, name, body);
      }
    }
    --depth_;
    return body;
  }

  // Of the next part, of the last one behind it.
  int line() const { return parts_[std::min(at_, parts_.size() - 1)].line; }

  Statement output(const TemplatePart& part) {
    ExpressionParser parser(part.tokens, name_);
    Statement statement{.kind = StatementKind::kOutput, .line = part.line};
    statement.values.push_back(parser.tuple());
    parser.expect_end();
    return statement;
  }

  void statement(const TemplatePart& part, const std::string& word, Body& body) {
    if (word == "if") return body.push_back(if_block(part));
    if (word == "for") return body.push_back(for_block(part));
    if (word == "set") return body.push_back(set(part));
    if (word == "macro") return body.push_back(macro(part));
    if (word == "break" || word == "continue") {
      return body.push_back(
          {.kind = word == "break" ? StatementKind::kBreak : StatementKind::kContinue,
           .line = part.line});
    }
    if (word == "generation") {  // marks the assistant's part; prints what it holds
      for (Statement& inner : block({"endgeneration"})) body.push_back(std::move(inner));
      return close("endgeneration", part.line);
    }
    template_unsupported(name_, part.line, fmt::format("the statement `{}`", word));
  }

  void close(std::string_view end, int opened) {
    if (at_ >= parts_.size() || word(parts_[at_]) != end) {
      template_error(name_, opened, fmt::format("no `{}` for this block", end));
    }
    ++at_;
  }

  Statement if_block(const TemplatePart& part) {
    Statement statement{.kind = StatementKind::kIf, .line = part.line};
    statement.branches.emplace_back(condition(part, "if"), block({}));
    while (at_ < parts_.size() && word(parts_[at_]) == "elif") {
      const TemplatePart& next = parts_[at_++];
      statement.branches.emplace_back(condition(next, "elif"), block({}));
    }
    else_branch(statement);
    close("endif", part.line);
    return statement;
  }

  void else_branch(Statement& statement) {
    if (at_ >= parts_.size() || word(parts_[at_]) != "else") return;
    ++at_;
    statement.branches.emplace_back(nullptr, block({}));
  }

  ExpressionPtr condition(const TemplatePart& part, std::string_view word) {
    ExpressionParser parser(part.tokens, name_);
    parser.expect(word);
    ExpressionPtr value = parser.tuple();
    parser.expect_end();
    return value;
  }

  // Targets of an assignment: a, b, ...
  static std::vector<std::string> names(ExpressionParser& parser) {
    std::vector<std::string> names;
    do {
      names.push_back(parser.expect_name());
    } while (parser.accept(","));
    return names;
  }

  Statement for_block(const TemplatePart& part) {
    ExpressionParser parser(part.tokens, name_);
    Statement statement{.kind = StatementKind::kFor, .line = part.line};
    parser.expect("for");
    statement.names = names(parser);
    parser.expect("in");
    statement.values.push_back(parser.tuple(false));
    statement.values.push_back(parser.accept("if") ? parser.expression() : nullptr);
    if (parser.accept("recursive")) {
      template_unsupported(name_, part.line, "a recursive loop");
    }
    parser.expect_end();
    statement.branches.emplace_back(nullptr, block({}));
    else_branch(statement);
    close("endfor", part.line);
    return statement;
  }

  Statement set(const TemplatePart& part) {
    ExpressionParser parser(part.tokens, name_);
    Statement statement{.kind = StatementKind::kSet, .line = part.line};
    parser.expect("set");
    statement.names = names(parser);
    if (statement.names.size() == 1 && parser.accept(".")) {
      statement.attribute = parser.expect_name();
    }
    if (parser.accept("=")) {
      statement.values.push_back(parser.tuple());
      parser.expect_end();
      return statement;
    }
    if (!parser.at_end()) template_unsupported(name_, part.line, "a `set` block with a filter");
    statement.kind = StatementKind::kSetBlock;
    statement.branches.emplace_back(nullptr, block({}));
    close("endset", part.line);
    return statement;
  }

  Statement macro(const TemplatePart& part) {
    ExpressionParser parser(part.tokens, name_);
    Statement statement{.kind = StatementKind::kMacro, .line = part.line};
    parser.expect("macro");
    statement.names.push_back(parser.expect_name());
    parser.expect("(");
    while (!parser.accept(")")) {
      statement.names.push_back(parser.expect_name());
      statement.values.push_back(parser.accept("=") ? parser.expression() : nullptr);
      if (!parser.accept(",")) {
        parser.expect(")");
        break;
      }
    }
    parser.expect_end();
    statement.branches.emplace_back(nullptr, block({}));
    close("endmacro", part.line);
    return statement;
  }

  std::string_view name_;
  std::vector<TemplatePart> parts_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Body parse_template(std::string_view source, std::string_view name) {
  return Parser(source, name).run();
}

}  // namespace elastic::engine
