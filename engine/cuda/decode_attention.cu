// Attention of one new row of each sequence: a thread block owns a stretch of one KV head's keys
// and all query heads of its group, which are the rows of one tensor-core tile (kernels.md 8). Each
// of its four warps keeps a softmax of its own over 16 of every 64 keys; partial results meet in
// shared memory, those of the stretches in a second kernel. Of a head that chooses pages the
// stretches are of the pages that its group reads, and each query head sees its own.

#include <algorithm>
#include <cmath>

#include "engine/cuda/decode_rows.cuh"
#include "engine/cuda/dependent_launch.cuh"
#include "engine/cuda/step_call.h"
#include "engine/cuda/tensor_core.cuh"

namespace elastic::engine {
namespace {

using T = __nv_bfloat16;

constexpr int kWarps = kTile / 16, kThreads = 32 * kWarps;
constexpr int kStages = 3;

template <int D, typename Rows>
__device__ void load_tile(T* shared, const T* cache, const Rows& rows, int first) {
  constexpr int kPieces = D / 8;
#pragma unroll
  for (int i = threadIdx.x; i < kTile * kPieces; i += kThreads) {
    const int row = i / kPieces, piece = i % kPieces;
    const bool inside = first + row < rows.end;
    copy_async(shared + piece_at<D>(row, piece),
               cache + rows.row_of(inside ? first + row : first) + 8 * piece, inside);
  }
}

// A warp's running softmax over its keys: rows lane / 4 and lane / 4 + 8 of the group.
template <int D>
struct WarpState {
  float maximum[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};
  float out[D / 8][4] = {};
};

// Sixteen keys of the warp: scores, softmax, values.
template <int D, typename Rows>
__device__ void attend_keys(WarpState<D>& state, const std::uint32_t (&q)[D / 16][4], const T* k,
                            const T* v, int first_key, const Rows& rows, float scale_log2,
                            int lane) {
  float s[2][4] = {};
#pragma unroll
  for (int step = 0; step < D / 16; ++step) {
    std::uint32_t b[4];
    load_matrices(b, k + piece_at<D>(lane / 16 * 8 + lane % 8, 2 * step + lane / 8 % 2));
    multiply_add<T>(s[0], q[step], b[0], b[1]);
    multiply_add<T>(s[1], q[step], b[2], b[3]);
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float top = state.maximum[half];
#pragma unroll
    for (int n = 0; n < 2; ++n) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float& score = s[n][2 * half + i];
        if (!rows.sees(lane / 4 + 8 * half, first_key + 8 * n + lane % 4 * 2 + i)) {
          score = -INFINITY;
        }
        top = fmaxf(top, score);
      }
    }
    top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
    top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
    const float offset = top == -INFINITY ? 0 : top * scale_log2;
    const float fade = power_of_two(state.maximum[half] * scale_log2 - offset);
    state.maximum[half] = top;
    float sum = 0;
#pragma unroll
    for (int n = 0; n < 2; ++n) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float& weight = s[n][2 * half + i];
        weight = power_of_two(weight * scale_log2 - offset);
        sum += weight;
      }
    }
    state.sum[half] = state.sum[half] * fade + sum;
#pragma unroll
    for (auto& part : state.out) {
      part[2 * half] *= fade;
      part[2 * half + 1] *= fade;
    }
  }
  const std::uint32_t p[4] = {pack<T>(s[0][0], s[0][1]), pack<T>(s[0][2], s[0][3]),
                              pack<T>(s[1][0], s[1][1]), pack<T>(s[1][2], s[1][3])};
#pragma unroll
  for (int n = 0; n < D / 16; ++n) {
    std::uint32_t b[4];
    load_transposed(b, v + piece_at<D>(lane % 16, 2 * n + lane / 16));
    multiply_add<T>(state.out[2 * n], p, b[0], b[1]);
    multiply_add<T>(state.out[2 * n + 1], p, b[2], b[3]);
  }
}

// One partial result: the group's maxima (of scaled scores, base 2), sums, outputs times sums.
template <int D>
struct Partial {
  float* maximum;  // [group]
  float* sum;      // [group]
  float* out;      // [group, D]

