// Scores of query strips against key strips on Hopper (kernels.md 6): a product over the tokens of
// a strip, query tokens last to first, so that each score is the sum along one antidiagonal. Strips
// are views of the tensor memory accelerator, nothing is moved for them. A pair of thread blocks
// computes 256 x 256 strips and loads the keys once for both. What leaves a tile are not scores but
// their largest one a row and, of each block of 128 keys, the sum of exponentials relative to that:
// select_strips() puts the tiles of a row together.

#include <algorithm>
#include <cmath>

#include "engine/cuda/cluster.cuh"
#include "engine/cuda/strip_tiles.cuh"
#include "engine/cuda/tensor_core.cuh"
#include "engine/cuda/wgmma.cuh"

namespace elastic::engine {
namespace strips {
namespace {

constexpr int kThreads = (kGroups + 1) * kGroup;
constexpr int kProducerRegisters = 40, kConsumerRegisters = 232;
constexpr int kStageBytes = (kRows + kKeys) * kBoxColumns * 2;

/// The loading thread of a thread block.
template <typename T>
class Producer {
 public:
  __device__ Producer(const StripCall& call, const Maps& maps, Shared<T>& memory)
      : call_(call), maps_(maps), memory_(memory), rank_(cluster_rank()), keep_(keep_policy()) {}

  __device__ void run() {
    const StripOrder order(call_, memory_.heads);
    for (int i = blockIdx.x / 2; i < order.count(); i += gridDim.x / 2) {
      StripTile tile;
      if (order.tile(i, memory_.order, tile)) load_tile(tile);
    }
    // The other thread block arrives at barriers here until it is done with what it was given.
    for (int i = 0; i < kStages; ++i) {
      memory_.empty[place_.stage].wait(place_.parity ^ 1);
      place_.advance();
    }
  }

 private:
  __device__ void load_tile(const StripTile& tile) {
    const int q_tile = (call_.first_strip + tile.query) / kStripTile;
    const bool q_ends = q_tile == call_.q_tail_tile, k_ends = tile.key / kKeys == call_.k_tail_tile;
    const CUtensorMap &q = q_ends ? maps_.q_tail : maps_.q, &k = k_ends ? maps_.k_tail : maps_.k;
    const int q_strip = rank_ * kRows + (q_ends ? 0 : q_tile * kStripTile);
    const int k_strip = rank_ * kHalf + (k_ends ? 0 : tile.key);
    for (int token = 0; token < call_.stride; ++token) {
      for (int column = 0; column < call_.head_dim; column += kBoxColumns) {
        const int stage = place_.stage;
        Mbarrier& full = memory_.full[stage];
        memory_.empty[stage].wait(place_.parity ^ 1);
        full.arrive_expecting(kStageBytes);
        load_strips(memory_.q[stage], q, {column, call_.stride - 1 - token, q_strip, tile.head},
                    full, keep_);
        load_strips_to_both(memory_.k[stage] + rank_ * kHalf * kBoxColumns, k,
                            {column, token, k_strip, tile.kv_head}, full, keep_);
        place_.advance();
      }
    }
  }

  const StripCall& call_;
  const Maps& maps_;
  Shared<T>& memory_;
  const int rank_;
  const std::uint64_t keep_;
  RingPlace<kStages> place_;
};

/// A warp group that computes 64 query strips of each tile; kSpan * 8 key strips are a block.
template <typename T, int kSpan>
class Consumer {
  static constexpr int kTileBlocks = kKeys / (8 * kSpan);

 public:
  __device__ Consumer(const StripCall& call, Shared<T>& memory, int group)
      : call_(call),
        memory_(memory),
        lane_(threadIdx.x % 32),
        rank_(cluster_rank()),
        row_(rank_ * kRows + group * kGroupRows + threadIdx.x % kGroup / 32 * 16 + lane_ / 4),
        scale_log2_(call.scale / static_cast<float>(call.stride) * kLog2e),
        queries_(matrix_descriptor(memory.q[0] + group * kGroupRows * kBoxColumns, 0)),
        keys_(matrix_descriptor(memory.k[0], 0)) {}

  __device__ void run() {
    const StripOrder order(call_, memory_.heads);
    for (int i = blockIdx.x / 2; i < order.count(); i += gridDim.x / 2) {
      StripTile tile;
      if (!order.tile(i, memory_.order, tile)) continue;
      float s[kKeys / 2];
      score(s);
      if (tile.key + kKeys > order.first_strip() + tile.query) {
        hide(s, order.first_strip() + tile.query + row_ - tile.key);
      }
      store(s, tile);
    }
  }

