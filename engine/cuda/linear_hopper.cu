// Products of a decode step on Hopper: x of a few rows with a large weight, read once at the speed
// of memory. A thread block makes 64 outputs of every row: one thread loads weights and rows
// through the tensor memory accelerator, many steps ahead; a warp group multiplies. Where there are
// few outputs, the two thread blocks of a pair take half of the inner dimension each. The order of
// the sums depends on the weight's shape alone, so that a row's result is the same in any batch.

#include <algorithm>

#include "engine/cuda/cluster.cuh"
#include "engine/cuda/dependent_launch.cuh"
#include "engine/cuda/linear_end.cuh"
#include "engine/cuda/step_call.h"
#include "engine/cuda/tma.cuh"
#include "engine/cuda/wgmma.cuh"

namespace elastic::engine {
namespace linear {
namespace {

using T = __nv_bfloat16;

constexpr int kOutputs = 64, kHalf = kOutputs / 2;  // of a thread block, of a box of its weight
constexpr int kParts = 2, kInner = kParts * kBoxColumns;  // boxes of a step side by side, columns
constexpr int kGroup = 128, kWarps = kGroup / 32;         // threads that multiply
constexpr int kThreads = kGroup + 32;
// Tried out on an H200: no pairs, boxes of 64 x 64, three and four thread blocks a multiprocessor.
constexpr int kFewTiles = 128;       // of outputs: up to here two thread blocks share one
constexpr int kMemory = 112 * 1024;  // of a thread block, two of which fit a multiprocessor

struct Maps {
  CUtensorMap weight, x;
};

template <int kRows>
struct Shared {
  static constexpr int kSums = kRows * kOutputs * 4;  // bytes
  static constexpr int kStages = (kMemory - kSums) / ((kOutputs + kRows) * kInner * 2);

  T weight[kStages][kOutputs * kInner];  // when all is multiplied, the sums: [kRows][kOutputs]
  T x[kStages][kRows * kInner];
  float others[kRows * kOutputs];  // sums of the pair's second thread block
  Mbarrier full[kStages], empty[kStages];
};

/// The steps of a thread block.
struct Steps {
  int first, count;

