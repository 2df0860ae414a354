#include "datasets/python_literals.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"

namespace elastic::datasets {
namespace {

constexpr int kMaxDepth = 64;

bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name(char c) { return is_name_start(c) || is_digit(c); }

// Thrown where a value is well-formed but no literal; caught by the search, which goes on.
struct NotLiteral {
  std::string reason;
};

class PythonReader {
 public:
  PythonReader(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  std::size_t position() const { return at_; }
  void seek(std::size_t position) { at_ = position; }
  bool done() const { return at_ >= text_.size(); }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  void advance() { ++at_; }

  // Blanks, continued lines and, inside brackets, comments and line ends too.
  void skip_space(bool lines) {
    while (!done()) {
      const char c = peek();
      if (c == ' ' || c == '\t' || c == '\f' || (lines && (c == '\n' || c == '\r'))) {
        ++at_;
      } else if (c == '\\' && (peek(1) == '\n' || (peek(1) == '\r' && peek(2) == '\n'))) {
        at_ += peek(1) == '\n' ? 2 : 3;
      } else if (lines && c == '#') {
        skip_comment();
      } else {
        return;
      }
    }
  }

  void skip_comment() { at_ = std::min(text_.find('\n', at_), text_.size()); }

  std::string_view read_name() {
    const std::size_t begin = at_;
    while (!done() && is_name(peek())) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  // Length of a string prefix (r, b, f, u and pairs) before a quote;
  // nothing where no string starts.
  std::optional<std::size_t> string_prefix() const {
    std::size_t n = 0;
    while (n < 2 && peek(n) != '\0' && std::string_view("rRbBfFuU").find(peek(n)) != text_.npos) {
      ++n;
    }
    const char quote = peek(n);
    return quote == '"' || quote == '\'' ? std::optional(n) : std::nullopt;
  }

  // One string token at a prefix or quote. `literal` is false for f- and b-strings.
  std::string read_string(bool& literal) {
    const std::size_t begin = at_;
    bool raw = false;
    literal = true;
    for (; peek() != '"' && peek() != '\''; ++at_) {
      const char c = static_cast<char>(peek() | 0x20);
      raw = raw || c == 'r';
      literal = literal && c != 'f' && c != 'b';
    }
    const char quote = peek();
    const bool triple = peek(1) == quote && peek(2) == quote;
    at_ += triple ? 3 : 1;
    std::string value;
    while (true) {
      if (done() || (!triple && peek() == '\n')) fail(begin, "a string is not closed");
      if (peek() == quote && (!triple || (peek(1) == quote && peek(2) == quote))) break;
      if (peek() == '\\') {
        read_escape(value, raw, begin);
      } else {
        value.push_back(peek());
        ++at_;
      }
    }
    at_ += triple ? 3 : 1;
    return value;
  }

  Json read_value(int depth, bool in_brackets) {
    if (depth > kMaxDepth) throw NotLiteral{"nested too deeply"};
    skip_space(in_brackets);
    if (string_prefix()) return read_strings(in_brackets);
    const char c = peek();
    if (c == '{') return read_dictionary(depth);
    if (c == '[') return read_list(depth);
    if (c == '(') return read_parentheses(depth, in_brackets);
    if (is_digit(c) || c == '-' || c == '+' || c == '.') return read_number();
    if (is_name_start(c)) return read_word();
    throw NotLiteral{c == '\0' ? "the end of the file" : fmt::format("`{}`", c)};
  }

  std::int64_t line(std::size_t position) const {
    return 1 +
           std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(position), '\n');
  }

 private:
  [[noreturn]] void fail(std::size_t position, std::string_view what) const {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}, line {}: Python source: {}", file_, line(position), what));
  }

  void append_code_point(std::string& value, std::size_t digits, std::size_t begin) {
    std::uint32_t code = 0;
    for (std::size_t i = 0; i < digits; ++i, ++at_) {
      const char lower = static_cast<char>(peek() | 0x20);
      if (!is_digit(peek()) && !(lower >= 'a' && lower <= 'f')) fail(begin, "a bad escape");
      code = code * 16 +
             static_cast<std::uint32_t>(is_digit(peek()) ? peek() - '0' : lower - 'a' + 10);
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) fail(begin, "a bad escape");
    append_utf8(value, static_cast<char32_t>(code));
  }

  void read_escape(std::string& value, bool raw, std::size_t begin) {
    const char c = peek(1);
    if (c == '\0') fail(begin, "a string is not closed");
    if (raw) {
      value.append({'\\', c});
      at_ += 2;
      return;
    }
    at_ += 2;
    constexpr std::string_view kNames = "\\'\"abfnrtv0";
    constexpr std::string_view kValues("\\'\"\a\b\f\n\r\t\v\0", 11);
    if (const std::size_t i = kNames.find(c); i != std::string_view::npos) {
      if (c == '0' && is_digit(peek())) fail(begin, "an octal escape");
      value.push_back(kValues[i]);
    } else if (c == 'x') {
      append_code_point(value, 2, begin);
    } else if (c == 'u') {
      append_code_point(value, 4, begin);
    } else if (c == 'U') {
      append_code_point(value, 8, begin);
    } else if (c != '\n') {  // unknown escapes stay as they are, as in Python
      value.append({'\\', c});
    }
  }

