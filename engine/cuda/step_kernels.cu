// The small kernels around a decode step's products, and two that prefill shares: what ATen needs
// several passes for is read and written once.

#include <cmath>

#include "engine/cuda/dependent_launch.cuh"
#include "engine/cuda/eight.cuh"
#include "engine/cuda/step_call.h"
#include "engine/cuda/tensor_core.cuh"

namespace elastic::engine {
namespace {

using T = __nv_bfloat16;

// The sum of x over a block of kWarps warps.
template <int kWarps>
__device__ float block_sum(float x) {
  __shared__ float warps[kWarps];
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
  __syncthreads();
  float sum = 0;
#pragma unroll
  for (const float warp : warps) sum += warp;
  return sum;
}

// A key that opens a page is its bounds, a later one widens them.
__device__ void widen(const KvSlot& slot, std::int64_t row, int width, int i, T key) {
  const std::int64_t at = row / slot.pages.page * width + i;
  T &low = static_cast<T*>(slot.low)[at], &high = static_cast<T*>(slot.high)[at];
  const bool opens = row % slot.pages.page == 0;
  if (opens || __bfloat162float(key) < __bfloat162float(low)) low = key;
  if (opens || __bfloat162float(key) > __bfloat162float(high)) high = key;
}

// A thread block is one head of one sequence, a thread the pair of elements that rotate together.
template <int D>
__global__ void append_kernel(const AppendCall call) {
  constexpr int half = D / 2;
  const StepShape& shape = call.shape;
  const int head = blockIdx.x, sequence = blockIdx.y, i = threadIdx.x;
  const int heads = shape.heads_q + 2 * shape.heads_kv;
  const T* x = call.qkv + (static_cast<std::int64_t>(sequence) * heads + head) * D;
  let_next_begin();
  wait_for_inputs();
  const int position = shape.positions[sequence];
  if (position < 0) return;
  const bool is_query = head < shape.heads_q, is_value = head >= shape.heads_q + shape.heads_kv;
  const int kv_head = (head - shape.heads_q) % shape.heads_kv;
  T* to = call.q + (static_cast<std::int64_t>(sequence) * shape.heads_q + head) * D;
  KvSlot slot;
  std::int64_t row = 0;
  if (!is_query) {
    slot = shape.slots[sequence * shape.heads_kv + kv_head];
    row = slot.local > 0 && position >= slot.sink ? slot.sink + (position - slot.sink) % slot.local
                                                  : position - slot.gone;
    to = static_cast<T*>(is_value ? slot.v : slot.k) + row * D;
  }
  if (is_value) {
    to[i] = x[i];
    to[i + half] = x[i + half];
    return;
  }
  float a = __bfloat162float(x[i]), b = __bfloat162float(x[i + half]);
  const T* norm = is_query ? call.q_norm : call.k_norm;
  if (norm != nullptr) {  // fp32 inside, rounded once
    const float factor =
        rsqrtf(block_sum<half / 32>(a * a + b * b) / static_cast<float>(D) + call.eps);
    a = rounded(a * factor * __bfloat162float(norm[i]));
    b = rounded(b * factor * __bfloat162float(norm[i + half]));
  }
  const float c = __bfloat162float(call.cos[static_cast<std::int64_t>(position) * half + i]);
  const float s = __bfloat162float(call.sin[static_cast<std::int64_t>(position) * half + i]);
  to[i] = __float2bfloat16(a * c - b * s);
  to[i + half] = __float2bfloat16(b * c + a * s);
  if (slot.pages.page > 0) {
    widen(slot, row, D, i, to[i]);
    widen(slot, row, D, i + half, to[i + half]);
  }
}

// A thread block is one row.
constexpr int kNormWarps = 16;
__global__ void __launch_bounds__(32 * kNormWarps) norm_kernel(const NormCall call) {
  const std::int64_t start = static_cast<std::int64_t>(blockIdx.x) * call.width;
  const auto eight = [](const T* at) { return *reinterpret_cast<const Eight*>(at); };
  let_next_begin();
  wait_for_inputs();
  float sum = 0;
  for (int i = 8 * threadIdx.x; i < call.width; i += 8 * blockDim.x) {
    const Eight x = eight(call.x + start + i);
#pragma unroll
    for (const T element : x.at) sum += __bfloat162float(element) * __bfloat162float(element);
  }
  const float factor =
      rsqrtf(block_sum<kNormWarps>(sum) / static_cast<float>(call.width) + call.eps);
  for (int i = 8 * threadIdx.x; i < call.width; i += 8 * blockDim.x) {
    const Eight x = eight(call.x + start + i), weight = eight(call.weight + i);
    Eight out;
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      out.at[e] =
          __float2bfloat16(__bfloat162float(x.at[e]) * factor * __bfloat162float(weight.at[e]));
    }
    *reinterpret_cast<Eight*>(call.out + start + i) = out;
  }
}

__global__ void gate_kernel(const T* x, T* out, std::int64_t rows, std::int64_t n) {
  const std::int64_t pieces = n / 8, all = rows * pieces;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < all;
       i += step) {
    const std::int64_t row = i / pieces, column = i % pieces * 8;
    const Eight gate = *reinterpret_cast<const Eight*>(x + row * 2 * n + column);
    const Eight up = *reinterpret_cast<const Eight*>(x + row * 2 * n + n + column);
    Eight result;
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      const float g = __bfloat162float(gate.at[e]);
      result.at[e] = __float2bfloat16(rounded(g / (1 + __expf(-g))) * __bfloat162float(up.at[e]));
    }
    *reinterpret_cast<Eight*>(out + row * n + column) = result;
  }
}

