#pragma once

// The mixing step of SplitMix64 (Steele et al. 2014), for random streams that are a function of a
// seed and a place.
//
//   state += kSplitMixStep;  const std::uint64_t drawn = splitmix(state);

#include <cstdint>

namespace elastic {

inline constexpr std::uint64_t kSplitMixStep = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio

/// A bijection in which every input bit reaches every output bit.
constexpr std::uint64_t splitmix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

}  // namespace elastic
