#pragma once

// A mode string taken apart: "fa-ssa:sink=128,local=2048" is the name `fa-ssa` with two options.
// Each part of a plan takes the options it knows; what nobody took is an error. Torch-free.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::engine {

class ModeOptions {
 public:
  /// kInvalidArgument for an option without `=` or given twice.
  explicit ModeOptions(std::string_view text);

  const std::string& text() const { return text_; }  // the whole string, for errors
  const std::string& name() const { return name_; }

  /// The option's value, or the fallback where it is absent. kInvalidArgument naming option and
  /// value for anything but a whole number >= `least`; sizes may be written 2k.
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t least);
  /// A number in [0, 1].
  std::optional<double> fraction(std::string_view key);
  /// A number from 0 up.
  double number(std::string_view key, double fallback);
  /// One of two words; true for `yes`.
  bool either(std::string_view key, std::string_view yes, std::string_view no);
  std::optional<std::string> value(std::string_view key);
  /// "KEY=..." of what a file that an option names holds: the first digits of its SHA-256, so that
  /// the same path with other contents is another mode. kInvalidArgument where the text has the
  /// option KEY, from an earlier description, and the file holds something else.
  std::string contents(std::string_view key, const std::filesystem::path& file);

  /// Options that the text leaves out are those of another mode string.
  void fall_back_on(const ModeOptions& other);

  /// Something the user should know of an option that acts otherwise than it reads.
  void note(std::string_view text);
  /// "mode `...`: " and all that was noted; mostly empty.
  const std::string& note() const { return note_; }

  /// Throws kInvalidArgument naming an option that nothing asked for, and those that were.
  void finish() const;

 private:
  struct Option {
    std::string key, value;
    bool used = false;
  };
  std::string text_, name_;
  std::vector<Option> options_;
  std::vector<std::string> known_;
  std::string note_;
};

}  // namespace elastic::engine
