// Attention of prompt rows on Hopper (kernels.md 4). A tile is one query head and one block of 128
// rows. In a thread block one warp group loads through the tensor memory accelerator; two compute,
// 64 rows each, and take turns: while one has the tensor cores, the other turns scores into
// weights. Within a group the weights of step j are computed while the values of step j - 1 are
// weighed.

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "engine/cuda/hopper_producer.cuh"
#include "engine/cuda/hopper_softmax.cuh"
#include "engine/cuda/prefill_call.h"
#include "engine/cuda/wgmma.cuh"

namespace elastic::engine {
namespace hopper {
namespace {

constexpr int kThreads = (kGroups + 1) * kGroup;
constexpr int kProducerRegisters = 40, kConsumerRegisters = 232;  // 504 in all

/// A warp group that computes 64 rows of each tile. Weights stay in registers, where an assembler
/// before 13.3 may overwrite them while a product reads them; kShared is the form that it cannot
/// harm, to compare with: the same numbers by a longer way.
template <typename T, int D, bool kShared>
class Consumer {
  using Memory = std::conditional_t<kShared, SharedWithWeights<T, D>, Shared<T, D>>;

 public:
  __device__ Consumer(const PrefillCall& call, const Maps& maps, Memory& memory, int group)
      : call_(call),
        maps_(maps),
        memory_(memory),
        group_(group),
        warp_(threadIdx.x % kGroup / 32),
        lane_(threadIdx.x % 32),
        row_(kGroupRows * group + 16 * warp_ + lane_ / 4),
        scale_log2_(call.scale * kLog2e),
        queries_(matrix_descriptor(memory.q[0][group], 0)),
        keys_(matrix_descriptor(memory.k[0], 0)),
        values_(matrix_descriptor(memory.v[0], kKeys * kBoxBytes)) {}

  __device__ void run() {
    if (group_ == 1) barrier_arrive(kTurnBarrier, kGroups * kGroup);  // group 0 begins
    for (;;) {
      memory_.q_full[q_.stage].wait(q_.parity);
      const Tile tile = memory_.tiles[q_.stage];
      if (tile.head < 0) break;
      attend(tile);
      q_.advance();
    }
    if (threadIdx.x % kGroup == 0) wait_for_stores_read();
  }

 private:
  __device__ void attend(const Tile& tile) {
    Outputs<D> o;
    Statistics state{{-INFINITY, -INFINITY}, {0, 0}};
#pragma unroll
    for (float& value : o) value = 0;
    if (tile.has_keys) {
      Scores s;
      Weights p;
      bool more = begin(tile, s, p, state);
      if (tile.token_local > 0) {
        while (more) more = step<true>(tile, s, p, o, state);
      } else {
        while (more) more = step<false>(tile, s, p, o, state);
      }
      finish(p, o);
    } else {
      release_staging();
    }
    store(tile, o, state);
  }

  __device__ void score(Scores& s) {
    const std::uint64_t a = behind(queries_, q_.stage * kRows * D * 2);
    const std::uint64_t b = behind(keys_, k_.stage * kKeys * D * 2);
#pragma unroll
    for (int i = 0; i < D / 16; ++i) {
      multiply_shared<T>(s, columns_of(a, kGroupRows, i), columns_of(b, kKeys, i), i > 0);
    }
    commit_products();
  }

  __device__ void weigh(Outputs<D>& o, const Weights& p) {
    const std::uint64_t b = behind(values_, v_.stage * kKeys * D * 2);
#pragma unroll
    for (int i = 0; i < kKeys / 16; ++i) {
      if constexpr (kShared) {
        const std::uint64_t a = matrix_descriptor(memory_.weights[group_], 0);
        multiply_shared<T, true>(o, columns_of(a, kGroupRows, i), behind(b, i * 16 * kBoxBytes),
                                 true);
      } else {
        multiply_registers<T>(o, p[i], behind(b, i * 16 * kBoxBytes));
      }
    }
    commit_products();
  }

  // Scores to the weights that weigh() reads.
  __device__ void keep_weights(Weights& p, const Scores& s) {
    round_weights<T>(p, s);
    if constexpr (kShared) {
      barrier_sync(kStoreBarrier + group_, kGroup);  // the products before have read theirs
#pragma unroll
      for (int i = 0; i < kKeys / 16; ++i) place(memory_.weights[group_], i, p[i]);
      fence_async_copies();
      barrier_sync(kStoreBarrier + group_, kGroup);
    }
  }

  // Columns 16 i to 16 i + 15 of the group's 64 rows, as products leave them, into boxes.
  __device__ void place(T* boxes, int i, const std::uint32_t (&columns)[4]) const {
    const int row = 16 * warp_ + lane_ % 16;  // that this lane names to stmatrix
    const int piece = (i % 4 * 2 + lane_ / 16) ^ (row & 7);
    store_matrices(boxes + (i / 4 * kGroupRows + row) * kBoxColumns + 8 * piece, columns);
  }

  // A warp's own wait covers its own reads of a stage, so each warp gives it back.
  __device__ void release(Mbarrier& empty) {
    if (lane_ == 0) empty.arrive();
  }

