#include "engine/api/mode_list.h"

#include <string>

#include "base/error.h"
#include "base/text.h"

namespace elastic::engine {

std::string_view mode_name(std::string_view mode) { return mode.substr(0, mode.find(':')); }

bool has_two_modes(std::string_view mode) {
  return mode_name(mode).find('-') != std::string_view::npos;
}

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
