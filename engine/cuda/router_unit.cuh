#pragma once

// A warp's share of the router's products: 16 outputs of a map over some of its inputs.

#include <cuda_bf16.h>

#include <cstdint>

#include "engine/cuda/tensor_core.cuh"

namespace elastic::engine {

using RouterNumber = __nv_bfloat16;

inline constexpr int kUnitRows = 16;

/// Volatile, so that it stays before the barrier it is written before.
__device__ inline uint4 load_weights(const RouterNumber* at) {
  uint4 x;
  asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
               : "l"(at));
  return x;
}

/// 16 outputs over D inputs. Lane l holds of rows l / 4 and 8 below it the columns 8 (l % 4) to
/// 8 (l % 4) + 7 of each 32: which columns meet in a product is free as long as the inputs' are the
/// same.
template <int D>
struct Unit {
  uint4 weights[D / 32][2];

  __device__ void load(const RouterNumber* weight, int inputs, int row, int column) {
    const int lane = threadIdx.x % 32;
    const RouterNumber* from =
        weight + static_cast<std::int64_t>(row + lane / 4) * inputs + column + lane % 4 * 8;
#pragma unroll
    for (int i = 0; i < D / 32; ++i) {
      weights[i][0] = load_weights(from + 32 * i);
      weights[i][1] = load_weights(from + 8 * inputs + 32 * i);
    }
  }

  // To sums [kUnitRows][kHeads] over D inputs of each head, heads `apart` from each other.
  template <int kHeads>
  __device__ void multiply(const RouterNumber* x, int apart, float* sums) const {
    const int lane = threadIdx.x % 32, head = lane / 4;
    float c[2][4] = {};
#pragma unroll
    for (int i = 0; i < D / 32; ++i) {
      uint4 b = {0, 0, 0, 0};
      if (head < kHeads) {
        b = *reinterpret_cast<const uint4*>(x + head * apart + 32 * i + lane % 4 * 8);
      }
      const uint4 &upper = weights[i][0], &lower = weights[i][1];
      multiply_add<RouterNumber>(c[0], {upper.x, lower.x, upper.y, lower.y}, b.x, b.y);
      multiply_add<RouterNumber>(c[1], {upper.z, lower.z, upper.w, lower.w}, b.z, b.w);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int column = lane % 4 * 2 + i % 2, row = lane / 4 + i / 2 * 8;
      if (column < kHeads) sums[row * kHeads + column] = c[0][i] + c[1][i];
    }
  }
};

}  // namespace elastic::engine