  __device__ Partial(float* memory, int group)
      : maximum(memory), sum(memory + group), out(memory + 2 * group) {}
};

__host__ __device__ constexpr std::int64_t floats_of(int group, int dim) {
  return std::int64_t{group} * (dim + 2);
}

// A warp's state into its own part of shared memory.
template <int D>
__device__ void deposit(const WarpState<D>& state, const Partial<D>& to, int group,
                        float scale_log2, int lane) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = lane / 4 + 8 * half;
    float sum = state.sum[half];
    sum += __shfl_xor_sync(0xffffffffu, sum, 1);
    sum += __shfl_xor_sync(0xffffffffu, sum, 2);
    if (row >= group) continue;
    if (lane % 4 == 0) {
      to.maximum[row] = state.maximum[half] * scale_log2;
      to.sum[row] = sum;
    }
#pragma unroll
    for (int n = 0; n < D / 8; ++n) {
      to.out[row * D + 8 * n + lane % 4 * 2] = state.out[n][2 * half];
      to.out[row * D + 8 * n + lane % 4 * 2 + 1] = state.out[n][2 * half + 1];
    }
  }
}

// Element (row, column) of `count` partials, `stride` floats apart: their common maximum, the sum
// and the output relative to it.
template <int D>
struct Joined {
  float maximum = -INFINITY, sum = 0, out = 0;

  __device__ Joined(float* first, std::int64_t stride, int count, int group, int row, int column) {
    for (int i = 0; i < count; ++i) {
      maximum = fmaxf(maximum, Partial<D>(first + i * stride, group).maximum[row]);
    }
    for (int i = 0; i < count; ++i) {
      const Partial<D> part(first + i * stride, group);
      const float weight = part.sum[row] > 0 ? power_of_two(part.maximum[row] - maximum) : 0;
      sum += weight * part.sum[row];
      out += weight * part.out[row * D + column];
    }
  }
};

// What a thread block works on.
struct Place {
  int split, kv_head, sequence, group;

  __device__ Place(const StepShape& shape)
      : split(blockIdx.x),
        kv_head(blockIdx.y),
        sequence(blockIdx.z),
        group(shape.heads_q / shape.heads_kv) {}

  __device__ int head_of(const StepShape& shape) const {  // among those of all sequences
    return sequence * shape.heads_kv + kv_head;
  }
};

// The queries of a group as rows of a tensor-core tile.
template <int D>
__device__ void load_queries(std::uint32_t (&q)[D / 16][4], const T* rows, int group, int lane) {
#pragma unroll
  for (int step = 0; step < D / 16; ++step) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i % 2 * 8, column = 16 * step + lane % 4 * 2 + i / 2 * 8;
      q[step][i] =
          row < group ? *reinterpret_cast<const std::uint32_t*>(rows + row * D + column) : 0;
    }
  }
}