// A thread rotates eight pairs of one row and head.
__global__ void rotate_kernel(const RotateCall call) {
  const int half = call.head_dim / 2, pieces = half / 8;
  const std::int64_t all = call.rows * call.heads * pieces;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < all;
       i += step) {
    const auto piece = static_cast<int>(i % pieces),
               head = static_cast<int>(i / pieces % call.heads);
    const std::int64_t row = i / pieces / call.heads;
    const T* x = call.x + row * call.x_row + head * call.x_head + 8 * piece;
    T* out = call.out + row * call.out_row + head * call.out_head + 8 * piece;
    const Eight a = *reinterpret_cast<const Eight*>(x);
    const Eight b = *reinterpret_cast<const Eight*>(x + half);
    const Eight c = *reinterpret_cast<const Eight*>(call.cos + row * half + 8 * piece);
    const Eight s = *reinterpret_cast<const Eight*>(call.sin + row * half + 8 * piece);
    Eight first, second;
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      const float ae = __bfloat162float(a.at[e]), be = __bfloat162float(b.at[e]);
      const float ce = __bfloat162float(c.at[e]), se = __bfloat162float(s.at[e]);
      first.at[e] = __float2bfloat16(ae * ce - be * se);
      second.at[e] = __float2bfloat16(be * ce + ae * se);
    }
    *reinterpret_cast<Eight*>(out) = first;
    *reinterpret_cast<Eight*>(out + half) = second;
  }
}

unsigned blocks_for(std::int64_t threads) {
  constexpr std::int64_t kMost = 132 * 16;  // then each thread takes several pieces
  return static_cast<unsigned>(threads / 256 + 1 < kMost ? threads / 256 + 1 : kMost);
}

}  // namespace

cudaError_t append_step(const AppendCall& call, cudaStream_t stream) {
  const StepShape& shape = call.shape;
  const LaunchSize size{dim3(static_cast<unsigned>(shape.heads_q + 2 * shape.heads_kv),
                             static_cast<unsigned>(shape.batch)),
                        static_cast<unsigned>(shape.head_dim / 2)};
  if (shape.head_dim == 64) return launch_dependent(append_kernel<64>, size, stream, call);
  return launch_dependent(append_kernel<128>, size, stream, call);
}

cudaError_t norm_step(const NormCall& call, cudaStream_t stream) {
  const LaunchSize size{dim3(static_cast<unsigned>(call.rows)), 32 * kNormWarps};
  return launch_dependent(norm_kernel, size, stream, call);
}

cudaError_t gate_rows(const T* x, T* out, std::int64_t rows, std::int64_t n, cudaStream_t stream) {
  gate_kernel<<<blocks_for(rows * n / 8), 256, 0, stream>>>(x, out, rows, n);
  return cudaGetLastError();
}

cudaError_t rotate_rows(const RotateCall& call, cudaStream_t stream) {
  const std::int64_t threads = call.rows * call.heads * (call.head_dim / 16);
  rotate_kernel<<<blocks_for(threads), 256, 0, stream>>>(call);
  return cudaGetLastError();
}

}  // namespace elastic::engine
