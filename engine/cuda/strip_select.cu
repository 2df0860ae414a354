// XAttention's choice of blocks from what score_strips() left (kernels.md 6, sparse_attention.md
// 4): a thread block has one row of the choice, a query block of one query head. It puts the tiles
// of the block's strips together to the mass of each key block; its first warp keeps the blocks of
// most mass. Nothing is sorted: the mass at which the threshold is reached is searched for bit by
// bit.

#include <cmath>

#include "engine/cuda/strip_call.h"
#include "engine/cuda/tensor_core.cuh"
#include "engine/cuda/visit_list.cuh"

namespace elastic::engine {
namespace {

constexpr int kThreads = 128, kWarps = kThreads / 32;
constexpr float kForced = -1;  // in place of the mass of a block that is kept anyway

__device__ float add(float a, float b) { return a + b; }
__device__ float larger(float a, float b) { return fmaxf(a, b); }

// To all lanes, always in the same order.
template <float (*kCombine)(float, float)>
__device__ float over_warp(float x) {
  for (int step = 16; step > 0; step /= 2) x = kCombine(x, __shfl_xor_sync(0xffffffffu, x, step));
  return x;
}

__device__ int count_over_warp(int x) { return __reduce_add_sync(0xffffffffu, x); }

/// What is kept beside the forced blocks: more mass than `cut`, and the first `ties` of just that.
struct Threshold {
  float cut;
  int ties;
};

/// Blocks of at least some mass.
struct Upper {
  float sum;
  int count;
};

/// Masses of one row's causal key blocks in shared memory, as a warp reads them.
struct MassRow {
  float* mass;
  int blocks, lane;

  __device__ Upper from(float least) const {
    Upper upper{0, 0};
#pragma unroll 4
    for (int b = lane; b < blocks; b += 32) {
      const float x = mass[b];
      if (x >= least) upper.sum += x, ++upper.count;
    }
    return {over_warp<add>(upper.sum), count_over_warp(upper.count)};
  }

  __device__ int equal_to(float value) const {
    int count = 0;
    for (int b = lane; b < blocks; b += 32) count += mass[b] == value ? 1 : 0;
    return count_over_warp(count);
  }

  __device__ float largest_below(float limit) const {
    float top = kForced;
    for (int b = lane; b < blocks; b += 32) {
      if (mass[b] < limit) top = fmaxf(top, mass[b]);
    }
    return over_warp<larger>(top);
  }
};

// The smallest set of most mass that, with what is `held`, reaches `need`. Sums over the masses
// from a bound on fall as the bound rises; the cut is the last bound whose sum is enough.
__device__ Threshold smallest_set(const MassRow& row, float held, float need) {
  if (held >= need) return {INFINITY, 0};
  Upper wide = row.from(0), narrow{0, 0};     // enough, too little
  if (held + wide.sum < need) return {0, 0};  // every block of any mass
  std::uint32_t low = 0, high = __float_as_uint(2.0f * kVisitBlock);
  while (high - low > 1 && wide.count - narrow.count > 1) {
    const std::uint32_t middle = low + (high - low) / 2;
    const Upper upper = row.from(__uint_as_float(middle));
    const bool enough = held + upper.sum >= need;
    low = enough ? middle : low;
    high = enough ? high : middle;
    wide = enough ? upper : wide;
    narrow = enough ? narrow : upper;
  }
  const float cut = row.largest_below(__uint_as_float(high));
  return {cut, max(1, static_cast<int>(ceilf((need - held - narrow.sum) / cut)))};
}

// One block more, the best of those that are left.
__device__ Threshold one_more(const MassRow& row, const Threshold& threshold) {
  if (threshold.ties < row.equal_to(threshold.cut)) return {threshold.cut, threshold.ties + 1};
  const float next = row.largest_below(threshold.cut);
  return next < 0 ? threshold : Threshold{next, 1};
}

struct Place {
  int head, block, own;  // query head; query block in the call and in the sequence
};

/// The strips of one query block: what score_strips() left of them.
struct Strips {
  int count, tiles;  // tiles: of keys up to the block's own
  int all_tiles, tile_shift;
  const StripTop* tops;  // [count, all_tiles]
  const float* sums;     // [count, all_tiles << tile_shift]

