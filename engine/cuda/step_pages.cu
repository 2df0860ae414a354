// The pages of keys that a decode step reads (quest; sparse_attention_2 spec 3): a page's score is
// what its bounds allow a product to be at most, sum_d max(q_d low_d, q_d high_d), fp32; of each
// query head the best are chosen, by a search for the last of them digit by digit.

#include <algorithm>
#include <cmath>

#include "engine/cuda/dependent_launch.cuh"
#include "engine/cuda/eight.cuh"
#include "engine/cuda/step_call.h"
#include "engine/cuda/step_pages.cuh"

namespace elastic::engine {
namespace {

using T = __nv_bfloat16;

constexpr int kScoreThreads = 256, kScoreBlocks = 32;  // of one KV head
constexpr int kChooseThreads = 512, kChooseWarps = kChooseThreads / 32;
constexpr int kDigitBits = 8, kDigits = 1 << kDigitBits;

// A page's share of one thread: eight elements of its bounds and of the group's queries.
template <int D>
__device__ float bound_of(const Eight& low, const Eight& high, const float* q) {
  float sum = 0;
#pragma unroll
  for (int e = 0; e < 8; ++e) {
    sum += fmaxf(q[e] * __bfloat162float(low.at[e]), q[e] * __bfloat162float(high.at[e]));
  }
#pragma unroll
  for (int step = D / 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  return sum;
}

template <int D>
__global__ void __launch_bounds__(kScoreThreads) score_kernel(const PageCall call) {
  constexpr int kLanes = D / 8;  // threads that share a page
  __shared__ float q[kMostStepGroup * D];
  const StepShape& shape = call.shape;
  const int kv_head = blockIdx.y, sequence = blockIdx.z, group = shape.heads_q / shape.heads_kv;
  const KvSlot slot = shape.slots[sequence * shape.heads_kv + kv_head];
  let_next_begin();
  wait_for_inputs();
  const int tokens = shape.positions[sequence] + 1;
  if (!chooses_pages(slot.pages, tokens)) return;
  const std::int64_t head = static_cast<std::int64_t>(sequence) * shape.heads_q + kv_head * group;
  for (int i = threadIdx.x; i < group * D; i += kScoreThreads) {
    q[i] = __bfloat162float(call.q[head * D + i]);
  }
  __syncthreads();
  const int pages = pages_of(slot.pages, tokens), own = threadIdx.x / kLanes,
            column = threadIdx.x % kLanes * 8;
  constexpr int kAtOnce = kScoreThreads / kLanes;
  for (int first = blockIdx.x * kAtOnce; first < pages; first += kScoreBlocks * kAtOnce) {
    const int page = min(first + own, pages - 1);
    const auto eight = [&](const void* bounds) {
      const T* row = static_cast<const T*>(bounds) + static_cast<std::int64_t>(page) * D + column;
      return *reinterpret_cast<const Eight*>(row);
    };
    const Eight low = eight(slot.low), high = eight(slot.high);
    float together = 0;
    for (int g = 0; g < group; ++g) together += bound_of<D>(low, high, q + g * D + column);
    for (int g = 0; g < group; ++g) {
      const float score = slot.pages.group ? together : bound_of<D>(low, high, q + g * D + column);
      if (column == 0 && first + own < pages) {
        call.pages.scores[(head + g) * call.pages.room + page] =
            slot.pages.newest && page == pages - 1 ? INFINITY : score;
      }
    }
  }
}

// Larger for a larger number.
__device__ std::uint32_t ordered(float x) {
  const std::uint32_t bits = __float_as_uint(x);
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}

/// The last score that is chosen, and how many of those equal to it are.
struct Last {
  std::uint32_t score;
  int equal;
};

// One warp: the digit at which `left` scores are reached from above, each lane with eight counts.
__device__ void find_digit(const int* counts, Last& last) {
  constexpr int kOwn = kDigits / 32;
  const int lane = threadIdx.x, top = kDigits - 1 - lane * kOwn;  // lane 0 has the largest
  int own = 0;
  for (int i = 0; i < kOwn; ++i) own += counts[top - i];
  int before = own;  // of this lane and those with larger digits
  for (int step = 1; step < 32; step *= 2) {
    const int other = __shfl_up_sync(0xffffffffu, before, step);
    if (lane >= step) before += other;
  }
  before -= own;
  const int left = last.equal;
  __syncwarp();
  if (before >= left || before + own < left) return;
  int digit = top;
  for (; before + counts[digit] < left; --digit) before += counts[digit];
  last = {last.score << kDigitBits | static_cast<std::uint32_t>(digit), left - before};
}

__device__ Last find_last(const float* scores, int pages, int wanted) {
  __shared__ int counts[kDigits];
  __shared__ Last last;
  if (threadIdx.x == 0) last = {0, wanted};
  for (int shift = 32 - kDigitBits; shift >= 0; shift -= kDigitBits) {
    for (int i = threadIdx.x; i < kDigits; i += kChooseThreads) counts[i] = 0;
    __syncthreads();
    const std::uint32_t so_far = last.score;
    for (int i = threadIdx.x; i < pages; i += kChooseThreads) {
      const std::uint32_t score = ordered(scores[i]);
      const bool candidate = shift == 32 - kDigitBits || score >> (shift + kDigitBits) == so_far;
      if (candidate) atomicAdd(counts + (score >> shift & (kDigits - 1)), 1);
    }
    __syncthreads();
    if (threadIdx.x < 32) find_digit(counts, last);
    __syncthreads();
  }
  return last;
}

// A thread block is one query head.
__global__ void __launch_bounds__(kChooseThreads) choose_kernel(const PageCall call) {
  __shared__ int warps[kChooseWarps];
  const StepShape& shape = call.shape;
  const int head = blockIdx.x, sequence = blockIdx.y, warp = threadIdx.x / 32,
            lane = threadIdx.x % 32;
  const int kv_head = head / (shape.heads_q / shape.heads_kv);
  const PageRule rule = shape.slots[sequence * shape.heads_kv + kv_head].pages;
  let_next_begin();
  wait_for_inputs();
  const int tokens = shape.positions[sequence] + 1;
  if (!chooses_pages(rule, tokens)) return;
  const int pages = pages_of(rule, tokens), room = call.pages.room;
  const std::int64_t row = static_cast<std::int64_t>(sequence) * shape.heads_q + head;
  const float* scores = call.pages.scores + row * room;
  const Last last = find_last(scores, pages, min(pages, rule.count));
  int before = 0;  // scores equal to the last
  for (int first = 0; first < pages; first += kChooseThreads) {
    const int page = first + threadIdx.x;
    const std::uint32_t score = page < pages ? ordered(scores[page]) : 0;
    const std::uint32_t equal = __ballot_sync(0xffffffffu, page < pages && score == last.score);
    if (lane == 0) warps[warp] = __popc(equal);
    __syncthreads();
    int rank = before + __popc(equal & ((1u << lane) - 1));
    for (int w = 0; w < kChooseWarps; ++w) {
      rank += w < warp ? warps[w] : 0;
      before += warps[w];
    }
    const bool chosen =
        page < pages && (score > last.score || (score == last.score && rank < last.equal));
    const std::uint32_t word = __ballot_sync(0xffffffffu, chosen);
    if (lane == 0 && page < room) call.pages.bits[(row * room + page) / 32] = word;
    __syncthreads();
  }
}

template <int D>
cudaError_t launch(const PageCall& call, cudaStream_t stream) {
  const auto batch = static_cast<unsigned>(call.shape.batch);
  const LaunchSize scores{dim3(kScoreBlocks, static_cast<unsigned>(call.shape.heads_kv), batch),
                          kScoreThreads};
  const cudaError_t error = launch_dependent(score_kernel<D>, scores, stream, call);
  if (error != cudaSuccess) return error;
  const LaunchSize heads{dim3(static_cast<unsigned>(call.shape.heads_q), batch), kChooseThreads};
  return launch_dependent(choose_kernel, heads, stream, call);
}

}  // namespace

cudaError_t choose_pages(const PageCall& call, cudaStream_t stream) {
  if (call.shape.heads_q > kMostStepGroup * call.shape.heads_kv || call.pages.room % 32 != 0) {
    return cudaErrorInvalidValue;
  }
  if (call.shape.head_dim == 64) return launch<64>(call, stream);
  return call.shape.head_dim == 128 ? launch<128>(call, stream) : cudaErrorInvalidValue;
}

}  // namespace elastic::engine
