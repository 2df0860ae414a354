#include "engine/train/noise.h"

#include "base/splitmix.h"

namespace elastic::engine {

std::uint64_t mix_seed(std::initializer_list<std::uint64_t> parts) {
  std::uint64_t seed = 0;
  for (const std::uint64_t part : parts) {
    seed = splitmix(seed + kSplitMixStep + splitmix(part + kSplitMixStep));
  }
  return seed;
}

double PlacedRandom::uniform(std::uint64_t index) const {
  constexpr double kScale = 1.0 / (1 << 24);
  return static_cast<double>(splitmix(seed_ + (index + 1) * kSplitMixStep) >> 40) * kScale;
}

}  // namespace elastic::engine