 private:
  __device__ void score(float (&s)[kKeys / 2]) {
    const int steps = call_.stride * call_.head_dim / kBoxColumns;
    int before = 0;
    for (int step = 0; step < steps; ++step) {
      const int stage = place_.stage;
      memory_.full[stage].wait(place_.parity);
      start_products();
      const std::uint64_t a = behind(queries_, stage * kRows * kBoxColumns * 2);
      const std::uint64_t b = behind(keys_, stage * kKeys * kBoxColumns * 2);
#pragma unroll
      for (int i = 0; i < kBoxColumns / 16; ++i) {
        multiply_shared<T>(s, behind(a, 32 * i), behind(b, 32 * i), step > 0 || i > 0);
      }
      commit_products();
      if (step > 0) {
        wait_for_products<1>();
        release(before);
      }
      before = stage;
      place_.advance();
    }
    wait_for_products<0>();
    pin(s);
    release(before);
  }

  // Both thread blocks write a stage, so both hear that it was read.
  __device__ void release(int stage) {
    if (lane_ < 2) arrive_at(memory_.empty[stage], lane_);
  }

  // Scores of later strips become -inf. `distance`: of this thread's first row to the first key.
  __device__ void hide(float (&s)[kKeys / 2], int distance) const {
#pragma unroll
    for (int i = 0; i < kKeys / 2; ++i) {
      if (i / 4 * 8 + lane_ % 4 * 2 + i % 2 > distance + i / 2 % 2 * 8) s[i] = -INFINITY;
    }
  }

  __device__ void store(float (&s)[kKeys / 2], const StripTile& tile) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float top = s[2 * half];
#pragma unroll
      for (int n = 0; n < kKeys / 8; ++n) {
        top = fmaxf(top, fmaxf(s[4 * n + 2 * half], s[4 * n + 2 * half + 1]));
      }
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
      const float offset = top == -INFINITY ? 0 : top * scale_log2_;
      const std::int64_t row = static_cast<std::int64_t>(tile.head) * kBandTiles * kStripTile +
                               tile.query + row_ + 8 * half;
      const std::int64_t at = row * call_.key_tiles + tile.key / kKeys;
      float* sums = call_.sums + at * kTileBlocks + lane_ % 4;
      float all = 0;
#pragma unroll
      for (int b = 0; b < kTileBlocks; b += 4) {
        float four[4] = {};
#pragma unroll
        for (int n = 0; n < 4 * kSpan; ++n) {
          const float* two = s + 4 * (b * kSpan + n) + 2 * half;
          four[n / kSpan] += power_of_two(two[0] * scale_log2_ - offset) +
                             power_of_two(two[1] * scale_log2_ - offset);
        }
        const float sum = sum_of_quad(four);
        sums[b] = sum;
        all += sum;
      }
      all += __shfl_xor_sync(0xffffffffu, all, 1);
      all += __shfl_xor_sync(0xffffffffu, all, 2);
      if (lane_ % 4 == 0) call_.tops[at] = {top, all};
    }
  }

  // Of four numbers each, lane i of four gets the sum of the i-th.
  __device__ float sum_of_quad(const float (&x)[4]) const {
    const bool odd = lane_ & 1, high = lane_ & 2;
    const float low_pair = (odd ? x[1] : x[0]) + __shfl_xor_sync(0xffffffffu, odd ? x[0] : x[1], 1);
    const float high_pair =
        (odd ? x[3] : x[2]) + __shfl_xor_sync(0xffffffffu, odd ? x[2] : x[3], 1);
    return (high ? high_pair : low_pair) +
           __shfl_xor_sync(0xffffffffu, high ? low_pair : high_pair, 2);
  }

