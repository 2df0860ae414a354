#include "base/log.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

#include "base/unicode.h"

namespace elastic {
namespace {

std::atomic<int> g_rank = 0;

void write_line(std::string_view prefix, std::string_view message) {
  // One write per line, so that lines of several threads or ranks never interleave.
  static std::mutex mutex;
  std::string line;
  line.reserve(prefix.size() + message.size() + 2);
  if (stderr_is_terminal()) line += "\r\x1b[K";
  line.append(prefix).append(visible(message)).push_back('\n');
  const std::lock_guard lock(mutex);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace

void set_log_rank(int rank) { g_rank = rank; }
int log_rank() { return g_rank; }

void log_info(std::string_view message) {
  if (g_rank == 0) write_line("", message);
}
void log_warning(std::string_view message) {
  if (g_rank == 0) write_line("warning: ", message);
}
void log_error(std::string_view message) { write_line("error: ", message); }

bool stderr_is_terminal() {
  static const bool terminal = [] {
    const char* term = std::getenv("TERM");
    return isatty(STDERR_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr &&
           !(term != nullptr && std::string_view(term) == "dumb");
  }();
  return terminal;
}

}  // namespace elastic
