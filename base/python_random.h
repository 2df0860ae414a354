#pragma once

// The random streams that RULER's data come from, draw for draw: CPython's `random` (MT19937 seeded
// by init_by_array) and NumPy's legacy global generator (MT19937 seeded by init_genrand). Stable in
// CPython 3.2 to 3.13. Nothing here touches global state; a generator is a value.
//
//   PythonRandom random(42);
//   std::uint64_t number = 1000000 + random.below(9000000);  // randint(1000000, 9999999)

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace elastic {

/// MT19937, Matsumoto and Nishimura 1998.
class MersenneTwister {
 public:
  explicit MersenneTwister(std::uint32_t seed);                  // init_genrand
  explicit MersenneTwister(std::span<const std::uint32_t> key);  // init_by_array, key not empty
  std::uint32_t next();

 private:
  void refill();

  static constexpr std::size_t kWords = 624;
  std::array<std::uint32_t, kWords> state_{};
  std::size_t position_ = kWords;
};

class PythonRandom {
 public:
  explicit PythonRandom(std::uint64_t seed);
  /// Seeds wider than 64 bits: the absolute value as little-endian
  /// 32-bit words without leading zero words.
  explicit PythonRandom(std::span<const std::uint32_t> seed_words) : twister_(seed_words) {}

  /// [0, 1) with 53 bits.
  double random();

  /// `count` random bits, 1 <= count <= 64.
  std::uint64_t bits(int count);

  /// [0, bound), bound > 0; by rejection, so the number of words it takes varies.
  std::uint64_t below(std::uint64_t bound);

  std::uint64_t randint(std::uint64_t low, std::uint64_t high) {
    return low + below(high - low + 1);
  }

  /// `count` characters of an ASCII alphabet, with replacement.
  std::string choices(std::string_view alphabet, int count);

  /// `count` different indices below `population`, in drawing order. Throws kInvalidArgument where
  /// there are not as many.
  std::vector<std::size_t> sample(std::size_t population, std::int64_t count);

  /// Version-4 UUID, lower case, 8-4-4-4-12.
  std::string uuid4();

  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i-- > 1;) std::swap(items[i], items[below(i + 1)]);
  }

 private:
  MersenneTwister twister_;
};

/// numpy.random.seed(seed), then numpy.random.randint(low, high) with a range below 2^32.
class NumpyRandom {
 public:
  explicit NumpyRandom(std::uint32_t seed) : twister_(seed) {}
  std::uint32_t bits() { return twister_.next(); }
  /// [low, high)
  std::int64_t randint(std::int64_t low, std::int64_t high);

 private:
  MersenneTwister twister_;
};

}  // namespace elastic