  const StripCall& call_;
  Shared<T>& memory_;
  const int lane_, rank_, row_;  // row_: this thread's first, in the tile
  const float scale_log2_;
  const std::uint64_t queries_, keys_;
  RingPlace<kStages> place_;
};

template <typename T, int kSpan>
__global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(kThreads, 1)
    strip_kernel(const __grid_constant__ StripCall call, const __grid_constant__ Maps maps) {
  extern __shared__ __align__(1024) unsigned char bytes[];
  Shared<T>& memory = *reinterpret_cast<Shared<T>*>(bytes);
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; ++i) {
      memory.full[i].init(1);
      memory.empty[i].init(2 * kGroups * kGroup / 32);  // a lane of each warp of both
    }
    fence_barrier_init();
  }
  list_heads(call, memory.heads, memory.order);
  __syncthreads();
  cluster_sync();  // both thread blocks have their barriers
  const int group = __shfl_sync(0xffffffffu, static_cast<int>(threadIdx.x) / kGroup, 0);
  if (group == kGroups) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;\n" ::"n"(kProducerRegisters));
    if (threadIdx.x % kGroup == 0) Producer<T>(call, maps, memory).run();
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;\n" ::"n"(kConsumerRegisters));
    Consumer<T, kSpan>(call, memory, group).run();
  }
}

// `tokens` rows of each head as whole strips; what is behind the last whole one reads as zeros.
cudaError_t make_map(const StripCall& call, const HeadMatrix<const void*>& matrix,
                     std::int64_t heads, std::int64_t tokens, CUtensorMap& map) {
  const std::int64_t strips = tokens / call.stride, row = 2 * matrix.row_stride;
  const std::int64_t head = heads == 1 ? row : 2 * matrix.head_stride;
  const cuuint64_t extents[] = {static_cast<cuuint64_t>(call.head_dim),
                                static_cast<cuuint64_t>(call.stride),
                                static_cast<cuuint64_t>(strips), static_cast<cuuint64_t>(heads)};
  const cuuint64_t strides[] = {static_cast<cuuint64_t>(row),
                                static_cast<cuuint64_t>(row * call.stride),
                                static_cast<cuuint64_t>(head)};
  const cuuint32_t box[] = {kBoxColumns, 1, kRows, 1};
  static_assert(kRows == kHalf);
  return encode_map(map, matrix.data, call.is_half, extents, strides, box);
}

// Both maps of one operand: of whole strips, and of the tail where there is one.
cudaError_t make_maps(const StripCall& call, const HeadMatrix<const void*>& matrix,
                      const HeadMatrix<const void*>& tail, std::int64_t heads, std::int64_t tokens,
                      CUtensorMap& map, CUtensorMap& tail_map) {
  if (tokens >= call.stride) {
    const cudaError_t error = make_map(call, matrix, heads, tokens, map);
    if (error != cudaSuccess || tail.data == nullptr) return error;
  }
  const std::int64_t strips = (tokens + call.stride - 1) / call.stride;
  const std::int64_t tail_strips = (strips - 1) % kStripTile + 1;
  return make_map(call, tail, heads, tail_strips * call.stride, tail_map);
}

template <typename T, int kSpan>
cudaError_t launch(const StripCall& call, cudaStream_t stream) {
  constexpr int kBytes = sizeof(Shared<T>);
  const auto kernel = strip_kernel<T, kSpan>;
  Maps maps{};
  int device = 0, processors = 0;
  for (const cudaError_t error :
       {make_maps(call, call.q, call.q_tail, call.heads_q, call.rows, maps.q, maps.q_tail),
        make_maps(call, call.k, call.k_tail, call.heads_kv, call.q_start + call.rows, maps.k,
                  maps.k_tail),
        cudaGetDevice(&device),
        cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device),
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes)}) {
    if (error != cudaSuccess) return error;
  }
  const int tiles = (call.strips + kStripTile - 1) / kStripTile * call.heads_q * call.key_tiles;
  kernel<<<2 * std::min(tiles, processors / 2), kThreads, kBytes, stream>>>(call, maps);
  return cudaGetLastError();
}

template <int kSpan>
cudaError_t launch_for(const StripCall& call, cudaStream_t stream) {
  return call.is_half ? launch<__half, kSpan>(call, stream)
                      : launch<__nv_bfloat16, kSpan>(call, stream);
}

}  // namespace
}  // namespace strips

cudaError_t score_strips(const StripCall& call, cudaStream_t stream) {
  if (call.head_dim % kBoxColumns != 0 || call.heads_kv > kMostStripHeads) {
    return cudaErrorInvalidValue;
  }
  if (call.stride == 16) return strips::launch_for<1>(call, stream);
  if (call.stride == 8) return strips::launch_for<2>(call, stream);
  return cudaErrorInvalidValue;
}

}  // namespace elastic::engine
