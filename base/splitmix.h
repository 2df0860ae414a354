#pragma once

// SplitMix64 (Steele et al. 2014): a random stream seeded in one instruction, the same on every
// machine, and its mixing step for numbers that are a function of a seed and a place.
//
//   SplitMix64 random(seed);  const double drawn = random.uniform();

#include <cstdint>

namespace elastic {

inline constexpr std::uint64_t kSplitMixStep = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio

/// A bijection in which every input bit reaches every output bit.
constexpr std::uint64_t splitmix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

/// 64-bit state; every seed is good.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() { return splitmix(state_ += kSplitMixStep); }
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // [0, 1), 53 bits

 private:
  std::uint64_t state_;
};

}  // namespace elastic
