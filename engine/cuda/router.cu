// The router of a layer in one launch. All of it is latency: five products that wait for each
// other, each of a few numbers by half a megabyte of weights in all. On Hopper the eight thread
// blocks of a cluster share the weights, each block a slice of every map's outputs for eight KV
// heads at once, and write what they computed into the shared memory of all. Elsewhere a thread
// block takes one head through everything. Each warp asks for the weights of its next product
// before it waits for the input of that product. A product is mma.sync with weights as rows and
// heads as columns.

#include <algorithm>

#include "engine/cuda/cluster.cuh"
#include "engine/cuda/router_call.h"
#include "engine/cuda/router_unit.cuh"
#include "engine/cuda/tensor_core.cuh"

namespace elastic::engine {
namespace {

using T = RouterNumber;

constexpr int kPad = 32;  // between heads, against bank conflicts

__device__ float silu(float x) { return rounded(x / (1 + expf(-x))); }

/// Who computes: thread blocks that share the outputs of a map, KV heads that they take along.
template <int kSlices_, int kHeads_>
struct Team {
  static constexpr int kSlices = kSlices_, kHeads = kHeads_;
  static constexpr int kThreads = kSlices == 1 ? 512 : 256;

  static __device__ int rank() {
    if constexpr (kSlices == 1) return 0;
    return cluster_rank();
  }

  static __device__ void arrive() {
    if constexpr (kSlices > 1) cluster_arrive();
  }

  static __device__ void wait() {
    if constexpr (kSlices > 1) {
      cluster_wait();
    } else {
      __syncthreads();
    }
  }

  // Two numbers to the same place in every thread block.
  static __device__ void write(T* to, std::uint32_t two) {
    if constexpr (kSlices == 1) {
      *reinterpret_cast<std::uint32_t*>(to) = two;
    } else {
#pragma unroll
      for (int i = 0; i < kSlices; ++i) write_at(shared_address(to), i, two);
    }
  }
};

using Cluster = Team<8, 8>;
using Alone = Team<1, 1>;

/// Numbers of one thread block in shared memory.
template <int D, typename Team>
struct Shared {
  const int wide;
  T* inputs;     // [2][heads][wide + kPad]: of the product in hand, and of the next
  float* sums;   // [units][kUnitRows][heads]
  T* constants;  // biases of the first four maps, then the last map

  __device__ Shared(const RouterCall& call, unsigned char* memory) : wide(call.wide) {
    inputs = reinterpret_cast<T*>(memory);
    sums = reinterpret_cast<float*>(inputs + 2 * stage());
    constants = reinterpret_cast<T*>(sums + units(call) * kUnitRows * Team::kHeads);
  }

  // Most that a block has of a map: of one with D outputs as of one with D inputs.
  static __host__ __device__ int units(const RouterCall& call) {
    return (D / kUnitRows + Team::kSlices - 1) / Team::kSlices * (call.wide / D);
  }
  static __host__ std::size_t bytes(const RouterCall& call) {
    const int inputs = 2 * Team::kHeads * (call.wide + kPad);
    const int constants = 2 * (call.wide + D) + call.outputs * D;
    return (inputs + constants) * sizeof(T) +
           units(call) * kUnitRows * Team::kHeads * sizeof(float);
  }