  // The output of the tile before has left its place; late, so that nobody has to wait for it.
  __device__ void release_staging() {
    if (staged_ < 0) return;
    if (threadIdx.x % kGroup == 0) {
      wait_for_stores_read();
      memory_.q_empty[staged_].arrive();
    }
  }

  template <bool kTokens>
  __device__ void mask(Scores& s, const Tile& tile, int block) const {
    hide<kTokens>(s, tile, call_.q_start + tile.row + row_,
                  (block < 0 ? ~block : block) * kKeys + lane_ % 4 * 2);
  }

  // The first step, which has the diagonal. Returns whether there are more.
  __device__ bool begin(const Tile& tile, Scores& s, Weights& p, Statistics& state) {
    memory_.k_full[k_.stage].wait(k_.parity);
    const int block = memory_.steps[k_.stage];
    start_products();
    score(s);
    release_staging();
    wait_for_products<0>();
    pin(s);
    release(memory_.k_empty[k_.stage]);
    k_.advance();
    if (tile.token_local > 0) {
      mask<true>(s, tile, block);
    } else {
      mask<false>(s, tile, block);
    }
    float fade[2];
    soften<true>(s, state, fade, scale_log2_);
    keep_weights(p, s);
    return block >= 0;
  }

  template <bool kTokens>
  __device__ bool step(const Tile& tile, Scores& s, Weights& p, Outputs<D>& o, Statistics& state) {
    memory_.k_full[k_.stage].wait(k_.parity);
    const int block = memory_.steps[k_.stage];
    barrier_sync(kTurnBarrier + group_, kGroups * kGroup);
    start_products();
    score(s);
    memory_.v_full[v_.stage].wait(v_.parity);
    start_products();
    weigh(o, p);
    barrier_arrive(kTurnBarrier + 1 - group_, kGroups * kGroup);
    Mbarrier &k_empty = memory_.k_empty[k_.stage], &v_empty = memory_.v_empty[v_.stage];
    k_.advance();
    v_.advance();
    wait_for_products<1>();
    pin(s);
    release(k_empty);
    if constexpr (kTokens) mask<true>(s, tile, block);
    float fade[2];
    soften<kTokens>(s, state, fade, scale_log2_);
    // Sums are never negative. Without a branch that needs them the assembler moves the wait up,
    // before the exponentials, which the products of the values are to hide.
    if (state.sum[0] + state.sum[1] < 0) __trap();
    wait_for_products<0>();
    pin(p);
    pin(o);
    release(v_empty);
    keep_weights(p, s);
    shrink<D>(o, fade);
    return block >= 0;
  }

  __device__ void finish(Weights& p, Outputs<D>& o) {
    memory_.v_full[v_.stage].wait(v_.parity);
    start_products();
    weigh(o, p);
    wait_for_products<0>();
    pin(p);
    pin(o);
    release(memory_.v_empty[v_.stage]);
    v_.advance();
  }

  // Outputs over their sums go where the group's queries were, from there to global memory.
  __device__ void store(const Tile& tile, Outputs<D>& o, const Statistics& state) {
    float inverse[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float sum = state.sum[half];
      sum += __shfl_xor_sync(0xffffffffu, sum, 1);
      sum += __shfl_xor_sync(0xffffffffu, sum, 2);
      inverse[half] = sum > 0 ? 1 / sum : 0;
      const int row = tile.row + row_ + 8 * half;
      if (call_.lse != nullptr && lane_ % 4 == 0 && row >= 0 && row < call_.rows) {
        call_.lse[static_cast<std::int64_t>(tile.head) * call_.rows + row] =
            sum > 0 ? state.maximum[half] * call_.scale + kLn2 * log2f(sum) : -INFINITY;
      }
    }
    T* staging = memory_.q[q_.stage][group_];
#pragma unroll
    for (int i = 0; i < D / 16; ++i) {
      std::uint32_t two[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        two[j] = pack<T>(o[8 * i + 2 * j] * inverse[j % 2], o[8 * i + 2 * j + 1] * inverse[j % 2]);
      }
      place(staging, i, two);
    }
    fence_async_copies();
    barrier_sync(kStoreBarrier + group_, kGroup);
    if (tile.row < 0) {  // a store's coordinates must not be negative
      store_rows(tile, staging);
    } else if (threadIdx.x % kGroup == 0) {
      for (int box = 0; box < Memory::kBoxes; ++box) {
        store_box(staging + box * kGroupRows * kBoxColumns, maps_.out,
                  {box * kBoxColumns, tile.row + kGroupRows * group_, tile.head});
      }
      commit_stores();
    }
    staged_ = q_.stage;
  }

