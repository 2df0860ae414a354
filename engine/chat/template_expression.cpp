#include "engine/chat/template_expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace elastic::engine {
namespace {

constexpr int kMaxDepth = 150;   // of nested expressions; a template that is one nests a few deep
constexpr int kMaxHeight = 300;  // of the tree, which chains like a + b + c ... make high as well

constexpr std::array<std::string_view, 10> kWords = {"and", "or",   "not", "in",        "is",
                                                     "if",  "else", "for", "recursive", "elif"};

bool is_reserved(std::string_view word) {
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

}  // namespace

class ExpressionParser::Depth {
 public:
  explicit Depth(ExpressionParser& parser) : parser_(parser) {
    if (++parser_.depth_ > kMaxDepth) parser_.fail("an expression nested too deeply");
  }
  ~Depth() { --parser_.depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  ExpressionParser& parser_;
};

const TemplateToken& ExpressionParser::peek(std::size_t ahead) const {
  return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
}

bool ExpressionParser::is(std::string_view text, std::size_t ahead) const {
  const TemplateToken& token = peek(ahead);
  return token.text == text &&
         (token.kind == TokenKind::kOperator || token.kind == TokenKind::kName);
}

bool ExpressionParser::accept(std::string_view text) {
  if (!is(text)) return false;
  ++at_;
  return true;
}

void ExpressionParser::expect(std::string_view text) {
  if (!accept(text)) fail(fmt::format("expected `{}`, found `{}`", text, peek().text));
}

std::string ExpressionParser::expect_name() {
  if (peek().kind != TokenKind::kName || is_reserved(peek().text)) {
    fail(fmt::format("expected a name, found `{}`", peek().text));
  }
  return tokens_[at_++].text;
}

void ExpressionParser::expect_end() {
  if (!at_end()) fail(fmt::format("unexpected `{}`", peek().text));
}

void ExpressionParser::fail(std::string_view what) const {
  template_error(name_, peek().line, what);
}

ExpressionPtr ExpressionParser::make(ExpressionKind kind, std::string name) const {
  auto node = std::make_unique<Expression>();
  node->kind = kind;
  node->line = peek().line;
  node->name = std::move(name);
  return node;
}

void ExpressionParser::note_height(Expression& parent, const Expression& child) const {
  parent.height = std::max(parent.height, child.height + 1);
  if (parent.height > kMaxHeight) fail("an expression nested too deeply");
}

void ExpressionParser::adopt(Expression& parent, ExpressionPtr child) const {
  if (child != nullptr) note_height(parent, *child);
  parent.children.push_back(std::move(child));
}

ExpressionPtr ExpressionParser::binary(std::string op, ExpressionPtr left,
                                       ExpressionPtr right) const {
  ExpressionPtr node = make(ExpressionKind::kBinary, std::move(op));
  adopt(*node, std::move(left));
  adopt(*node, std::move(right));
  return node;
}

ExpressionPtr ExpressionParser::tuple(bool condition) {
  ExpressionPtr first = expression(condition);
  if (!is(",")) return first;
  ExpressionPtr node = make(ExpressionKind::kList);
  adopt(*node, std::move(first));
  while (accept(",")) {
    if (at_end() || is(")")) break;
    adopt(*node, expression(condition));
  }
  return node;
}

ExpressionPtr ExpressionParser::expression(bool condition) {
  const Depth depth(*this);
  ExpressionPtr node = any_of();
  while (condition && is("if")) {
    ++at_;
    ExpressionPtr choice = make(ExpressionKind::kCondition);
    adopt(*choice, std::move(node));
    adopt(*choice, any_of());
    adopt(*choice, accept("else") ? expression() : nullptr);
    node = std::move(choice);
  }
  return node;
}

ExpressionPtr ExpressionParser::any_of() {
  ExpressionPtr node = all_of();
  while (accept("or")) node = binary("or", std::move(node), all_of());
  return node;
}

ExpressionPtr ExpressionParser::all_of() {
  ExpressionPtr node = negation();
  while (accept("and")) node = binary("and", std::move(node), negation());
  return node;
}

ExpressionPtr ExpressionParser::negation() {
  const Depth depth(*this);
  if (!is("not")) return comparison();
  ExpressionPtr node = make(ExpressionKind::kUnary, "not");
  ++at_;
  adopt(*node, negation());
  return node;
}

// a < b < c is a < b and b < c in Jinja; templates do not write it, and it is refused.
ExpressionPtr ExpressionParser::comparison() {
  constexpr std::array<std::string_view, 7> kOperators = {"==", "!=", "<=", ">=", "<", ">", "in"};
  ExpressionPtr node = sum();
  bool compared = false;
  while (true) {
    const auto* op = std::find_if(kOperators.begin(), kOperators.end(),
                                  [this](std::string_view o) { return is(o); });
    const bool not_in = is("not") && is("in", 1);
    if (op == kOperators.end() && !not_in) return node;
    if (compared) template_unsupported(name_, peek().line, "a chain of comparisons");
    compared = true;
    at_ += not_in ? 2 : 1;
    node = binary(not_in ? "not in" : std::string(*op), std::move(node), sum());
  }
}

ExpressionPtr ExpressionParser::sum() {
  ExpressionPtr node = joined();
  while (is("+") || is("-")) {
    std::string op = tokens_[at_++].text;
    node = binary(std::move(op), std::move(node), joined());
  }
  return node;
}

ExpressionPtr ExpressionParser::joined() {
  ExpressionPtr node = product();
  while (accept("~")) node = binary("~", std::move(node), product());
  return node;
}

ExpressionPtr ExpressionParser::product() {
  ExpressionPtr node = power();
  while (is("*") || is("/") || is("//") || is("%")) {
    std::string op = tokens_[at_++].text;
    node = binary(std::move(op), std::move(node), power());
  }
  return node;
}

ExpressionPtr ExpressionParser::power() {
  ExpressionPtr node = unary(true);
  if (is("**")) template_unsupported(name_, peek().line, "the operator `**`");
  return node;
}

ExpressionPtr ExpressionParser::unary(bool with_filters) {
  const Depth depth(*this);
  ExpressionPtr node;
  if (is("-") || is("+")) {
    node = make(ExpressionKind::kUnary, tokens_[at_++].text);
    adopt(*node, unary(false));
  } else {
    node = postfix(primary());
  }
  return with_filters ? filters(std::move(node)) : std::move(node);
}

ExpressionPtr ExpressionParser::literal() {
  ExpressionPtr node = make(ExpressionKind::kLiteral);
  const TemplateToken& token = tokens_[at_++];
  if (token.kind == TokenKind::kString) {
    std::string text = token.text;
    while (peek().kind == TokenKind::kString) text += tokens_[at_++].text;
    node->value = std::move(text);
  } else if (token.kind == TokenKind::kInteger) {
    const auto value = parse_int(token.text);
    if (!value) fail(fmt::format("the number `{}` is out of range", token.text));
    node->value = *value;
  } else {
    node->value = parse_double(token.text).value_or(0);
  }
  return node;
}

ExpressionPtr ExpressionParser::primary() {
  const TemplateToken& token = peek();
  if (token.kind == TokenKind::kEnd) fail("the expression ends too early");
  if (token.kind != TokenKind::kName && token.kind != TokenKind::kOperator) return literal();
  if (token.kind == TokenKind::kName) {
    if (is_reserved(token.text)) fail(fmt::format("unexpected `{}`", token.text));
    const std::string& word = token.text;
    ExpressionPtr node = make(ExpressionKind::kLiteral);
    ++at_;
    if (word == "true" || word == "True") {
      node->value = true;
    } else if (word == "false" || word == "False") {
      node->value = false;
    } else if (word == "none" || word == "None") {
      node->value = None{};
    } else {
      node->kind = ExpressionKind::kName;
      node->name = word;
    }
    return node;
  }
  if (accept("(")) {
    if (accept(")")) return make(ExpressionKind::kList);
    ExpressionPtr node = tuple();
    expect(")");
    return node;
  }
  if (accept("[")) return list("]");
  if (accept("{")) return map();
  fail(fmt::format("unexpected `{}`", token.text));
}

ExpressionPtr ExpressionParser::list(std::string_view close) {
  ExpressionPtr node = make(ExpressionKind::kList);
  while (!accept(close)) {
    adopt(*node, expression());
    if (!accept(",")) {
      expect(close);
      break;
    }
  }
  return node;
}

ExpressionPtr ExpressionParser::map() {
  ExpressionPtr node = make(ExpressionKind::kMap);
  while (!accept("}")) {
    adopt(*node, expression());
    expect(":");
    adopt(*node, expression());
    if (!accept(",")) {
      expect("}");
      break;
    }
  }
  return node;
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr node) {
  while (true) {
    if (accept(".")) {
      if (peek().kind == TokenKind::kInteger) {
        template_unsupported(name_, peek().line, "an attribute that is a number");
      }
      ExpressionPtr attribute = make(ExpressionKind::kAttribute, peek().text);
      if (peek().kind != TokenKind::kName) fail("expected an attribute's name");
      ++at_;
      adopt(*attribute, std::move(node));
      node = std::move(attribute);
    } else if (accept("[")) {
      node = subscript(std::move(node));
    } else if (is("(")) {
      ExpressionPtr call = make(ExpressionKind::kCall);
      adopt(*call, std::move(node));
      arguments(*call);
      node = std::move(call);
    } else {
      return node;
    }
  }
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr node) {
  ExpressionPtr result = make(ExpressionKind::kSubscript);
  adopt(*result, std::move(node));
  ExpressionPtr first = is(":") ? nullptr : expression();
  if (!is(":")) {
    adopt(*result, std::move(first));
    expect("]");
    return result;
  }
  result->kind = ExpressionKind::kSlice;
  adopt(*result, std::move(first));
  for (int part = 0; part < 2; ++part) {
    const bool given = accept(":") && !is(":") && !is("]");
    adopt(*result, given ? expression() : nullptr);
  }
  expect("]");
  return result;
}

void ExpressionParser::arguments(Expression& node) {
  expect("(");
  while (!accept(")")) {
    if (is("*") || is("**")) {
      template_unsupported(name_, peek().line, "a call with `*` arguments");
    }
    std::string name;
    if (peek().kind == TokenKind::kName && is("=", 1)) {
      name = peek().text;
      at_ += 2;
    }
    node.arguments.emplace_back(std::move(name), expression());
    note_height(node, *node.arguments.back().second);
    if (!accept(",")) {
      expect(")");
      break;
    }
  }
}

ExpressionPtr ExpressionParser::filters(ExpressionPtr node) {
  while (true) {
    if (accept("|")) {
      ExpressionPtr filter = make(ExpressionKind::kFilter, peek().text);
      if (peek().kind != TokenKind::kName) fail("expected a filter's name");
      ++at_;
      adopt(*filter, std::move(node));
      if (is("(")) arguments(*filter);
      node = std::move(filter);
    } else if (accept("is")) {
      node = test(std::move(node));
    } else if (is("(") || is("[") || is(".")) {
      node = postfix(std::move(node));
    } else {
      return node;
    }
  }
}

ExpressionPtr ExpressionParser::test(ExpressionPtr node) {
  const bool negated = accept("not");
  ExpressionPtr result = make(ExpressionKind::kTest, peek().text);
  if (peek().kind != TokenKind::kName && !is("==")) fail("expected a test's name");
  ++at_;
  adopt(*result, std::move(node));
  const TemplateToken& next = peek();
  if (is("(")) {
    arguments(*result);
  } else if (next.kind == TokenKind::kString || next.kind == TokenKind::kInteger ||
             next.kind == TokenKind::kFloat || is("[") || is("{") ||
             (next.kind == TokenKind::kName && !is_reserved(next.text))) {
    result->arguments.emplace_back("", postfix(primary()));
    note_height(*result, *result->arguments.back().second);
  }
  if (!negated) return result;
  ExpressionPtr inverse = make(ExpressionKind::kUnary, "not");
  adopt(*inverse, std::move(result));
  return inverse;
}

}  // namespace elastic::engine
