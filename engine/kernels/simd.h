#pragma once

// Vectors of W floats in the compiler's own notation, so that one source serves SSE2, AVX2, AVX-512
// and Arm. Included by the kernel sources only, each compiled for its instruction set: everything
// is in an unnamed namespace, so that no function compiled for a newer processor is shared with the
// rest of the program.

#include <cstdint>
#include <cstring>

namespace elastic::engine {
namespace {

// Vector types of one width; the attribute wants a number, not a template argument.
template <int W>
struct VectorTypes;

template <>
struct VectorTypes<4> {
  typedef float Float __attribute__((vector_size(16)));
  typedef std::uint32_t Word __attribute__((vector_size(16)));
  typedef std::uint16_t Half __attribute__((vector_size(8)));
};

template <>
struct VectorTypes<8> {
  typedef float Float __attribute__((vector_size(32)));
  typedef std::uint32_t Word __attribute__((vector_size(32)));
  typedef std::uint16_t Half __attribute__((vector_size(16)));
};

template <>
struct VectorTypes<16> {
  typedef float Float __attribute__((vector_size(64)));
  typedef std::uint32_t Word __attribute__((vector_size(64)));
  typedef std::uint16_t Half __attribute__((vector_size(32)));
};

template <int W>
struct Simd {
  using Float = typename VectorTypes<W>::Float;
  using Word = typename VectorTypes<W>::Word;
  using Half = typename VectorTypes<W>::Half;

  static Float load(const float* p) {
    Float x;
    std::memcpy(&x, p, sizeof x);
    return x;
  }
  static void store(float* p, Float x) { std::memcpy(p, &x, sizeof x); }
  static Float load(const std::uint16_t* p) {  // bf16
    Half x;
    std::memcpy(&x, p, sizeof x);
    return __builtin_bit_cast(Float, __builtin_convertvector(x, Word) << 16);
  }
  static Float all(float x) { return x - Float{}; }
  static Float max(Float a, Float b) { return a > b ? a : b; }

  // Pairwise, so that few steps wait for each other.
  static float sum(Float x) {
    if constexpr (W == 4) {
      x += __builtin_shufflevector(x, x, 2, 3, 0, 1);
      return x[0] + x[1];
    } else {
      const auto half = halves(x);
      return Simd<W / 2>::sum(half.low + half.high);
    }
  }
  static float max(Float x) {
    if constexpr (W == 4) {
      x = max(x, __builtin_shufflevector(x, x, 2, 3, 0, 1));
      return x[0] > x[1] ? x[0] : x[1];
    } else {
      const auto half = halves(x);
      return Simd<W / 2>::max(Simd<W / 2>::max(half.low, half.high));
    }
  }

 private:
  struct Halves {
    typename VectorTypes<(W > 4 ? W / 2 : 4)>::Float low, high;
  };
  static Halves halves(Float x) {
    Halves h;
    static_assert(W == 4 || sizeof h == sizeof x);
    std::memcpy(&h, &x, sizeof x);
    return h;
  }
};

template <typename T>
T smaller(T a, T b) {
  return a < b ? a : b;
}
template <typename T>
T larger(T a, T b) {
  return a < b ? b : a;
}

float widen(float x) { return x; }
float widen(std::uint16_t x) {
  const std::uint32_t bits = static_cast<std::uint32_t>(x) << 16;
  float y;
  std::memcpy(&y, &bits, sizeof y);
  return y;
}
void narrow(float x, float* out) { *out = x; }
void narrow(float x, std::uint16_t* out) {  // bf16, round to nearest even
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  *out = x != x ? std::uint16_t{0x7fc0}
                : static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// 2^x for x <= 0: 2^round(x) times a polynomial of degree 5 on [-1/2, 1/2] (minimax in relative
// error, 2.4e-7 in fp32). Exactly 0 below 2^-126, so also for -inf.
template <int W>
typename Simd<W>::Float exp2_negative(typename Simd<W>::Float x) {
  using Float = typename Simd<W>::Float;
  using Word = typename Simd<W>::Word;
  constexpr float kRound =
      12582912.0f;  // 1.5 * 2^23: adding it leaves the rounded integer in the low bits
  const Float shifted = x + kRound;
  const Float f = x - (shifted - kRound);
  Float p = f * 1.3276472e-3f + 9.6755419e-3f;
  p = p * f + 5.5507131e-2f;
  p = p * f + 2.4022120e-1f;
  p = p * f + 6.9314694e-1f;
  p = p * f + 1.0000001f;
  const Word scaled = __builtin_bit_cast(Word, p) + (__builtin_bit_cast(Word, shifted) << 23);
  return __builtin_bit_cast(Float, scaled & __builtin_bit_cast(Word, x > -126.0f));
}

}  // namespace
}  // namespace elastic::engine
