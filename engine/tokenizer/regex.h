#pragma once

// A pre-tokenizer pattern, compiled by PCRE2 with JIT. Patterns in tokenizer.json are written for
// Oniguruma; where the two differ (\s, \w, line anchors) the pattern is translated, so that the
// match is what the file's author saw.
//
//   const Regex regex(pattern, "models/x/tokenizer.json");
//   regex.for_each_match(text, [](std::size_t begin, std::size_t end) { ... });

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace elastic::engine {

class Regex {
 public:
  /// kUnsupported naming `source` and the pattern where it does not compile or uses what Oniguruma
  /// and PCRE2 read differently.
  Regex(std::string_view pattern, std::string_view source);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  /// Matches from left to right, empty ones too unless where the last one ended. `text` must be
  /// valid UTF-8. Safe from several threads.
  void for_each_match(std::string_view text,
                      const std::function<void(std::size_t begin, std::size_t end)>& use) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace elastic::engine
