#pragma once

// Wall time for records (UTC, ISO 8601 with Z) and a monotonic stopwatch for durations.

#include <chrono>
#include <string>

namespace elastic {

std::string utc_now();

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  double milliseconds() const { return seconds() * 1e3; }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace elastic
