// Products of a decode step: a few rows x with a large weight, which is read once at the speed of
// memory. A thread block makes 16 outputs of every row; its warps take turns along the inner
// dimension and their fp32 sums meet in shared memory, always in the same order. So a row's result
// does not depend on how many others there are: a sequence says the same alone and in any batch.

#include <algorithm>

#include "engine/cuda/dependent_launch.cuh"
#include "engine/cuda/linear_end.cuh"
#include "engine/cuda/step_call.h"
#include "engine/cuda/tensor_core.cuh"

namespace elastic::engine {
namespace {

using T = __nv_bfloat16;

constexpr int kWarps = 8, kThreads = 32 * kWarps;
constexpr int kStep = 32;                // of the inner dimension: 8 elements a lane
constexpr int kOutputs = 16, kHalf = 8;  // of a tensor-core tile

// Not .nc: such loads sink below wait_for_inputs().
__device__ uint4 load_once(const T* from) {
  uint4 to;
  asm volatile("ld.global.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(to.x), "=r"(to.y), "=r"(to.z), "=r"(to.w)
               : "l"(from));
  return to;
}

/// What a lane holds of one step of the weight: 8 elements of output lane / 4 of a tile and of the
/// output kHalf further. The order of inner elements within a step is the lanes', for x alike.
struct Piece {
  uint4 low, high;
};

// From a warp's step to its next one.
constexpr int kStride = kWarps * kStep;

/// Where a lane reads: `kOuts` tiles of outputs, `kRows` tiles of 8 rows.
template <int kOuts, int kRows>
struct Places {
  const T *low[kOuts], *high[kOuts];
  const T* x[kRows];  // of row 8 tile + lane / 4, or of the last row for those beyond

  __device__ Places(const LinearCall& call, int warp, int lane) {
    const bool gate = call.end == LinearEnd::kGate;
    const int column = warp * kStep + lane % 4 * 8;
    const auto weight = [&](int output) {
      return call.weight + static_cast<std::int64_t>(output) * call.in + column;
    };
#pragma unroll
    for (int tile = 0; tile < kOuts; ++tile) {
      const int first = (blockIdx.x * kOuts + tile) * (gate ? kHalf : kOutputs) + lane / 4;
      const int output = min(first, call.out - 1);
      low[tile] = weight(output);
      high[tile] = weight(gate ? call.out + output : min(first + kHalf, call.out - 1));
    }
#pragma unroll
    for (int tile = 0; tile < kRows; ++tile) {
      const int row = min(8 * tile + lane / 4, call.rows - 1);
      x[tile] = call.x + static_cast<std::int64_t>(row) * call.in + column;
    }
  }

  __device__ Piece piece(int tile, int step) const {
    return {load_once(low[tile] + step * kStride), load_once(high[tile] + step * kStride)};
  }

  __device__ void advance(int steps) {
#pragma unroll
    for (const T*& row : low) row += steps * kStride;
#pragma unroll
    for (const T*& row : high) row += steps * kStride;
#pragma unroll
    for (const T*& row : x) row += steps * kStride;
  }
};

/// The weights of one step, and the sums of a warp: [output tile][row tile][2 outputs, 2 rows].
template <int kOuts>
struct Step {
  Piece at[kOuts];
};
template <int kOuts, int kRows>
struct Sums {
  float at[kOuts][kRows][4] = {};

  __device__ void add(const Step<kOuts>& w, const Places<kOuts, kRows>& places, int step) {
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      const uint4 x = *reinterpret_cast<const uint4*>(places.x[row] + step * kStride);
#pragma unroll
      for (int out = 0; out < kOuts; ++out) {
        const Piece& p = w.at[out];
        const std::uint32_t first[4] = {p.low.x, p.high.x, p.low.y, p.high.y};
        const std::uint32_t second[4] = {p.low.z, p.high.z, p.low.w, p.high.w};
        multiply_add<T>(at[out][row], first, x.x, x.y);
        multiply_add<T>(at[out][row], second, x.z, x.w);
      }
    }
  }
};

/// The sums of all warps of a block.
template <int kOuts, int kRows>
struct Block {
  float sums[kWarps][8 * kRows][kOuts * kOutputs + 1];