  __device__ int stage() const { return Team::kHeads * (wide + kPad); }
  __device__ T* input(int product, int head) const {
    return inputs + product % 2 * stage() + head * (wide + kPad);
  }
  __device__ T* bias(int map) const { return constants + map / 2 * (wide + D) + map % 2 * wide; }
  __device__ T* last() const { return constants + 2 * (wide + D); }
};

template <typename Team>
__device__ void copy_numbers(T* to, const T* from, int count) {
  for (int i = 8 * threadIdx.x; i < count; i += 8 * Team::kThreads) {
    copy_async(to + i, from + i, true);
  }
}

// What every product needs beside its weights; asynchronous.
template <int D, typename Team>
__device__ void copy_constants(const RouterCall& call, const Shared<D, Team>& shared) {
  for (int map = 0; map < 4; ++map) {
    copy_numbers<Team>(shared.bias(map), call.maps[map].bias, map % 2 == 0 ? call.wide : D);
  }
  copy_numbers<Team>(shared.last(), call.maps[4].weight, call.outputs * D);
}

// Weights of the later products on their way into L2; each thread block asks for its share.
template <typename Team>
__device__ void prefetch(const RouterCall& call) {
  constexpr int kLine = 128 / sizeof(T);
  const int lines = call.wide * call.head_dim / kLine;
  for (int map = 1; map < 4; ++map) {
    for (int i = blockIdx.x * Team::kThreads + threadIdx.x; i < lines;
         i += gridDim.x * Team::kThreads) {
      asm volatile("prefetch.global.L2 [%0];\n" ::"l"(call.maps[map].weight + i * kLine));
    }
  }
}

// The keys of a head at a place of the two windows.
__device__ const T* keys_of(const RouterCall& call, int place, int head) {
  const std::int64_t row = place < call.window ? place : call.tokens - 2 * call.window + place;
  const T* keys = nullptr;
#pragma unroll
  for (const RouterChunk& chunk : call.chunks) {
    if (row >= chunk.first) {
      keys = chunk.keys + (row - chunk.first) * chunk.row_stride + head * chunk.head_stride;
    }
  }
  return keys;
}

// The mean of a head's keys over both windows to the first product's input and to `pooled`.
template <int D, typename Team>
__device__ void pool(const RouterCall& call, int head, T* x) {
  constexpr int kPieces = D / 8, kGroups = Team::kThreads / kPieces;
  constexpr int kWarps = Team::kThreads / 32, kAtOnce = 200 / kGroups + 1;
  __shared__ float rows[kWarps][D + 1];
  const int piece = threadIdx.x % kPieces, lane = threadIdx.x % 32;
  const int places = head < call.heads_kv ? 2 * call.window : 0;
  float sums[8] = {};
  for (int first = threadIdx.x / kPieces; first < places; first += kAtOnce * kGroups) {
    uint4 eights[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const int place = first + i * kGroups;
      eights[i] = {0, 0, 0, 0};
      if (place < places) {
        eights[i] = *reinterpret_cast<const uint4*>(keys_of(call, place, head) + 8 * piece);
      }
    }
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const T* each = reinterpret_cast<const T*>(&eights[i]);
#pragma unroll
      for (int e = 0; e < 8; ++e) sums[e] += __bfloat162float(each[e]);
    }
  }
#pragma unroll
  for (int e = 0; e < 8; ++e) {
    for (int step = kPieces; step < 32; step *= 2) {
      sums[e] += __shfl_xor_sync(0xffffffffu, sums[e], step);
    }
    if (lane < kPieces) rows[threadIdx.x / 32][8 * piece + e] = sums[e];
  }
  __syncthreads();
  Team::wait();  // all blocks are there to be written to
  if (threadIdx.x >= D / 2) return;
  const int column = 2 * threadIdx.x;
  float sum[2] = {};
#pragma unroll
  for (int i = 0; i < kWarps; ++i) sum[0] += rows[i][column], sum[1] += rows[i][column + 1];
  const auto weight = static_cast<float>(2 * call.window);
  const std::uint32_t two = pack<T>(sum[0] / weight, sum[1] / weight);
  Team::write(x + column, two);
  if (head < call.heads_kv)
    *reinterpret_cast<std::uint32_t*>(call.pooled + head * D + column) = two;
}

// The products d -> wide -> d -> wide -> d, rounded as bf16 linear maps are. A map has tiles of 16
// outputs, dealt out to the thread blocks, and parts of D inputs.
template <int D, typename Team>
class Products {
  static constexpr int kHeads = Team::kHeads, kSlices = Team::kSlices, kWarps = Team::kThreads / 32;

 public:
  __device__ Products(const RouterCall& call, const Shared<D, Team>& shared)
      : call_(call), shared_(shared), rank_(Team::rank()) {
    if (warp_ < units(0)) load(0, warp_);
  }

  __device__ void run() {
    for (int map = 0; map < 4; ++map) {
      const int all = units(map);
      for (int index = warp_; index < all; index += kWarps) {
        unit_.template multiply<kHeads>(shared_.input(map, 0) + index % parts(map) * D,
                                        call_.wide + kPad,
                                        shared_.sums + index * kUnitRows * kHeads);
        if (index + kWarps < all) load(map, index + kWarps);
      }
      if (map < 3 && warp_ < units(map + 1)) load(map + 1, warp_);
      __syncthreads();
      finish(map);
      Team::arrive();
      Team::wait();
    }
  }

 private:
  __device__ int parts(int map) const { return map % 2 == 0 ? 1 : call_.wide / D; }
  __device__ int tiles(int map) const {  // of this thread block
    const int all = (map % 2 == 0 ? call_.wide : D) / kUnitRows;
    return (all - rank_ + kSlices - 1) / kSlices;
  }
  __device__ int units(int map) const { return tiles(map) * parts(map); }
  __device__ int first_output(int tile) const { return (rank_ + tile * kSlices) * kUnitRows; }

  __device__ void load(int map, int index) {
    unit_.load(call_.maps[map].weight, parts(map) * D, first_output(index / parts(map)),
               index % parts(map) * D);
  }