// Attention over a stretch of `rows`.
template <int D, typename Rows>
__device__ void attend_stretch(const DecodeCall& call, const Place& place, const KvSlot& slot,
                               const Stretch& keys, const Rows& rows, T* tiles) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = place.group;
  const auto* k = static_cast<const T*>(slot.k);
  const auto* v = static_cast<const T*>(slot.v);
  const int steps = (keys.end - keys.begin + kTile - 1) / kTile;
  const auto load = [&](int step) {
    T* to = tiles + step % kStages * 2 * kTile * D;
    if (step < steps) {
      load_tile<D>(to, k, rows, keys.begin + step * kTile);
      load_tile<D>(to + kTile * D, v, rows, keys.begin + step * kTile);
    }
    asm volatile("cp.async.commit_group;\n");
  };
  for (int step = 0; step < kStages - 1; ++step) load(step);
  std::uint32_t q[D / 16][4];
  load_queries<D>(q, call.q + (place.head_of(call.shape) * group) * D, group, lane);
  const float scale_log2 = call.scale * kLog2e;
  WarpState<D> state;
  for (int step = 0; step < steps; ++step) {
    asm volatile("cp.async.wait_group %0;\n" ::"n"(kStages - 2) : "memory");
    __syncthreads();  // this step's rows are there, those of the step before are read
    load(step + kStages - 1);
    const T* tile = tiles + step % kStages * 2 * kTile * D + 16 * warp * D;
    attend_keys<D>(state, q, tile, tile + kTile * D, keys.begin + step * kTile + 16 * warp, rows,
                   scale_log2, lane);
  }
  wait_for_copies();
  __syncthreads();
  auto* parts = reinterpret_cast<float*>(tiles);
  const std::int64_t size = floats_of(group, D);
  deposit<D>(state, Partial<D>(parts + warp * size, group), group, scale_log2, lane);
  __syncthreads();
  const Partial<D> result(
      call.partials +
          (static_cast<std::int64_t>(place.head_of(call.shape)) * kSplits + place.split) * size,
      group);
  for (int i = threadIdx.x; i < group * D; i += kThreads) {
    const Joined<D> joined(parts, size, kWarps, group, i / D, i % D);
    if (i % D == 0) {
      result.maximum[i / D] = joined.maximum;
      result.sum[i / D] = joined.sum;
    }
    result.out[i] = joined.out;
  }
}

// All that lies in the head's cache.
template <int D>
__device__ void attend_whole(const DecodeCall& call, const Place& place, const KvSlot& slot,
                             T* tiles) {
  const Stretch keys(stored_keys(call.shape, slot, place.sequence), place.split);
  if (keys.begin >= keys.end) return;
  attend_stretch<D>(call, place, slot, keys, WholeRows<D>{keys.end}, tiles);
}

// The pages that the head's group has chosen; the list of them comes after the tiles.
template <int D>
__device__ void attend_pages(const DecodeCall& call, const Place& place, const KvSlot& slot,
                             T* tiles) {
  const StepShape& shape = call.shape;
  const PageSpace& space = call.pages;
  const int tokens = shape.positions[place.sequence] + 1, page = slot.pages.page,
            pages = pages_of(slot.pages, tokens);
  const std::int64_t words = space.room / 32;
  const PageUnion<kThreads> chosen(
      space.bits + static_cast<std::int64_t>(place.head_of(shape)) * place.group * words, words,
      place.group, (pages + 31) / 32);
  const int missing = chosen.has(pages - 1) ? pages * page - tokens : 0;
  const Stretch keys(chosen.pages() * page - missing, place.split);
  if (place.split == 0 && threadIdx.x == 0) space.keys[place.head_of(shape)] = keys.tokens;
  if (keys.begin >= keys.end) return;
  auto* list = reinterpret_cast<ChosenPage*>(tiles + kStages * 2 * kTile * D);
  chosen.list(keys.begin / page, (keys.end + page - 1) / page, list);
  __syncthreads();
  const PagedRows<D> rows{list, keys.begin, keys.end, __ffs(page) - 1};
  attend_stretch<D>(call, place, slot, keys, rows, tiles);
}

template <int D, bool kPages>
__global__ void __launch_bounds__(kThreads) decode_kernel(const DecodeCall call) {
  extern __shared__ __align__(128) unsigned char memory[];
  T* tiles = reinterpret_cast<T*>(memory);  // [stages, {k, v}, keys, D]
  const Place place(call.shape);
  const KvSlot slot = call.shape.slots[place.head_of(call.shape)];
  let_next_begin();
  wait_for_inputs();
  if constexpr (kPages) {
    const int tokens = call.shape.positions[place.sequence] + 1;
    if (chooses_pages(slot.pages, tokens)) return attend_pages<D>(call, place, slot, tiles);
    if (place.split == 0 && threadIdx.x == 0) {
      call.pages.keys[place.head_of(call.shape)] = stored_keys(call.shape, slot, place.sequence);
    }
  }
  attend_whole<D>(call, place, slot, tiles);
}

