#include "engine/io/dequantize.h"

#include <bit>
#include <cstddef>

#include "base/error.h"

// Compiled without contraction of a * b + c into one rounding (engine/CMakeLists.txt).

namespace elastic::engine {
namespace {

constexpr std::size_t kBlock = 32;      // elements of the simple types
constexpr std::size_t kHalfBlock = 16;  // their nibbles: the first half low, the second half high
constexpr std::size_t kSuper = 256;     // elements of a super-block (the K types)
constexpr std::size_t kPart = 32;       // elements of a part of a super-block
constexpr std::size_t kScaleElements = 16;  // Q6_K: elements of one scale

float half_at(const std::uint8_t* bytes) {
  return half_to_float(stored_number<std::uint16_t>(bytes));
}

int low_nibble(std::uint8_t byte) { return byte & 0x0F; }
int high_nibble(std::uint8_t byte) { return byte >> 4; }

void f32(const std::uint8_t* block, float* out) { *out = stored_number<float>(block); }

void f16(const std::uint8_t* block, float* out) { *out = half_at(block); }

void bf16(const std::uint8_t* block, float* out) {
  *out = std::bit_cast<float>(std::uint32_t{stored_number<std::uint16_t>(block)} << 16);
}

// d, 32 signed bytes: d q.
void q8_0(const std::uint8_t* block, float* out) {
  const float d = half_at(block);
  for (std::size_t i = 0; i < kBlock; ++i) {
    out[i] = static_cast<float>(static_cast<std::int8_t>(block[2 + i])) * d;
  }
}

// d, 16 bytes of nibbles: d (q - 8).
void q4_0(const std::uint8_t* block, float* out) {
  const float d = half_at(block);
  const std::uint8_t* q = block + 2;
  for (std::size_t i = 0; i < kHalfBlock; ++i) {
    out[i] = d * static_cast<float>(low_nibble(q[i]) - 8);
    out[i + kHalfBlock] = d * static_cast<float>(high_nibble(q[i]) - 8);
  }
}

// d, m, 16 bytes of nibbles: d q + m.
void q4_1(const std::uint8_t* block, float* out) {
  const float d = half_at(block), m = half_at(block + 2);
  const std::uint8_t* q = block + 4;
  for (std::size_t i = 0; i < kHalfBlock; ++i) {
    out[i] = d * static_cast<float>(low_nibble(q[i])) + m;
    out[i + kHalfBlock] = d * static_cast<float>(high_nibble(q[i])) + m;
  }
}

// The fifth bit of element i, of 32 bits.
int fifth_bit(std::uint32_t bits, std::size_t i) { return static_cast<int>((bits >> i) & 1U) << 4; }

// d, 32 high bits, 16 bytes of nibbles: d (q - 16).
void q5_0(const std::uint8_t* block, float* out) {
  const float d = half_at(block);
  const auto high = stored_number<std::uint32_t>(block + 2);
  const std::uint8_t* q = block + 6;
  for (std::size_t i = 0; i < kHalfBlock; ++i) {
    const std::size_t upper = i + kHalfBlock;
    out[i] = d * static_cast<float>((low_nibble(q[i]) | fifth_bit(high, i)) - 16);
    out[upper] = d * static_cast<float>((high_nibble(q[i]) | fifth_bit(high, upper)) - 16);
  }
}

// d, m, 32 high bits, 16 bytes of nibbles: d q + m.
void q5_1(const std::uint8_t* block, float* out) {
  const float d = half_at(block), m = half_at(block + 2);
  const auto high = stored_number<std::uint32_t>(block + 4);
  const std::uint8_t* q = block + 8;
  for (std::size_t i = 0; i < kHalfBlock; ++i) {
    const std::size_t upper = i + kHalfBlock;
    out[i] = d * static_cast<float>(low_nibble(q[i]) | fifth_bit(high, i)) + m;
    out[upper] = d * static_cast<float>(high_nibble(q[i]) | fifth_bit(high, upper)) + m;
  }
}

struct PartScale {
  float scale = 0, minimum = 0;
};

// Q4_K and Q5_K: d, dmin, then 12 bytes with six bits of scale and of minimum for each of 8 parts:
// those of parts 0-3 in bytes 0-3 and 4-7; of parts 4-7 the low four in the nibbles of bytes 8-11,
// the high two on top of bytes 0-3 and 4-7.
PartScale part_scale(const std::uint8_t* block, std::size_t part) {
  const std::uint8_t* packed = block + 4;
  int scale = 0, minimum = 0;
  if (part < 4) {
    scale = packed[part] & 0x3F;
    minimum = packed[part + 4] & 0x3F;
  } else {
    scale = low_nibble(packed[part + 4]) | ((packed[part - 4] >> 2) & 0x30);
    minimum = high_nibble(packed[part + 4]) | ((packed[part] >> 2) & 0x30);
  }
  return {half_at(block) * static_cast<float>(scale),
          half_at(block + 2) * static_cast<float>(minimum)};
}

// Two parts to 32 bytes, the first in the low nibbles: (d scale) q - (dmin minimum).
void q4_k(const std::uint8_t* block, float* out) {
  for (std::size_t part = 0; part < kSuper / kPart; ++part) {
    const PartScale by = part_scale(block, part);
    const std::uint8_t* q = block + 16 + part / 2 * kPart;
    for (std::size_t i = 0; i < kPart; ++i) {
      const int value = part % 2 == 0 ? low_nibble(q[i]) : high_nibble(q[i]);
      out[part * kPart + i] = by.scale * static_cast<float>(value) - by.minimum;
    }
  }
}

// The same with fifth bits between: bit `part` of byte i belongs to element i of the part.
void q5_k(const std::uint8_t* block, float* out) {
  const std::uint8_t* high = block + 16;
  for (std::size_t part = 0; part < kSuper / kPart; ++part) {
    const PartScale by = part_scale(block, part);
    const std::uint8_t* q = block + 16 + kPart + part / 2 * kPart;
    for (std::size_t i = 0; i < kPart; ++i) {
      const int value = part % 2 == 0 ? low_nibble(q[i]) : high_nibble(q[i]);
      out[part * kPart + i] =
          by.scale * static_cast<float>(value | fifth_bit(high[i], part)) - by.minimum;
    }
  }
}

// 128 bytes of nibbles, 64 of pairs of high bits, 16 signed scales, d: (d scale) (q - 32). Each
// half of the block has 64 bytes of nibbles (parts 0, 1 low, 2, 3 high) and 32 of pairs.
void q6_k(const std::uint8_t* block, float* out) {
  const std::uint8_t* scales = block + 192;
  const float d = half_at(block + 208);
  for (std::size_t part = 0; part < kSuper / kPart; ++part) {
    const std::size_t half = part / 4, within = part % 4;
    const std::uint8_t* low = block + half * 64 + within % 2 * kPart;
    const std::uint8_t* high = block + 128 + half * kPart;
    for (std::size_t i = 0; i < kPart; ++i) {
      const int nibble = within < 2 ? low_nibble(low[i]) : high_nibble(low[i]);
      const int value = (nibble | ((high[i] >> (2 * within)) & 3) << 4) - 32;
      const std::size_t element = part * kPart + i;
      const auto scale = static_cast<std::int8_t>(scales[element / kScaleElements]);
      out[element] = d * static_cast<float>(scale) * static_cast<float>(value);
    }
  }
}

void (*function_of(GgufTensorType type))(const std::uint8_t*, float*) {
  switch (type) {
    case GgufTensorType::kF32:
      return f32;
    case GgufTensorType::kF16:
      return f16;
    case GgufTensorType::kBF16:
      return bf16;
    case GgufTensorType::kQ8_0:
      return q8_0;
    case GgufTensorType::kQ4_0:
      return q4_0;
    case GgufTensorType::kQ4_1:
      return q4_1;
    case GgufTensorType::kQ5_0:
      return q5_0;
    case GgufTensorType::kQ5_1:
      return q5_1;
    case GgufTensorType::kQ4_K:
      return q4_k;
    case GgufTensorType::kQ5_K:
      return q5_k;
    case GgufTensorType::kQ6_K:
      return q6_k;
  }
  return nullptr;
}

}  // namespace

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  const std::uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0) {  // zero and subnormal: mantissa x 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t widened = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | (widened << 23) | (mantissa << 13));
}

void dequantize(GgufTensorType type, std::span<const std::uint8_t> bytes, std::span<float> values) {
  const GgufBlock block = block_of(type);
  const auto size = static_cast<std::size_t>(block.bytes);
  const auto elements = static_cast<std::size_t>(block.elements);
  const std::size_t blocks = bytes.size() / size;
  check(bytes.size() == blocks * size && values.size() == blocks * elements, "whole blocks");
  const auto function = function_of(type);
  for (std::size_t i = 0; i < blocks; ++i) {
    function(bytes.data() + i * size, values.data() + i * elements);
  }
}

}  // namespace elastic::engine
