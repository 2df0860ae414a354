#include "engine/chat/template_lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.h"
#include "base/text.h"
#include "base/unicode.h"
#include "base/utf8.h"

namespace elastic::engine {
namespace {

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Tokens of one expression or block.
class Tokenizer {
 public:
  Tokenizer(std::string_view text, int line, std::string_view name)
      : text_(text), line_(line), name_(name) {}

  std::vector<TemplateToken> run() {
    while (skip_space()) tokens_.push_back(token());
    tokens_.push_back({TokenKind::kEnd, "", line_});
    return std::move(tokens_);
  }

 private:
  bool skip_space() {
    while (at_ < text_.size() && is_space(static_cast<unsigned char>(text_[at_]))) {
      line_ += text_[at_++] == '\n';
    }
    return at_ < text_.size();
  }

  TemplateToken token() {
    const char c = text_[at_];
    if (is_name_start(c)) {
      const std::size_t begin = at_;
      while (at_ < text_.size() && (is_name_start(text_[at_]) || is_digit(text_[at_]))) ++at_;
      return {TokenKind::kName, std::string(text_.substr(begin, at_ - begin)), line_};
    }
    if (is_digit(c)) return number();
    if (c == '"' || c == '\'') return string(c);
    constexpr std::array<std::string_view, 24> kOperators = {
        "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~",
        "(",  ")",  "[",  "]",  "{",  "}",  ",", ":", ".", "|", "=", "<"};
    for (const std::string_view op : kOperators) {
      if (text_.substr(at_, op.size()) != op) continue;
      at_ += op.size();
      return {TokenKind::kOperator, std::string(op), line_};
    }
    if (c == '>') {
      ++at_;
      return {TokenKind::kOperator, ">", line_};
    }
    template_error(name_, line_, fmt::format("unexpected character `{}`", c));
  }

  TemplateToken number() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (is_digit(text_[at_]) || text_[at_] == '_')) ++at_;
    const bool real = at_ + 1 < text_.size() && text_[at_] == '.' && is_digit(text_[at_ + 1]);
    if (real) {
      ++at_;
      while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    }
    std::string digits(text_.substr(begin, at_ - begin));
    std::erase(digits, '_');
    return {real ? TokenKind::kFloat : TokenKind::kInteger, std::move(digits), line_};
  }

  TemplateToken string(char quote) {
    const int line = line_;
    std::string value;
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      line_ += text_[at_] == '\n';
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        ++at_;
        escape(value);
      } else {
        value += text_[at_];
      }
    }
    if (at_ >= text_.size()) template_error(name_, line, "a string that never ends");
    ++at_;
    return {TokenKind::kString, std::move(value), line};
  }

  void escape(std::string& value) {
    constexpr std::string_view kFrom = "nrtabfv0\\'\"", kTo("\n\r\t\a\b\f\v\0\\'\"", 11);
    const char c = text_[at_];
    if (const std::size_t i = kFrom.find(c); i != std::string_view::npos) {
      value += kTo[i];
      return;
    }
    const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    std::uint32_t code = 0;
    const std::string_view hex = text_.substr(std::min(at_ + 1, text_.size()), digits);
    const auto [end, fault] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
    if (digits == 0 || hex.size() != digits || fault != std::errc() ||
        end != hex.data() + hex.size() || code > 0x10ffff) {
      value += '\\';  // Python keeps an escape that is none
      value += c;
      return;
    }
    append_utf8(value, code);
    at_ += digits;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_;
  std::string_view name_;
  std::vector<TemplateToken> tokens_;
};

class Splitter {
 public:
  Splitter(std::string_view source, std::string_view name) : source_(source), name_(name) {}

  std::vector<TemplatePart> run() {
    while (at_ < source_.size()) {
      const std::size_t open = find_tag(at_);
      text(source_.substr(at_, open - at_), open);
      if (open == std::string_view::npos) break;
      tag(open);
    }
    return std::move(parts_);
  }

 private:
  std::size_t find_tag(std::size_t from) const {
    for (std::size_t i = source_.find('{', from); i != std::string_view::npos;
         i = source_.find('{', i + 1)) {
      if (i + 1 < source_.size() &&
          std::string_view("{%#").find(source_[i + 1]) != std::string::npos) {
        return i;
      }
    }
    return std::string_view::npos;
  }

  char at(std::size_t i) const { return i < source_.size() ? source_[i] : '\0'; }

