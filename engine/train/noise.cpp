#include "engine/train/noise.h"

namespace elastic::engine {
namespace {

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15u;

// Finaliser of splitmix64: a bijection in which every input bit reaches every output bit.
std::uint64_t scramble(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

}  // namespace

std::uint64_t mix_seed(std::initializer_list<std::uint64_t> parts) {
  std::uint64_t seed = 0;
  for (const std::uint64_t part : parts) seed = scramble(seed + kGolden + scramble(part + kGolden));
  return seed;
}

double PlacedRandom::uniform(std::uint64_t index) const {
  constexpr double kScale = 1.0 / (1 << 24);
  return static_cast<double>(scramble(seed_ + (index + 1) * kGolden) >> 40) * kScale;
}

}  // namespace elastic::engine
