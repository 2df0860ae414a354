#include "harness/commands/command.h"

#include <unistd.h>

#include "base/log.h"
#include "base/unicode.h"

namespace elastic::harness {

std::string for_standard_output(std::string_view text) {
  return isatty(STDOUT_FILENO) != 0 ? visible(text) : std::string(text);
}

void log_page(const std::filesystem::path& page) {
  log_info("open " + std::filesystem::absolute(page).string());
}

}  // namespace elastic::harness
