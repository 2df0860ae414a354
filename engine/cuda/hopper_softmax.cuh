#pragma once

// What a thread of a computing warp group does with its scores between the two products.

#include <cmath>
#include <cstdint>

#include "engine/cuda/hopper_tiles.cuh"
#include "engine/cuda/tensor_core.cuh"

namespace elastic::engine::hopper {

using Scores = float[kKeys / 2];               // a thread's, of 64 x 128
using Weights = std::uint32_t[kKeys / 16][4];  // the same in 16 bits, by products of 16 keys
template <int D>
using Outputs = float[D / 2];

/// Running softmax of a thread's two rows: the maximum of raw scores, the sum of this thread's
/// weights.
struct Statistics {
  float maximum[2], sum[2];
};

// Scores of keys that a row does not see become -inf. `row`, `key`: absolute, of this thread's
// first row and of its first column.
template <bool kTokens>
__device__ inline void hide(Scores& s, const Tile& tile, int row, int key) {
#pragma unroll
  for (int i = 0; i < kKeys / 2; ++i) {
    const int column = i / 4 * 8 + i % 2, distance = row - key + i / 2 % 2 * 8 - column;
    bool seen = distance >= 0;
    if constexpr (kTokens) {
      seen = seen && (distance < tile.token_local || key + column < tile.token_sink);
    }
    if (!seen) s[i] = -INFINITY;
  }
}

// power_of_two() that stays before the wait it is written before: there products hide it.
__device__ inline float power_of_two_here(float x) {
  float y;
  asm volatile("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
}

// Scores to weights exp(scale (s - maximum)), and by which factors the sums so far shrink. Four
// independent chains a row, because only two warps share a scheduler.
template <bool kMasked>
__device__ inline void soften(Scores& s, Statistics& state, float (&fade)[2], float scale_log2) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float top[4] = {state.maximum[half], s[2 * half + 1], s[2 * half + 4], s[2 * half + 5]};
    top[0] = fmaxf(top[0], s[2 * half]);
#pragma unroll
    for (int n = 2; n < kKeys / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        top[n % 2 * 2 + i] = fmaxf(top[n % 2 * 2 + i], s[4 * n + 2 * half + i]);
      }
    }
    float maximum = fmaxf(fmaxf(top[0], top[1]), fmaxf(top[2], top[3]));
    maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffffu, maximum, 1));
    maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffffu, maximum, 2));
    // Only in masked steps can a row have seen nothing so far.
    const float offset = kMasked && maximum == -INFINITY ? 0 : maximum * scale_log2;
    fade[half] = power_of_two(state.maximum[half] * scale_log2 - offset);
    state.maximum[half] = maximum;
    float sum[4] = {state.sum[half] * fade[half], 0, 0, 0};
#pragma unroll
    for (int n = 0; n < kKeys / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float& weight = s[4 * n + 2 * half + i];
        weight = power_of_two_here(weight * scale_log2 - offset);
        sum[n % 2 * 2 + i] += weight;
      }
    }
    state.sum[half] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  }
}

template <typename T>
__device__ inline void round_weights(Weights& p, const Scores& s) {
#pragma unroll
  for (int step = 0; step < kKeys / 16; ++step) {
#pragma unroll
    for (int i = 0; i < 4; ++i) p[step][i] = pack<T>(s[8 * step + 2 * i], s[8 * step + 2 * i + 1]);
  }
}

// In long tiles hardly any step brings a new maximum.
template <int D>
__device__ inline void shrink(Outputs<D>& o, const float (&fade)[2]) {
  if (__all_sync(0xffffffffu, fade[0] == 1 && fade[1] == 1)) return;
#pragma unroll
  for (int i = 0; i < D / 2; ++i) o[i] *= fade[i / 2 % 2];
}

}  // namespace elastic::engine::hopper
