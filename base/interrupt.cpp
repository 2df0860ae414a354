#include "base/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "base/error.h"

namespace elastic {
namespace {

std::atomic<int> g_signal = 0;
std::atomic<const char*> g_notice = nullptr;
std::atomic<std::size_t> g_notice_size = 0;
struct sigaction g_old_int, g_old_term;

static_assert(std::atomic<int>::is_always_lock_free);

// Only async-signal-safe calls.
void on_signal(int number) {
  int none = 0;
  if (!g_signal.compare_exchange_strong(none, number)) _exit(128 + number);
  if (::write(STDERR_FILENO, g_notice.load(), g_notice_size.load()) < 0) return;
}

}  // namespace

InterruptGuard::InterruptGuard(std::string_view notice) {
  check(g_notice.load() == nullptr, "one InterruptGuard at a time");
  g_signal = 0;
  g_notice_size = notice.size();
  g_notice = notice.data();
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;  // a write in progress is finished, not failed
  sigaction(SIGINT, &action, &g_old_int);
  sigaction(SIGTERM, &action, &g_old_term);
}

InterruptGuard::~InterruptGuard() {
  sigaction(SIGINT, &g_old_int, nullptr);
  sigaction(SIGTERM, &g_old_term, nullptr);
  g_notice = nullptr;
  g_signal = 0;  // nothing done after the guard is to stop
}

std::optional<int> interrupted() {
  const int number = g_signal.load();
  return number == 0 ? std::nullopt : std::optional<int>(number);
}

void stop_if_interrupted() {
  if (const auto signal = interrupted()) throw Interrupted{*signal};
}

}  // namespace elastic