  __device__ Strips(const StripCall& call, const Place& place)
      : all_tiles(call.key_tiles), tile_shift(call.stride == 16 ? 5 : 4) {
    static_assert(kStripTile * 16 / kVisitBlock == 1 << 5);  // key blocks of a tile
    const int fold = kVisitBlock / call.stride, first = place.block * fold - call.first_strip;
    const std::int64_t row =
        static_cast<std::int64_t>(place.head) * kBandTiles * kStripTile + first;
    count = min(fold, call.strips - first);
    tiles = (place.own >> tile_shift) + 1;
    tops = call.tops + row * all_tiles;
    sums = call.sums + (row * all_tiles << tile_shift);
  }
};

// To factors [count, tiles]: what makes probabilities of a strip's sums in a tile.
__device__ void find_factors(const Strips& strips, float* factors, float scale_log2) {
  const int lane = threadIdx.x % 32;
  for (int i = threadIdx.x / 32; i < strips.count; i += kWarps) {
    const StripTop* tops = strips.tops + i * strips.all_tiles;
    float *factor = factors + i * strips.tiles, top = -INFINITY, sum = 0;
    for (int t = lane; t < strips.tiles; t += 32) top = fmaxf(top, tops[t].top);
    top = over_warp<larger>(top);
    for (int t = lane; t < strips.tiles; t += 32) {
      factor[t] = power_of_two((tops[t].top - top) * scale_log2);
      sum += tops[t].sum * factor[t];
    }
    sum = over_warp<add>(sum);
    for (int t = lane; t < strips.tiles; t += 32) factor[t] /= sum;
  }
}

// Probabilities of each strip over its row, summed over the strips of the block.
__device__ void gather(const Strips& strips, const float* factors, float* mass, int blocks) {
#pragma unroll 2
  for (int b = threadIdx.x; b < blocks; b += kThreads) {
    const float *sums = strips.sums + b, *factor = factors + (b >> strips.tile_shift);
    float sum = 0;
#pragma unroll 8
    for (int i = 0; i < strips.count; ++i) {
      sum += sums[i * strips.all_tiles << strips.tile_shift] * factor[i * strips.tiles];
    }
    mass[b] = sum;
  }
}

// The public rule's rows begin with the diagonal alone, take one block more than they need, and
// block 0 in any case.
__device__ Threshold choose(const StripCall& call, const Place& place, const MassRow& row) {
  const bool lagging = place.own < call.lagging_blocks;
  const float tau = call.taus == nullptr ? call.tau : call.taus[place.head];
  const float need = tau * row.from(0).sum;
  const float held = row.mass[place.own] + (lagging || place.own == 0 ? 0 : row.mass[0]);
  __syncwarp();
  if (row.lane == 0) {
    row.mass[place.own] = kForced;
    if (!lagging) row.mass[0] = kForced;
  }
  __syncwarp();
  const Threshold threshold = smallest_set(row, held, need);
  return lagging && need > 0 ? one_more(row, threshold) : threshold;
}

// Words in order, so that ties are counted from the left.
__device__ void write(const StripCall& call, const Place& place, const MassRow& row,
                      const Threshold& threshold, std::int64_t line) {
  int ties = 0, count = 0;
  for (int word = 0; word < call.words; ++word) {
    const int b = 32 * word + row.lane;
    const float mass = b < row.blocks ? row.mass[b] : kForced;
    const std::uint32_t tied = __ballot_sync(0xffffffffu, mass == threshold.cut);
    const int before = ties + __popc(tied & ((1u << row.lane) - 1));
    const bool keep = b == 0 || b == place.own || mass > threshold.cut ||
                      (mass == threshold.cut && before < threshold.ties);
    const std::uint32_t bits = __ballot_sync(0xffffffffu, keep);
    ties += __popc(tied);
    count += __popc(bits);
    if (row.lane == 0) call.bits[line * call.words + word] = bits;
  }
  if (row.lane == 0) call.counts[line] = count;
}

// A thread block for each query block of the band, from `first` of the call on.
__global__ void __launch_bounds__(kThreads)
    select_kernel(const __grid_constant__ StripCall call, int first) {
  extern __shared__ float mass[];  // of the key blocks, then the factors
  const int block = first + static_cast<int>(blockIdx.x);
  const Place place{static_cast<int>(blockIdx.y), block, call.q_start / kVisitBlock + block};
  const std::int64_t line =
      static_cast<std::int64_t>(place.head) * ((call.rows + kVisitBlock - 1) / kVisitBlock) + block;
  const int kv_head = place.head / (call.heads_q / call.heads_kv);
  if (call.decided != nullptr && call.decided[kv_head] != call.wanted) {
    if (threadIdx.x == 0) call.counts[line] = 0;
    return;
  }
  const MassRow row{mass, place.own + 1, static_cast<int>(threadIdx.x)};
  const Strips strips(call, place);
  float* factors = mass + row.blocks;
  find_factors(strips, factors, call.scale / static_cast<float>(call.stride) * kLog2e);
  __syncthreads();
  gather(strips, factors, mass, row.blocks);
  __syncthreads();
  if (threadIdx.x < 32) write(call, place, row, choose(call, place, row), line);
}

}  // namespace

cudaError_t select_strips(const StripCall& call, cudaStream_t stream) {
  const int fold = kVisitBlock / call.stride, first = call.first_strip / fold;
  const int blocks = (call.strips + fold - 1) / fold;
  const int key_blocks = call.q_start / kVisitBlock + first + blocks;
  if (key_blocks > most_key_blocks(call.stride)) return cudaErrorInvalidValue;
  const std::size_t bytes = (key_blocks + fold * call.key_tiles) * sizeof(float);
  select_kernel<<<dim3(blocks, call.heads_q), kThreads, bytes, stream>>>(call, first);
  return cudaGetLastError();
}

}  // namespace elastic::engine
