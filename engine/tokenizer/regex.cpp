#include "engine/tokenizer/regex.h"

#include <fmt/format.h>
#include <pcre2.h>

#include <array>
#include <optional>

#include "base/error.h"
#include "base/utf8.h"

namespace elastic::engine {
namespace {

// The White_Space property; PCRE2's own \s also takes U+180E.
constexpr std::string_view kSpaceClass =
    "\\t-\\r "
    "\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}";

[[noreturn]] void unsupported(std::string_view source, std::string_view pattern,
                              std::string_view why) {
  throw Error(ErrorKind::kUnsupported,
              fmt::format("{}: pre-tokenizer pattern `{}`: {}", source, pattern, why));
}

// \w in Oniguruma: letters, marks, digits, connectors; PCRE2's own takes all numbers, no marks.
constexpr std::string_view kWordClass = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
// Outside a class, and for word boundaries, the superscripts and fractions of Latin-1 too.
constexpr std::string_view kWord =
    "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}";

// What an escape stands for outside a character class; nothing where PCRE2 reads it alike.
std::optional<std::string> translate_escape(char escaped) {
  switch (escaped) {
    case 's':
      return fmt::format("[{}]", kSpaceClass);
    case 'S':
      return fmt::format("[^{}]", kSpaceClass);
    case 'w':
      return fmt::format("[{}]", kWord);
    case 'W':
      return fmt::format("[^{}]", kWord);
    case 'b':
      return fmt::format("(?:(?<=[{0}])(?![{0}])|(?<![{0}])(?=[{0}]))", kWord);
    case 'B':
      return fmt::format("(?:(?<=[{0}])(?=[{0}])|(?<![{0}])(?![{0}]))", kWord);
    default:
      return std::nullopt;
  }
}

std::string translate(std::string_view pattern, std::string_view source) {
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c != '\\' || i + 1 == pattern.size()) {
      if (c == '[' && in_class) unsupported(source, pattern, "nested character class");
      if (c == '[') in_class = true;
      if (c == ']') in_class = false;
      out += c;
      continue;
    }
    const char escaped = pattern[++i];
    const auto other = in_class ? std::nullopt : translate_escape(escaped);
    if (other) {
      out += *other;
    } else if (in_class && (escaped == 's' || escaped == 'w')) {
      out += escaped == 's' ? kSpaceClass : kWordClass;
    } else if (std::string_view("SWhH").find(escaped) != std::string_view::npos) {
      unsupported(source, pattern, fmt::format("`\\{}` here is not supported", escaped));
    } else {
      out += c;
      out += escaped;
    }
  }
  return out;
}

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};

}  // namespace

struct Regex::Impl {
  std::unique_ptr<pcre2_code, Deleter<pcre2_code_free>> code;
};

Regex::Regex(std::string_view pattern, std::string_view source) : impl_(std::make_unique<Impl>()) {
  const std::string translated = translate(pattern, source);
  const std::unique_ptr<pcre2_compile_context, Deleter<pcre2_compile_context_free>> context(
      pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int code = 0;
  PCRE2_SIZE offset = 0;
  impl_->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()),
                                  translated.size(), PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &code,
                                  &offset, context.get()));
  if (!impl_->code) {
    std::array<PCRE2_UCHAR, 256> message{};
    pcre2_get_error_message(code, message.data(), message.size());
    unsupported(source, pattern, reinterpret_cast<const char*>(message.data()));
  }
  pcre2_jit_compile(impl_->code.get(), PCRE2_JIT_COMPLETE);  // without JIT it is slower, not wrong
}

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

void Regex::for_each_match(std::string_view text,
                           const std::function<void(std::size_t, std::size_t)>& use) const {
  const std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data_free>> data(
      pcre2_match_data_create_from_pattern(impl_->code.get(), nullptr));
  std::size_t at = 0;
  std::optional<std::size_t> last_end;
  while (at <= text.size()) {
    // The text is valid UTF-8: checking it again at every match would be quadratic.
    const int found = pcre2_match(impl_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
                                  text.size(), at, PCRE2_NO_UTF_CHECK, data.get(), nullptr);
    if (found == PCRE2_ERROR_NOMATCH) return;
    if (found < 0) {
      throw Error(ErrorKind::kUnsupported,
                  fmt::format("the pre-tokenizer pattern gave up on a text of {} bytes (PCRE2 "
                              "error {})",
                              text.size(), found));
    }
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data.get());
    const std::size_t begin = range[0], end = range[1];
    if (begin == end && last_end == end) {  // an empty match where the last one ended counts not
      at = end < text.size() ? end + decode_utf8(text, end).bytes : end + 1;
      continue;
    }
    use(begin, end);
    at = end;
    last_end = end;
  }
}

}  // namespace elastic::engine
