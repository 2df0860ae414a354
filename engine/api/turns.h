#pragma once

// Timing of things that are compared: they take turns, so that a busy machine slows all of them
// alike, until their times are enough. Torch-free.
//
//   const Times times = take_turns(2, repetitions(5), [&](std::size_t i) { return run(i); });

#include <cstddef>
#include <functional>
#include <vector>

#include "base/clock.h"

namespace elastic::engine {

using Times = std::vector<std::vector<double>>;  // [things][turns], in a unit of the caller's

/// Asked after every turn of all, with their times so far and the seconds since the first began.
using Enough = std::function<bool(const Times& times, double seconds)>;

inline Enough repetitions(std::size_t count) {
  return [count](const Times& times, double) { return times.front().size() >= count; };
}

/// time(i) of every thing i in turn, once at least, until there are enough.
inline Times take_turns(std::size_t things, const Enough& enough,
                        const std::function<double(std::size_t)>& time) {
  Times times(things);
  const Stopwatch watch;
  do {
    for (std::size_t i = 0; i < things; ++i) times[i].push_back(time(i));
  } while (things > 0 && !enough(times, watch.seconds()));
  return times;
}

}  // namespace elastic::engine