  // Adjacent strings and strings joined by `+` are one.
  Json read_strings(bool in_brackets) {
    std::string value;
    while (true) {
      bool literal = true;
      value += read_string(literal);
      if (!literal) throw NotLiteral{"an f-string or byte string"};
      skip_space(in_brackets);
      if (peek() == '+') {
        ++at_;
        skip_space(in_brackets);
        if (!string_prefix()) throw NotLiteral{"a sum"};
      }
      if (!string_prefix()) return value;
    }
  }

  Json read_number() {
    const std::size_t begin = at_;
    while (!done() && (is_name(peek()) || std::string_view("+-.").find(peek()) != text_.npos)) {
      ++at_;
    }
    const std::string digits = replace_all(text_.substr(begin, at_ - begin), "_", "");
    if (const auto whole = parse_int(digits)) return *whole;
    if (const auto real = parse_double(digits)) return *real;
    throw NotLiteral{fmt::format("`{}`", digits)};
  }

  Json read_word() {
    const std::string_view word = read_name();
    if (word == "True") return true;
    if (word == "False") return false;
    if (word == "None") return nullptr;
    throw NotLiteral{fmt::format("`{}`", word)};
  }

  Json read_list(int depth) {
    ++at_;
    return read_items(Json::array(), depth, ']');
  }

  // What follows in a list or tuple up to its end.
  Json read_items(Json list, int depth, char close) {
    while (true) {
      skip_space(true);
      if (peek() == close) break;
      list.push_back(read_value(depth + 1, true));
      end_item(close);
    }
    ++at_;
    return list;
  }

  // A value in parentheses is itself; with a comma it is a tuple.
  Json read_parentheses(int depth, bool in_brackets) {
    ++at_;
    skip_space(true);
    Json list = Json::array();
    if (peek() != ')') {
      Json value = read_value(depth + 1, true);
      skip_space(true);
      if (peek() == ')') {
        ++at_;
        skip_space(in_brackets);
        return value;
      }
      list.push_back(std::move(value));
      end_item(')');
    }
    return read_items(std::move(list), depth, ')');
  }

  Json read_dictionary(int depth) {
    Json object = Json::object();
    ++at_;
    while (true) {
      skip_space(true);
      if (peek() == '}') break;
      if (done()) throw NotLiteral{"a bracket that is not closed"};
      if (!string_prefix()) throw NotLiteral{"a dictionary key that is no string"};
      const std::string key = read_strings(true).get<std::string>();
      skip_space(true);
      if (peek() != ':') throw NotLiteral{"a set"};
      ++at_;
      object[key] = read_value(depth + 1, true);
      end_item('}');
    }
    ++at_;
    return object;
  }

  void end_item(char close) {
    skip_space(true);
    if (peek() == ',') {
      ++at_;
    } else if (peek() != close) {
      throw NotLiteral{done() ? "a bracket that is not closed" : fmt::format("`{}`", peek())};
    }
  }

  std::string_view text_;
  std::string_view file_;
  std::size_t at_ = 0;
};

// Walks over the statements and strings of a file and reads what is assigned to one name.
class ConstantSearch {
 public:
  ConstantSearch(std::string_view source, std::string_view name, std::string_view file)
      : reader_(source, file), name_(name) {}

  std::optional<Json> find() {
    bool statement_start = true;
    int brackets = 0;  // a name inside a call's parentheses is no assignment
    while (!reader_.done()) {
      const char c = reader_.peek();
      if (c == '#') {
        reader_.skip_comment();
      } else if (c == '\n' || c == ';') {
        statement_start = brackets <= 0;
        reader_.advance();
      } else if (reader_.string_prefix()) {
        bool ignored = true;
        reader_.read_string(ignored);
        statement_start = false;
      } else if (is_name_start(c)) {
        const bool candidate = reader_.read_name() == name_ && statement_start;
        if (auto value = candidate ? assigned() : std::nullopt) return value;
        statement_start = false;
      } else {
        if (c == '(' || c == '[' || c == '{') ++brackets;
        if (c == ')' || c == ']' || c == '}') --brackets;
        if (c != ' ' && c != '\t') statement_start = false;
        reader_.advance();
      }
    }
    return std::nullopt;
  }

  const std::string& reason() const { return reason_; }

 private:
  // After the name: `= literal` up to the end of the statement. On anything else the search resumes
  // behind the name.
  std::optional<Json> assigned() {
    const std::size_t start = reader_.position();
    reader_.skip_space(false);
    if (reader_.peek() == '=' && reader_.peek(1) != '=') {
      reader_.advance();
      const std::int64_t line = reader_.line(reader_.position());
      try {
        Json value = reader_.read_value(0, false);
        reader_.skip_space(false);
        const char end = reader_.peek();
        if (reader_.done() || end == '\n' || end == '\r' || end == '#' || end == ';') return value;
        throw NotLiteral{fmt::format("`{}` after the value", end)};
      } catch (const NotLiteral& found) {
        reason_ = fmt::format("line {} assigns {}", line, found.reason);
      }
    }
    reader_.seek(start);
    return std::nullopt;
  }

  PythonReader reader_;
  std::string_view name_;
  std::string reason_ = "it is never assigned";
};

}  // namespace

std::optional<Json> find_python_constant(std::string_view source, std::string_view name,
                                         std::string_view file) {
  return ConstantSearch(source, name, file).find();
}

Json python_constant(std::string_view source, std::string_view name, std::string_view file) {
  ConstantSearch search(source, name, file);
  if (auto value = search.find()) return *std::move(value);
  throw Error(ErrorKind::kCorrupt,
              fmt::format("{}: no literal value of `{}` found: {}", file, name, search.reason()));
}

}  // namespace elastic::datasets