  // Those of the staged rows that the call has.
  __device__ void store_rows(const Tile& tile, const T* staging) {
    T* out = static_cast<T*>(call_.out.data) + tile.head * call_.out.head_stride;
    for (int i = threadIdx.x % kGroup; i < kGroupRows * (D / 8); i += kGroup) {
      const int row = i / (D / 8), piece = i % (D / 8), to = tile.row + kGroupRows * group_ + row;
      if (to < 0 || to >= call_.rows) continue;
      const int from = (piece / 8 * kGroupRows + row) * kBoxColumns + 8 * (piece % 8 ^ (row & 7));
      *reinterpret_cast<uint4*>(out + to * call_.out.row_stride + 8 * piece) =
          *reinterpret_cast<const uint4*>(staging + from);
    }
    fence_async_copies();  // of the next queries to here
    barrier_sync(kStoreBarrier + group_, kGroup);
  }

  const PrefillCall& call_;
  const Maps& maps_;
  Memory& memory_;
  const int group_, warp_, lane_, row_;  // row_: this thread's first, in the tile
  const float scale_log2_;
  const std::uint64_t queries_, keys_, values_;
  int staged_ = -1;  // stage that still holds output
  RingPlace<Memory::kTiles> q_;
  RingPlace<Memory::kStages> k_, v_;
};

template <typename T, int D, bool kShared>
__global__ void __launch_bounds__(kThreads, 1)
    prefill_kernel(const __grid_constant__ PrefillCall call, const __grid_constant__ Maps maps) {
  extern __shared__ __align__(1024) unsigned char bytes[];
  using Memory = std::conditional_t<kShared, SharedWithWeights<T, D>, Shared<T, D>>;
  Memory& memory = *reinterpret_cast<Memory*>(bytes);
  if (threadIdx.x == 0) {
    for (int i = 0; i < Memory::kTiles; ++i) {
      memory.q_full[i].init(1);
      memory.q_empty[i].init(kGroups);
    }
    for (int i = 0; i < Memory::kStages; ++i) {
      memory.k_full[i].init(1);
      memory.v_full[i].init(1);
      memory.k_empty[i].init(kGroups * kGroup / 32);
      memory.v_empty[i].init(kGroups * kGroup / 32);
    }
    fence_barrier_init();
  }
  order_heads(call, memory.heads, memory.order);
  __syncthreads();
  // Uniform in a warp, and known to be.
  const int group = __shfl_sync(0xffffffffu, static_cast<int>(threadIdx.x) / kGroup, 0);
  if (group == kGroups) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;\n" ::"n"(kProducerRegisters));
    if (threadIdx.x % kGroup == 0) Producer<T, D>(call, maps, memory).run();
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;\n" ::"n"(kConsumerRegisters));
    Consumer<T, D, kShared>(call, maps, memory, group).run();
  }
}

template <int D>
cudaError_t make_maps(const PrefillCall& call, Maps& maps) {
  const auto boxed = [&](const auto& matrix, std::int64_t heads, std::int64_t rows, int box_rows) {
    return BoxedMatrix{.data = matrix.data,
                       .head_stride = matrix.head_stride,
                       .row_stride = matrix.row_stride,
                       .heads = heads,
                       .rows = rows,
                       .head_dim = D,
                       .box_rows = box_rows,
                       .is_half = call.is_half};
  };
  const std::int64_t keys = call.q_start + call.rows;
  for (const cudaError_t error :
       {make_tensor_map(boxed(call.q, call.heads_q, call.rows, kGroupRows), maps.q),
        make_tensor_map(boxed(call.k, call.heads_kv, keys, kKeys), maps.k),
        make_tensor_map(boxed(call.v, call.heads_kv, keys, kKeys), maps.v),
        make_tensor_map(boxed(call.out, call.heads_q, call.rows, kGroupRows), maps.out)}) {
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

template <typename T, int D>
cudaError_t launch(const PrefillCall& call, cudaStream_t stream) {
  const bool shared = call.weights_in_shared;
  const int bytes = shared ? sizeof(SharedWithWeights<T, D>) : sizeof(Shared<T, D>);
  const auto kernel = shared ? prefill_kernel<T, D, true> : prefill_kernel<T, D, false>;
  Maps maps;
  int device = 0, processors = 0;
  for (const cudaError_t error :
       {make_maps<D>(call, maps), cudaGetDevice(&device),
        cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device),
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes)}) {
    if (error != cudaSuccess) return error;
  }
  const int blocks = (call.q_start + call.rows - 1) / kRows - call.q_start / kRows + 1;
  const int tiles = blocks * call.heads_q;
  const int grid = call.tickets == nullptr ? tiles : std::min(tiles, processors);
  kernel<<<grid, kThreads, bytes, stream>>>(call, maps);
  return cudaGetLastError();
}

}  // namespace
}  // namespace hopper

cudaError_t prefill_hopper(const PrefillCall& call, cudaStream_t stream) {
  if (call.rows == 0 || call.heads_kv == 0) return cudaSuccess;
  if (call.heads_kv > hopper::kMaxHeads) return cudaErrorInvalidValue;
  if (call.head_dim == 64) {
    return call.is_half ? hopper::launch<__half, 64>(call, stream)
                        : hopper::launch<__nv_bfloat16, 64>(call, stream);
  }
  if (call.head_dim == 128) {
    return call.is_half ? hopper::launch<__half, 128>(call, stream)
                        : hopper::launch<__nv_bfloat16, 128>(call, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace elastic::engine