  __device__ Steps(const LinearCall& call, int rank, int blocks) {
    const int steps = (call.in + kInner - 1) / kInner;
    first = steps * rank / blocks;
    count = steps * (rank + 1) / blocks - first;
  }
};

template <int kRows>
__device__ void load_weight(const LinearCall& call, const Maps& maps, Shared<kRows>& memory,
                            int tile, int stage, int step, std::uint64_t policy) {
  memory.full[stage].arrive_expecting((kOutputs + kRows) * kInner * 2);
  for (int part = 0; part < kParts; ++part) {
    T* to = memory.weight[stage] + part * kOutputs * kBoxColumns;
    const int column = step * kInner + part * kBoxColumns;
    if (call.end == LinearEnd::kGate) {
      load_box(to, maps.weight, {column, tile * kHalf, 0}, memory.full[stage], policy);
      load_box(to + kHalf * kBoxColumns, maps.weight, {column, tile * kHalf, 1}, memory.full[stage],
               policy);
    } else {
      load_box(to, maps.weight, {column, tile * kOutputs, 0}, memory.full[stage], policy);
    }
  }
}

// One thread. Weights are no kernel's output: the first are on their way before x is there.
template <int kRows>
__device__ void load_all(const LinearCall& call, const Maps& maps, Shared<kRows>& memory, int tile,
                         const Steps& steps) {
  constexpr int kStages = Shared<kRows>::kStages;
  const std::uint64_t once = drop_policy(), often = keep_policy();
  const auto load_x = [&](int stage, int step) {
    for (int part = 0; part < kParts; ++part) {
      load_box(memory.x[stage] + part * kRows * kBoxColumns, maps.x,
               {step * kInner + part * kBoxColumns, 0, 0}, memory.full[stage], often);
    }
  };
  const int ahead = min(kStages, steps.count);
  for (int i = 0; i < ahead; ++i) {
    load_weight(call, maps, memory, tile, i, steps.first + i, once);
  }
  wait_for_inputs();
  for (int i = 0; i < ahead; ++i) load_x(i, steps.first + i);
  RingPlace<kStages> place;
  for (int i = ahead; i < steps.count; ++i) {
    memory.empty[place.stage].wait(place.parity);
    load_weight(call, maps, memory, tile, place.stage, steps.first + i, once);
    load_x(place.stage, steps.first + i);
    place.advance();
  }
}

// A warp group: of thread t the sums of outputs 16 (t / 32) + t % 32 / 4 and 8 further, rows
// 8 j + 2 (t % 4) and the next.
template <int kRows>
__device__ void multiply_all(Shared<kRows>& memory, float (&sums)[kRows / 2], int count) {
  RingPlace<Shared<kRows>::kStages> place;
  for (int i = 0; i < count; ++i) {
    memory.full[place.stage].wait(place.parity);
    const std::uint64_t a = matrix_descriptor(memory.weight[place.stage], 0),
                        b = matrix_descriptor(memory.x[place.stage], 0);
    start_products();
#pragma unroll
    for (int part = 0; part < kInner / 16; ++part) {
      multiply_shared<T>(sums, columns_of(a, kOutputs, part), columns_of(b, kRows, part),
                         i > 0 || part > 0);
    }
    commit_products();
    wait_for_products<0>();
    pin(sums);
    if (threadIdx.x % 32 == 0) memory.empty[place.stage].arrive();
    place.advance();
  }
}

template <int kRows>
__global__ void __launch_bounds__(kThreads, 2)
    linear_kernel(const __grid_constant__ LinearCall call, const __grid_constant__ Maps maps,
                  int blocks) {
  extern __shared__ __align__(1024) unsigned char bytes[];
  auto& memory = *reinterpret_cast<Shared<kRows>*>(bytes);
  const int rank = static_cast<int>(blockIdx.x) % blocks,
            tile = static_cast<int>(blockIdx.x) / blocks;
  if (threadIdx.x == 0) {
    for (int i = 0; i < Shared<kRows>::kStages; ++i) {
      memory.full[i].init(1);
      memory.empty[i].init(kWarps);
    }
    fence_barrier_init();
  }
  if (blocks > 1) cluster_arrive();
  let_next_begin();
  __syncthreads();
  const Steps steps(call, rank, blocks);
  const bool multiplies = __shfl_sync(0xffffffffu, threadIdx.x / kGroup, 0) == 0;
  float sums[kRows / 2] = {};
  if (multiplies) {
    multiply_all(memory, sums, steps.count);
  } else if (threadIdx.x == kGroup) {
    load_all(call, maps, memory, tile, steps);
  }
  wait_for_inputs();
  __syncthreads();
  if (blocks > 1) cluster_wait();  // the other one has begun
  auto* own = reinterpret_cast<float*>(memory.weight);
  if (multiplies) {
    const int lane = threadIdx.x % 32, output = threadIdx.x / 32 * 16 + lane / 4;
#pragma unroll
    for (int i = 0; i < kRows / 2; ++i) {
      const int at = (i / 4 * 8 + lane % 4 * 2 + i % 2) * kOutputs + output + i / 2 % 2 * 8;
      if (rank == 0) {
        own[at] = sums[i];
      } else {
        write_at(shared_address(memory.others + at), 0, __float_as_uint(sums[i]));
      }
    }
  }
  if (blocks > 1) {
    cluster_sync();
  } else {
    __syncthreads();
  }
  if (rank > 0) return;
  const auto sum = [&](int row, int output) {
    const int at = row * kOutputs + output;
    return blocks > 1 ? own[at] + memory.others[at] : own[at];
  };
  end_linear<kThreads>(call, tile, call.end == LinearEnd::kGate ? kHalf : kOutputs, sum,
                       [&](int row, int output) { return sum(row, output + kHalf); });
}

cudaError_t make_maps(const LinearCall& call, int box_rows, Maps& maps) {
  const bool gate = call.end == LinearEnd::kGate;
  BoxedMatrix weight{.data = call.weight,
                     .head_stride = static_cast<std::int64_t>(call.out) * call.in,
                     .row_stride = call.in,
                     .heads = gate ? 2 : 1,
                     .rows = call.out,
                     .head_dim = call.in,
                     .box_rows = gate ? kHalf : kOutputs};
  const cudaError_t error = make_tensor_map(weight, maps.weight);
  if (error != cudaSuccess) return error;
  BoxedMatrix x = weight;
  x.data = call.x;
  x.heads = 1;
  x.rows = call.rows;
  x.box_rows = box_rows;
  return make_tensor_map(x, maps.x);
}

template <int kRows>
cudaError_t launch(const LinearCall& call, cudaStream_t stream) {
  constexpr int kBytes = sizeof(Shared<kRows>);
  const auto kernel = linear_kernel<kRows>;
  Maps maps;
  for (const cudaError_t error :
       {make_maps(call, kRows, maps),
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes)}) {
    if (error != cudaSuccess) return error;
  }
  const int outputs = call.end == LinearEnd::kGate ? kHalf : kOutputs,
            tiles = (call.out + outputs - 1) / outputs, blocks = tiles <= kFewTiles ? 2 : 1;
  return launch_dependent(kernel,
                          {dim3(static_cast<unsigned>(tiles * blocks)), kThreads, kBytes,
                           static_cast<unsigned>(blocks)},
                          stream, call, maps, blocks);
}

}  // namespace
}  // namespace linear

cudaError_t linear_hopper(const LinearCall& call, cudaStream_t stream) {
  if (call.rows < 1 || call.rows > kStepRows || call.in % kStepInner != 0) {
    return cudaErrorInvalidValue;
  }
  if (call.rows <= 8) return linear::launch<8>(call, stream);
  if (call.rows <= 16) return linear::launch<16>(call, stream);
  if (call.rows <= 32) return linear::launch<32>(call, stream);
  return linear::launch<64>(call, stream);
}

}  // namespace elastic::engine
