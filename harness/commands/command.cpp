#include "harness/commands/command.h"

#include <unistd.h>

#include "base/unicode.h"

namespace elastic::harness {

std::string for_standard_output(std::string_view text) {
  return isatty(STDOUT_FILENO) != 0 ? visible(text) : std::string(text);
}

}  // namespace elastic::harness
