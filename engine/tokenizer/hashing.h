#pragma once

// Hash and comparison of short byte strings by overlapping eight-byte loads that never leave them.

#include <cstdint>
#include <cstring>
#include <string_view>

namespace elastic::engine {

template <typename Word>
inline Word load_word(const char* at) {
  Word word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

inline std::uint64_t mix_words(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a ^ 0x9E3779B97F4A7C15ull) * (b ^ 0xE7037ED1A0B428DBull);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// Not stable across program versions: for tables in memory only.
inline std::uint64_t hash_bytes(std::string_view bytes) {
  const char* at = bytes.data();
  const std::size_t n = bytes.size();
  if (n <= 16) {
    if (n >= 8)
      return mix_words(load_word<std::uint64_t>(at) ^ n, load_word<std::uint64_t>(at + n - 8));
    if (n >= 4)
      return mix_words(load_word<std::uint32_t>(at) ^ (std::uint64_t{n} << 32),
                       load_word<std::uint32_t>(at + n - 4));
    if (n == 0) return 0;
    const auto byte = [&](std::size_t i) {
      return std::uint64_t{static_cast<unsigned char>(at[i])};
    };
    return mix_words(n, byte(0) << 16 | byte(n / 2) << 8 | byte(n - 1));
  }
  std::uint64_t hash = n;
  std::size_t i = 0;
  for (; i + 16 < n; i += 16) {
    hash = mix_words(load_word<std::uint64_t>(at + i) ^ hash, load_word<std::uint64_t>(at + i + 8));
  }
  return mix_words(load_word<std::uint64_t>(at + n - 16) ^ hash,
                   load_word<std::uint64_t>(at + n - 8));
}

inline bool equal_bytes(const char* a, const char* b, std::size_t n) {
  if (n >= 8) {
    for (std::size_t i = 0; i + 8 < n; i += 8) {
      if (load_word<std::uint64_t>(a + i) != load_word<std::uint64_t>(b + i)) return false;
    }
    return load_word<std::uint64_t>(a + n - 8) == load_word<std::uint64_t>(b + n - 8);
  }
  if (n >= 4) {
    return load_word<std::uint32_t>(a) == load_word<std::uint32_t>(b) &&
           load_word<std::uint32_t>(a + n - 4) == load_word<std::uint32_t>(b + n - 4);
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

}  // namespace elastic::engine