// A thread block is one query head. Maxima and sums of all stretches are read at once, then outputs
// without a step that waits for the one before.
template <int D, bool kPages>
__global__ void __launch_bounds__(D) join_kernel(const DecodeCall call) {
  __shared__ float maxima[kSplits], sums[kSplits];
  const StepShape& shape = call.shape;
  const int head = blockIdx.x, sequence = blockIdx.y, group = shape.heads_q / shape.heads_kv,
            row = head % group, column = threadIdx.x;
  const int kv_head = sequence * shape.heads_kv + head / group;
  const KvSlot slot = shape.slots[kv_head];
  let_next_begin();
  wait_for_inputs();
  const Stretch keys(kPages ? call.pages.keys[kv_head] : stored_keys(shape, slot, sequence), 0);
  const int count = (keys.tokens + keys.length - 1) / keys.length;
  const auto part = [&](int i) {
    const std::int64_t at = static_cast<std::int64_t>(kv_head) * kSplits + i;
    return Partial<D>(call.partials + at * floats_of(group, D), group);
  };
  if (column < count) {
    maxima[column] = part(column).maximum[row];
    sums[column] = part(column).sum[row];
  }
  __syncthreads();
  float maximum = -INFINITY, sum = 0, out = 0;
  for (int i = 0; i < count; ++i) maximum = fmaxf(maximum, maxima[i]);
#pragma unroll 8
  for (int i = 0; i < count; ++i) {
    const float weight = sums[i] > 0 ? power_of_two(maxima[i] - maximum) : 0;
    sum += weight * sums[i];
    out += weight * part(i).out[row * D + column];
  }
  call.out[(sequence * shape.heads_q + head) * D + column] =
      __float2bfloat16(sum > 0 ? out / sum : 0);
}

// Pages of a stretch at most.
int listed_pages(const PageSpace& pages) {
  const int tiles = (pages.room * kLeastPage + kTile - 1) / kTile;
  return std::max(kLeastTiles, (tiles + kSplits - 1) / kSplits) * kTile / kLeastPage;
}

template <int D, bool kPages>
cudaError_t launch(const DecodeCall& call, cudaStream_t stream) {
  const StepShape& shape = call.shape;
  const int group = shape.heads_q / shape.heads_kv;
  const auto parts = static_cast<int>(kWarps * floats_of(group, D) * sizeof(float));
  int bytes = std::max<int>(kStages * 2 * kTile * D * static_cast<int>(sizeof(T)), parts);
  if (kPages) bytes += listed_pages(call.pages) * static_cast<int>(sizeof(ChosenPage));
  cudaError_t error = cudaFuncSetAttribute(decode_kernel<D, kPages>,
                                           cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  if (error != cudaSuccess) return error;
  const auto heads_kv = static_cast<unsigned>(shape.heads_kv),
             heads_q = static_cast<unsigned>(shape.heads_q),
             batch = static_cast<unsigned>(shape.batch);
  const LaunchSize parts_size{dim3(kSplits, heads_kv, batch), kThreads,
                              static_cast<unsigned>(bytes)};
  error = launch_dependent(decode_kernel<D, kPages>, parts_size, stream, call);
  if (error != cudaSuccess) return error;
  return launch_dependent(join_kernel<D, kPages>, {dim3(heads_q, batch), D}, stream, call);
}

template <int D>
cudaError_t launch(const DecodeCall& call, cudaStream_t stream) {
  return call.pages.room > 0 ? launch<D, true>(call, stream) : launch<D, false>(call, stream);
}

}  // namespace

std::int64_t partial_floats(const DecodeCall& call) {
  const StepShape& shape = call.shape;
  return shape.batch * shape.heads_kv * kSplits *
         floats_of(shape.heads_q / shape.heads_kv, shape.head_dim);
}

cudaError_t decode_step(const DecodeCall& call, cudaStream_t stream) {
  if (call.shape.heads_q > kMostStepGroup * call.shape.heads_kv) return cudaErrorInvalidValue;
  if (call.shape.head_dim == 64) return launch<64>(call, stream);
  return call.shape.head_dim == 128 ? launch<128>(call, stream) : cudaErrorInvalidValue;
}

}  // namespace elastic::engine
