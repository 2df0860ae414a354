#include "engine/api/mode_list.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/error.h"
#include "base/text.h"

namespace elastic::engine {

std::string_view mode_name(std::string_view mode) { return mode.substr(0, mode.find(':')); }

bool has_two_modes(std::string_view mode) {
  // Single modes with a hyphen of their own.
  constexpr std::array<std::string_view, 3> kHyphenated = {"oracle-topk", "oracle-topp",
                                                           "expected-attention"};
  const std::string_view name = mode_name(mode);
  return name.find('-') != std::string_view::npos &&
         std::find(kHyphenated.begin(), kHyphenated.end(), name) == kHyphenated.end();
}

bool has_fixed_heads(std::string_view mode) {
  const std::size_t colon = mode.find(':');
  if (colon == std::string_view::npos) return false;
  const std::vector<std::string> options = split_list(mode.substr(colon + 1));
  return std::any_of(options.begin(), options.end(), [](const std::string& option) {
    return option.starts_with("pattern=") || option.starts_with("heads=");
  });
}

bool router_decides(std::string_view mode) { return has_two_modes(mode) && !has_fixed_heads(mode); }

std::vector<std::string> split_modes(std::string_view text) {
  std::vector<std::string> modes;
  for (const std::string& part : split_list(text)) {
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos || part.find(':') < equals) {
      modes.push_back(part);
      continue;
    }
    if (modes.empty()) {
      throw Error(ErrorKind::kInvalidArgument,
                  "list of modes `" + std::string(text) + "` starts with the option `" + part +
                      "`: options follow a mode's name, as in ssa:local=1024");
    }
    modes.back() += (modes.back().find(':') == std::string::npos ? ":" : ",") + part;
  }
  return modes;
}

}  // namespace elastic::engine
