#include "harness/commands/flag_values.h"

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/text.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

// CLI11 shows a validator's description in the help; the flags' own texts say it better.
CLI::Validator validator(std::function<std::string(std::string&)> check) {
  return CLI::Validator(std::move(check), "");
}

CLI::Validator existing(bool file, bool folder, const char* wanted) {
  return validator([=](std::string& path) -> std::string {
    if (file && path == "-") return "";
    std::error_code code;
    const fs::file_status status = fs::status(path, code);
    if (!fs::exists(status)) return fmt::format("`{}` does not exist; give {}", path, wanted);
    const bool is_folder = fs::is_directory(status);
    if (is_folder ? folder : file) return "";
    return fmt::format("`{}` is a {}; give {}", path, is_folder ? "folder" : "file", wanted);
  });
}

}  // namespace

CLI::Validator whole_number(std::int64_t low, std::int64_t high) {
  return validator([=](std::string& text) -> std::string {
    const std::optional<std::int64_t> number = parse_int(strip(text));
    if (!number || *number < low || *number > high) {
      return fmt::format("`{}` is no whole number from {} to {}", text, low, high);
    }
    text = std::to_string(*number);
    return "";
  });
}

CLI::Validator real_number(double low, double high) {
  return validator([=](std::string& text) -> std::string {
    const std::optional<double> number = parse_double(strip(text));
    if (!number || !(*number >= low && *number <= high)) {
      return fmt::format("`{}` is no number from {} to {}", text, low, high);
    }
    text = fmt::format("{}", *number);
    return "";
  });
}

CLI::Validator token_count(std::int64_t low) {
  return validator([=](std::string& text) -> std::string {
    try {
      const std::int64_t tokens = strip(text) == "0" ? 0 : parse_length(text);
      if (tokens < low) return fmt::format("`{}` is too few; give {} or more", text, low);
      text = std::to_string(tokens);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  });
}

CLI::Validator input_file() { return existing(true, false, "a file"); }
CLI::Validator input_folder() { return existing(false, true, "a folder"); }
CLI::Validator input_path() { return existing(true, true, "a file or a folder"); }

}  // namespace elastic::harness
