#pragma once

// Random numbers as a function of their place: the same on every device, whatever was drawn before,
// so that a resumed run continues exactly. Torch-free.

#include <cstdint>
#include <initializer_list>

namespace elastic::engine {

/// A well-mixed 64-bit value of all parts in order.
std::uint64_t mix_seed(std::initializer_list<std::uint64_t> parts);

/// The stream of a seed: uniform in [0, 1), 24 bits.
class PlacedRandom {
 public:
  explicit PlacedRandom(std::uint64_t seed) : seed_(seed) {}
  double uniform(std::uint64_t index) const;

 private:
  std::uint64_t seed_;
};

}  // namespace elastic::engine
