#pragma once

// The draws of synthetic training text, where the generators of tasks/ruler are bound to the
// reference's Mersenne Twister.
//
//   MixRandom random(MixRandom::combine(seed, step));
//   const std::string& word = random.pick(words);

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/splitmix.h"

namespace elastic::tasks {

class MixRandom : public SplitMix64 {
 public:
  using SplitMix64::SplitMix64;

  /// [0, bound), 0 < bound < 2^32; the bias is below bound / 2^32.
  std::uint64_t below(std::uint64_t bound) { return ((next() >> 32) * bound) >> 32; }
  std::int64_t between(std::int64_t low, std::int64_t high) {  // both included
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low + 1)));
  }
  bool chance(double share) { return uniform() < share; }

  template <typename Items>
  const auto& pick(const Items& items) {
    return items[below(std::size(items))];
  }

  /// Index of a weight, in proportion to the weights.
  std::size_t weighted(const std::vector<double>& weights) {
    double total = 0;
    for (const double weight : weights) total += weight;
    double at = uniform() * total;
    for (std::size_t i = 0; i + 1 < weights.size(); ++i) {
      if ((at -= weights[i]) < 0) return i;
    }
    return weights.size() - 1;
  }

  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i-- > 1;) std::swap(items[i], items[below(i + 1)]);
  }

  /// `count` indices below `population`, ascending; different ones while there are as many.
  std::vector<std::size_t> places(std::size_t population, std::size_t count) {
    std::vector<std::size_t> drawn;
    while (drawn.size() < count) {
      const std::size_t place = population == 0 ? 0 : below(population);
      const bool taken = std::find(drawn.begin(), drawn.end(), place) != drawn.end();
      if (!taken || drawn.size() >= population) drawn.push_back(place);
    }
    std::sort(drawn.begin(), drawn.end());
    return drawn;
  }

  static std::uint64_t combine(std::uint64_t seed, std::uint64_t value) {
    return splitmix(splitmix(seed + kSplitMixStep) ^ (value * kSplitMixStep + 1));
  }
};

}  // namespace elastic::tasks