  // Two neighbouring outputs of a head a thread.
  __device__ void finish(int map) {
    const T* bias = shared_.bias(map);
    for (int i = threadIdx.x; i < tiles(map) * (kUnitRows / 2) * kHeads; i += Team::kThreads) {
      const int head = i % kHeads, row = i / kHeads % (kUnitRows / 2) * 2;
      const int tile = i / kHeads / (kUnitRows / 2), output = first_output(tile) + row;
      float y[2] = {};
      for (int part = 0; part < parts(map); ++part) {
        const float* sum =
            shared_.sums + ((tile * parts(map) + part) * kUnitRows + row) * kHeads + head;
        y[0] += sum[0], y[1] += sum[kHeads];
      }
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        y[e] = rounded(y[e] + __bfloat162float(bias[output + e]));
        if (map != 1) y[e] = silu(y[e]);  // none between the two MLPs
      }
      Team::write(shared_.input(map + 1, head) + output, pack<T>(y[0], y[1]));
    }
  }

  const RouterCall& call_;
  const Shared<D, Team>& shared_;
  const int rank_, warp_ = threadIdx.x / 32;
  Unit<D> unit_;
};

// The last map and the decision of one head, by a warp; equal logits are sparse.
template <int D>
__device__ void decide(const RouterCall& call, int head, const T* x, const T* last) {
  float sparse = 0, full = 0;  // of one output the logit is that of full attention
  for (int output = 0; output < call.outputs; ++output) {
    float sum = 0;
#pragma unroll
    for (int i = 0; i < D / 32; ++i) {
      const int column = static_cast<int>(threadIdx.x) % 32 + 32 * i;
      sum += __bfloat162float(x[column]) * __bfloat162float(last[output * D + column]);
    }
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
    const float logit = rounded(sum + __bfloat162float(call.maps[4].bias[output]));
    if (output + 1 < call.outputs) {
      sparse = logit;
    } else {
      full = logit;
    }
  }
  if (threadIdx.x % 32 != 0) return;
  call.logits[2 * head] = sparse;
  call.logits[2 * head + 1] = full;
  call.is_sparse[head] = full > sparse ? 0 : 1;
}

template <int D, typename Team>
__device__ void route(const RouterCall& call) {
  extern __shared__ __align__(16) unsigned char memory[];
  const Shared<D, Team> shared(call, memory);
  static_assert(Team::kHeads == Team::kSlices);
  const int rank = Team::rank(), first = blockIdx.x / Team::kSlices * Team::kHeads;
  Team::arrive();
  copy_constants<D, Team>(call, shared);
  Products<D, Team> products(call, shared);
  prefetch<Team>(call);
  pool<D, Team>(call, first + rank, shared.input(0, rank));
  wait_for_copies();
  Team::arrive();
  Team::wait();
  products.run();
  if (threadIdx.x < 32 && first + rank < call.heads_kv) {
    decide<D>(call, first + rank, shared.input(4, rank), shared.last());
  }
}

template <int D>
__global__ void __launch_bounds__(Alone::kThreads, 1)
    router_kernel(const __grid_constant__ RouterCall call) {
  route<D, Alone>(call);
}

template <int D>
__global__ void __launch_bounds__(Cluster::kThreads, 1)
    cluster_router_kernel(const __grid_constant__ RouterCall call) {
#if __CUDA_ARCH__ >= 900
  route<D, Cluster>(call);
#endif
}

bool has_clusters() {
  static const bool has = [] {
    int device = 0, major = 0;
    return cudaGetDevice(&device) == cudaSuccess &&
           cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) ==
               cudaSuccess &&
           major >= 9;
  }();
  return has;
}

template <int D>
cudaError_t launch(const RouterCall& call, cudaStream_t stream) {
  constexpr std::size_t kMostBytes = 43 << 10;  // beside what pooling needs
  cudaLaunchConfig_t config{.gridDim = dim3(call.heads_kv),
                            .blockDim = dim3(Alone::kThreads),
                            .dynamicSmemBytes = Shared<D, Alone>::bytes(call),
                            .stream = stream,
                            .attrs = nullptr,
                            .numAttrs = 0};
  const std::size_t bytes = Shared<D, Cluster>::bytes(call);
  if (!has_clusters() || bytes > kMostBytes) {
    return cudaLaunchKernelEx(&config, router_kernel<D>, call);
  }
  cudaLaunchAttribute cluster{.id = cudaLaunchAttributeClusterDimension};
  cluster.val.clusterDim = {Cluster::kSlices, 1, 1};
  const int clusters = (call.heads_kv + Cluster::kHeads - 1) / Cluster::kHeads;
  config.gridDim = dim3(clusters * Cluster::kSlices);
  config.blockDim = dim3(Cluster::kThreads);
  config.dynamicSmemBytes = bytes;
  config.attrs = &cluster;
  config.numAttrs = 1;
  return cudaLaunchKernelEx(&config, cluster_router_kernel<D>, call);
}

}  // namespace

cudaError_t route_heads(const RouterCall& call, cudaStream_t stream) {
  if (call.head_dim == 64) return launch<64>(call, stream);
  if (call.head_dim == 128) return launch<128>(call, stream);
  return cudaErrorInvalidValue;
}

}  // namespace elastic::engine
