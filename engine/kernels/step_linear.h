#pragma once

// Products of a decode step, for kernels and for those that call them.

#include <cstdint>

namespace elastic::engine {

/// How a product ends.
enum class LinearEnd : std::uint8_t {
  kStore,  // y = x W^T + bias
  kAdd,    // y += the same
  kGate,   // y = silu(first half of the outputs) * second half
};

inline constexpr std::int64_t kStepRows = 64;   // at most, that read a weight once
inline constexpr std::int64_t kStepInner = 32;  // inner dimensions are multiples of it

}  // namespace elastic::engine
