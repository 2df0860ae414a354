#pragma once

#include <algorithm>
#include <thread>

namespace elastic {

/// Threads that this machine runs at once; 1 where it does not say.
inline int hardware_threads() {
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace elastic