  // Text before the tag at `open`, cut by what the tags on both sides ask for.
  void text(std::string_view text, std::size_t open) {
    const int lines = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
    const int line = line_;
    line_ += lines;
    if (strip_next_) {
      std::size_t i = 0;
      while (i < text.size() && is_space(static_cast<unsigned char>(text[i]))) ++i;
      text.remove_prefix(i);
    } else if (trim_newline_ && text.starts_with('\n')) {
      text.remove_prefix(1);
    }
    if (open != std::string_view::npos) {
      if (at(open + 2) == '-') {
        while (!text.empty() && is_space(static_cast<unsigned char>(text.back()))) {
          text.remove_suffix(1);
        }
      } else if (at(open + 1) != '{' && at(open + 2) != '+') {
        strip_indent(text, open);
      }
    }
    if (!text.empty()) parts_.push_back({TemplatePart::Kind::kText, std::string(text), {}, line});
  }

  // lstrip_blocks: blanks between the line's start and a block.
  void strip_indent(std::string_view& text, std::size_t open) const {
    std::size_t begin = open;
    while (begin > 0 && (source_[begin - 1] == ' ' || source_[begin - 1] == '\t')) --begin;
    if (begin > 0 && source_[begin - 1] != '\n') return;
    text.remove_suffix(std::min(text.size(), open - begin));
  }

  void tag(std::size_t open) {
    const char kind = source_[open + 1];
    std::size_t begin = open + 2;
    if (at(begin) == '-' || at(begin) == '+') ++begin;
    const std::size_t close = find_close(begin, kind);
    std::size_t end = close;
    const char control = at(close - 1);
    strip_next_ = close > begin && control == '-';
    trim_newline_ = kind != '{' && !(close > begin && control == '+');
    if (close > begin && (control == '-' || (control == '+' && kind != '{'))) --end;
    const std::string_view body = source_.substr(begin, end - begin);
    const int line = line_;
    line_ += static_cast<int>(std::count(body.begin(), body.end(), '\n'));
    at_ = close + 2;
    if (kind == '#') return;
    if (kind == '%' && strip(body) == "raw") {
      trim_newline_ = false;  // Jinja keeps the one behind `raw`
      return raw();
    }
    parts_.push_back({kind == '{' ? TemplatePart::Kind::kOutput : TemplatePart::Kind::kBlock, "",
                      Tokenizer(body, line, name_).run(), line});
  }

  // Where the tag ends; quotes hide what looks like an end.
  std::size_t find_close(std::size_t from, char kind) const {
    const std::string_view close = kind == '{' ? "}}" : kind == '%' ? "%}" : "#}";
    char quote = '\0';
    int braces = 0;
    for (std::size_t i = from; i < source_.size(); ++i) {
      const char c = source_[i];
      if (quote != '\0') {
        if (c == '\\') ++i;
        if (c == quote) quote = '\0';
      } else if (kind != '#' && (c == '"' || c == '\'')) {
        quote = c;
      } else if (source_.substr(i, 2) == close && braces == 0) {
        return i;
      } else if (kind == '{' && (c == '{' || c == '}')) {
        braces += c == '{' ? 1 : -1;
      }
    }
    template_error(name_, line_, fmt::format("a `{{{}` that is never closed", kind));
  }

  // Text up to {% endraw %}, as it stands.
  void raw() {
    for (std::size_t i = at_; i < source_.size(); ++i) {
      if (source_.substr(i, 2) != "{%") continue;
      const std::size_t close = source_.find("%}", i);
      if (close == std::string_view::npos) break;
      std::string_view body = source_.substr(i + 2, close - i - 2);
      while (!body.empty() && std::string_view(" \t\n-+").find(body.front()) != body.npos) {
        body.remove_prefix(1);
      }
      if (!body.starts_with("endraw")) continue;
      text(source_.substr(at_, i - at_), i);
      strip_next_ = source_[close - 1] == '-';
      trim_newline_ = !strip_next_;
      at_ = close + 2;
      return;
    }
    template_error(name_, line_, "a `raw` that never ends");
  }

  std::string_view source_, name_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool strip_next_ = false;    // the last tag ended in -%}
  bool trim_newline_ = false;  // the last tag was a block: its newline goes
  std::vector<TemplatePart> parts_;
};

}  // namespace

void template_error(std::string_view name, int line, std::string_view what) {
  throw Error(ErrorKind::kCorrupt, fmt::format("{}, line {}: {}", name, line, what));
}

void template_unsupported(std::string_view name, int line, std::string_view construct) {
  throw Error(ErrorKind::kUnsupported,
              fmt::format("{}, line {}: {} is not part of the template language that this program "
                          "reads",
                          name, line, construct));
}

std::vector<TemplatePart> split_template(std::string_view source, std::string_view name) {
  const std::string text = replace_all(replace_all(source, "\r\n", "\n"), "\r", "\n");
  std::string_view view = text;
  if (view.ends_with('\n')) view.remove_suffix(1);
  return Splitter(view, name).run();
}

}  // namespace elastic::engine
