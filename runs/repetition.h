#pragma once

// How often a time is taken: a fixed number of times, or until its median is known well enough.
//
//   Repetition rule{.within = 2};
//   while (!enough(rule, times, watch.seconds())) ...

#include <optional>
#include <vector>

namespace elastic::runs {

struct Repetition {
  int fixed = 0;        // so many times; 0: until every median is known
  double within = 2;    // per cent of the median: half its 95 % interval
  int least = 5;        // six give an interval first; slow things end without one
  int most = 50;        // and
  double seconds = 20;  // for each of the things: what ends the rest
};

/// Half the 95 % interval of the median (median_interval()) in per cent of it. Nothing where there
/// is no interval.
std::optional<double> median_spread(const std::vector<double>& values);

/// Whether things that take turns, each with as many times as the others, need no further turn.
/// `seconds`: how long their turns took together.
bool enough(const Repetition& rule, const std::vector<std::vector<double>>& times, double seconds);

}  // namespace elastic::runs
