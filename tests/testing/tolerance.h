#pragma once

// Numeric tolerances, one place. Absolute, against float64 or stored fp32 results.

namespace elastic::testing {

// Attention outputs are averages of values of size about 1: fp32 sums over a few thousand keys.
inline constexpr double kAttentionFp32 = 2e-5;
// bf16 keeps 8 bits: the rounding of the output alone is 2^-8 of values up to about 4.
inline constexpr double kAttentionBf16 = 2e-2;
// Norm of the error over that of one head, of outputs and of gradients.
inline constexpr double kHeadBf16 = 1e-2;
inline constexpr double kHeadGradientBf16 = 2e-2;
// Five small matrix products in fp32.
inline constexpr double kRouterFp32 = 1e-5;

}  // namespace elastic::testing
