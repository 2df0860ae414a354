#pragma once

// SIGINT and SIGTERM as a question the working loop asks between two steps, so that what is in
// flight can be finished and written.
//
//   const InterruptGuard guard;                       // in force while it lives
//   for (...) { if (const auto signal = interrupted()) return stop(*signal); ... }
//
// The first signal is only noted, and said on standard error. A second one ends the process at once
// with 128 + its number: everything appended so far is on disk already.

#include <optional>
#include <string_view>

namespace elastic {

class InterruptGuard {
 public:
  /// `notice` is written to standard error at the first signal;
  /// a literal, since a signal handler reads it.
  explicit InterruptGuard(std::string_view notice);
  ~InterruptGuard();  // the former handlers are back
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

/// The signal noted under the guard that is in force, if any.
std::optional<int> interrupted();

/// Ends a command that was told to stop before it had anything to keep; `main` exits with 128 + the
/// signal. No std::exception: what catches failures must not take it for one.
struct Interrupted {
  int signal = 0;
};

/// Throws Interrupted where a signal was noted. For loops that prepare:
/// between files, samples, batches.
void stop_if_interrupted();

}  // namespace elastic