  __device__ float total(int row, int output) const {
    float sum = 0;
#pragma unroll
    for (int warp = 0; warp < kWarps; ++warp) sum += sums[warp][row][output];
    return sum;
  }
};

// kAhead: steps whose weights are on their way. Both it and the least blocks of a multiprocessor
// were tried out on an H200.
template <int kOuts, int kRows, int kAhead>
__global__ void __launch_bounds__(kThreads, kRows < 8 ? 2 : 1)
    linear_kernel(const LinearCall call) {
  extern __shared__ float memory[];
  auto& block = *reinterpret_cast<Block<kOuts, kRows>*>(memory);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  Places<kOuts, kRows> places(call, warp, lane);
  int left = (call.in / kStep - warp + kWarps - 1) / kWarps;  // steps of this warp

  Step<kOuts> ahead[kAhead];
  const auto load = [&](Step<kOuts>& to, int step) {
#pragma unroll
    for (int out = 0; out < kOuts; ++out) to.at[out] = places.piece(out, step);
  };
#pragma unroll
  for (int i = 0; i < kAhead; ++i) {
    if (i < left) load(ahead[i], i);
  }
  let_next_begin();
  wait_for_inputs();  // weights are no kernel's output
  Sums<kOuts, kRows> sums;
  for (; left >= 2 * kAhead; left -= kAhead) {  // no condition inside: loads stay in flight
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      sums.add(ahead[i], places, i);
      load(ahead[i], kAhead + i);
    }
    places.advance(kAhead);
  }
#pragma unroll
  for (int i = 0; i < 2 * kAhead; ++i) {
    if (i >= left) break;
    if (i >= kAhead) load(ahead[i - kAhead], i);
    sums.add(ahead[i % kAhead], places, i);
  }
#pragma unroll
  for (int i = 0; i < kOuts * kRows * 4; ++i) {
    const int out = i / (4 * kRows), row = i / 4 % kRows, e = i % 4;
    block.sums[warp][8 * row + lane % 4 * 2 + e % 2][kOutputs * out + lane / 4 + e / 2 * kHalf] =
        sums.at[out][row][e];
  }
  __syncthreads();
  const int of_tile = call.end == LinearEnd::kGate ? kHalf : kOutputs;
  const auto place = [&](int own) { return own / of_tile * kOutputs + own % of_tile; };
  end_linear<kThreads>(
      call, static_cast<int>(blockIdx.x), kOuts * of_tile,
      [&](int row, int own) { return block.total(row, place(own)); },
      [&](int row, int own) { return block.total(row, place(own) + kHalf); });
}

template <int kOuts, int kRows, int kAhead>
cudaError_t launch(const LinearCall& call, cudaStream_t stream) {
  constexpr auto kBytes = static_cast<unsigned>(sizeof(Block<kOuts, kRows>));
  const auto kernel = linear_kernel<kOuts, kRows, kAhead>;
  const cudaError_t error =
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes);
  if (error != cudaSuccess) return error;
  const int outputs = kOuts * (call.end == LinearEnd::kGate ? kHalf : kOutputs);
  const auto blocks = static_cast<unsigned>((call.out + outputs - 1) / outputs);
  return launch_dependent(kernel, {dim3(blocks), kThreads, kBytes}, stream, call);
}

}  // namespace

cudaError_t linear_step(const LinearCall& call, cudaStream_t stream) {
  if (call.rows < 1 || call.rows > kStepRows || call.in % kStep != 0) return cudaErrorInvalidValue;
  // More rows: more outputs a block, because each block reads all of x.
  if (call.rows <= 8) return launch<1, 1, 4>(call, stream);
  if (call.rows <= 16) return launch<2, 2, 3>(call, stream);
  if (call.rows <= 32) return launch<2, 4, 3>(call, stream);
  return launch<2, 8, 2>(call, stream);
}

}  // namespace elastic::engine
