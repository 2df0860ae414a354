#include "engine/attention/mode_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/hash.h"
#include "base/registry.h"
#include "base/text.h"

namespace elastic::engine {
namespace {

[[noreturn]] void reject(const ModeOptions& options, const std::string& why) {
  throw Error(ErrorKind::kInvalidArgument, fmt::format("mode `{}`: {}", options.text(), why));
}

}  // namespace

ModeOptions::ModeOptions(std::string_view text) : text_(strip(text)) {
  const std::size_t colon = std::min(text_.find(':'), text_.size());
  name_ = strip(std::string_view(text_).substr(0, colon));
  if (colon == text_.size()) return;
  for (const std::string_view part : split(std::string_view(text_).substr(colon + 1), ',')) {
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) {
      reject(*this, fmt::format("option `{}` is not key=value", part));
    }
    Option option{std::string(strip(part.substr(0, equals))),
                  std::string(strip(part.substr(equals + 1)))};
    for (const Option& other : options_) {
      if (other.key == option.key) reject(*this, fmt::format("`{}` is given twice", option.key));
    }
    options_.push_back(std::move(option));
  }
}

std::optional<std::string> ModeOptions::value(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  for (Option& option : options_) {
    if (option.key != key) continue;
    option.used = true;
    return option.value;
  }
  return std::nullopt;
}

std::int64_t ModeOptions::integer(std::string_view key, std::int64_t fallback, std::int64_t least) {
  // Far above any context, far below where sums of sizes overflow.
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  const std::optional<std::string> given = value(key);
  if (!given) return std::max(fallback, least);
  std::int64_t number = -1;
  if (const auto digits = parse_int(*given)) {
    number = *digits;
  } else if (!given->empty()) {
    number = parse_length(*given);
  }
  if (number < least || number > kMost) {
    reject(*this, fmt::format("{}={} is not a whole number from {} up", key, *given, least));
  }
  return number;
}

std::optional<double> ModeOptions::fraction(std::string_view key) {
  const std::optional<std::string> given = value(key);
  if (!given) return std::nullopt;
  const std::optional<double> share = parse_share(*given);
  if (!share) reject(*this, fmt::format("{}={} is not a number from 0 to 1", key, *given));
  return share;
}

double ModeOptions::number(std::string_view key, double fallback) {
  const std::optional<std::string> given = value(key);
  if (!given) return fallback;
  const std::optional<double> number = parse_double(*given);
  if (!number || !(*number >= 0) || !std::isfinite(*number)) {
    reject(*this, fmt::format("{}={} is not a number from 0 up", key, *given));
  }
  return *number;
}

bool ModeOptions::either(std::string_view key, std::string_view yes, std::string_view no) {
  const std::optional<std::string> given = value(key);
  if (!given || *given == no) return false;
  if (*given != yes) reject(*this, fmt::format("{}={} is neither {} nor {}", key, *given, no, yes));
  return true;
}

std::string ModeOptions::contents(std::string_view key, const std::filesystem::path& file) {
  constexpr std::size_t kDigits = 12;
  const std::string is = sha256_file(file).substr(0, kDigits);
  const std::optional<std::string> was = value(key);
  if (was && *was != is) {
    reject(*this, fmt::format("{} holds something else than it did: {} was {} and is {}; give the "
                              "old file, or leave {} out",
                              file.string(), key, *was, is, key));
  }
  return fmt::format("{}={}", key, is);
}

void ModeOptions::fall_back_on(const ModeOptions& other) {
  for (const Option& option : other.options_) {
    const bool given = std::any_of(options_.begin(), options_.end(),
                                   [&](const Option& own) { return own.key == option.key; });
    if (!given) options_.push_back({option.key, option.value, true});
  }
}

void ModeOptions::note(std::string_view text) {
  note_ += note_.empty() ? fmt::format("mode `{}`: {}", text_, text) : fmt::format("; {}", text);
}

void ModeOptions::finish() const {
  for (const Option& option : options_) {
    if (option.used) continue;
    if (known_.empty()) {
      reject(*this, fmt::format("`{}` takes no options, but has `{}`", name_, option.key));
    }
    reject(*this, unknown_name(fmt::format("option of `{}`", name_), option.key, known_));
  }
}

}  // namespace elastic::engine
