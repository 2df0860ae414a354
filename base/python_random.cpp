#include "base/python_random.h"

#include <algorithm>
#include <bit>
#include <unordered_set>

#include "base/error.h"

namespace elastic {
namespace {

constexpr std::size_t kShift = 397;
constexpr std::uint32_t kUpperBit = 0x80000000U;

std::uint32_t twist(std::uint32_t high, std::uint32_t low) {
  const std::uint32_t mixed = (high & kUpperBit) | (low & ~kUpperBit);
  return (mixed >> 1) ^ ((mixed & 1U) != 0 ? 0x9908b0dfU : 0U);
}

// Little-endian words of the seed; zero is one zero word.
std::vector<std::uint32_t> key_words(std::uint64_t seed) {
  std::vector<std::uint32_t> words{static_cast<std::uint32_t>(seed)};
  if (seed >> 32 != 0) words.push_back(static_cast<std::uint32_t>(seed >> 32));
  return words;
}

// Above this population, indices are drawn one by one against a set of those already taken; the
// bound is CPython's estimate of the set's memory: 21, plus the smallest power of 4 >= 3 * count.
std::size_t pool_limit(std::size_t count) {
  std::size_t limit = 21;
  if (count > 5) {
    std::size_t power = 1;
    while (power < count * 3) power *= 4;
    limit += power;
  }
  return limit;
}

}  // namespace

MersenneTwister::MersenneTwister(std::uint32_t seed) {
  state_[0] = seed;
  for (std::uint32_t i = 1; i < kWords; ++i) {
    state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  }
}

MersenneTwister::MersenneTwister(std::span<const std::uint32_t> key) : MersenneTwister(19650218U) {
  check(!key.empty(), "a Mersenne Twister key has at least one word");
  std::size_t i = 1;
  const auto advance = [&] {
    if (++i == kWords) {
      state_[0] = state_[kWords - 1];
      i = 1;
    }
  };
  std::size_t j = 0;
  for (std::size_t k = std::max(kWords, key.size()); k > 0; --k) {
    state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1664525U)) + key[j] +
                static_cast<std::uint32_t>(j);
    advance();
    if (++j == key.size()) j = 0;
  }
  for (std::size_t k = kWords - 1; k > 0; --k) {
    state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1566083941U)) -
                static_cast<std::uint32_t>(i);
    advance();
  }
  state_[0] = kUpperBit;
}

void MersenneTwister::refill() {
  std::size_t i = 0;
  for (; i < kWords - kShift; ++i) {
    state_[i] = state_[i + kShift] ^ twist(state_[i], state_[i + 1]);
  }
  for (; i < kWords - 1; ++i) {
    state_[i] = state_[i + kShift - kWords] ^ twist(state_[i], state_[i + 1]);
  }
  state_[i] = state_[kShift - 1] ^ twist(state_[i], state_[0]);
  position_ = 0;
}

std::uint32_t MersenneTwister::next() {
  if (position_ == kWords) refill();
  std::uint32_t y = state_[position_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680U;
  y ^= (y << 15) & 0xefc60000U;
  return y ^ (y >> 18);
}

PythonRandom::PythonRandom(std::uint64_t seed) : twister_(key_words(seed)) {}

double PythonRandom::random() {
  const std::uint64_t high = twister_.next() >> 5;
  const std::uint64_t low = twister_.next() >> 6;
  return static_cast<double>((high << 26) + low) / static_cast<double>(std::uint64_t{1} << 53);
}

std::uint64_t PythonRandom::bits(int count) {
  check(count >= 1 && count <= 64, "bits: 1 to 64");
  if (count <= 32) return twister_.next() >> (32 - count);
  const std::uint64_t low = twister_.next();
  return low | static_cast<std::uint64_t>(twister_.next() >> (64 - count)) << 32;
}

std::uint64_t PythonRandom::below(std::uint64_t bound) {
  check(bound > 0, "below: bound > 0");
  const int width = std::bit_width(bound);
  std::uint64_t value = bits(width);
  while (value >= bound) value = bits(width);
  return value;
}

std::string PythonRandom::choices(std::string_view alphabet, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += alphabet[static_cast<std::size_t>(random() * static_cast<double>(alphabet.size()))];
  }
  return text;
}

std::vector<std::size_t> PythonRandom::sample(std::size_t population, std::int64_t count) {
  if (count < 0 || static_cast<std::size_t>(count) > population) {
    throw Error(ErrorKind::kInvalidArgument, "sample of " + std::to_string(count) + " from " +
                                                 std::to_string(population) + " items");
  }
  const std::size_t wanted = static_cast<std::size_t>(count);
  std::vector<std::size_t> result;
  result.reserve(wanted);
  if (population <= pool_limit(wanted)) {
    std::vector<std::size_t> pool(population);
    for (std::size_t i = 0; i < population; ++i) pool[i] = i;
    for (std::size_t i = 0; i < wanted; ++i) {
      const std::size_t j = below(population - i);
      result.push_back(pool[j]);
      pool[j] = pool[population - i - 1];
    }
    return result;
  }
  std::unordered_set<std::size_t> taken;
  while (result.size() < wanted) {
    const std::size_t index = below(population);
    if (taken.insert(index).second) result.push_back(index);
  }
  return result;
}

std::string PythonRandom::uuid4() {
  const std::uint64_t low = bits(64);
  const std::uint64_t high = bits(64);
  const std::uint64_t version = (high & ~0xf000ULL) | 0x4000ULL;  // bits 76-79 of the whole
  const std::uint64_t variant = (low & ~(3ULL << 62)) | (2ULL << 62);
  std::string text;
  const auto append = [&text](std::uint64_t value, int first_digit, int last_digit) {
    for (int digit = first_digit; digit >= last_digit; --digit) {
      text += "0123456789abcdef"[value >> (4 * digit) & 15U];
    }
  };
  append(version, 15, 8);
  text += '-';
  append(version, 7, 4);
  text += '-';
  append(version, 3, 0);
  text += '-';
  append(variant, 15, 12);
  text += '-';
  append(variant, 11, 0);
  return text;
}

std::int64_t NumpyRandom::randint(std::int64_t low, std::int64_t high) {
  check(low < high, "randint: low < high");
  const std::uint64_t range = static_cast<std::uint64_t>(high - 1 - low);
  check(range >> 32 == 0, "randint: range below 2^32");
  if (range == 0) return low;
  const std::uint32_t mask =
      static_cast<std::uint32_t>((std::uint64_t{1} << std::bit_width(range)) - 1);
  std::uint32_t value = bits() & mask;
  while (value > range) value = bits() & mask;
  return low + value;
}

}  // namespace elastic
