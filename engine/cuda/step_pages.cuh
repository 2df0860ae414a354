#pragma once

// Pages of a cache and which of them a step reads (KvSlot::pages).

#include <cstdint>

#include "engine/cuda/step_call.h"

namespace elastic::engine {

/// Whether a step over `tokens` keys leaves out any.
__device__ inline bool chooses_pages(const PageRule& rule, int tokens) {
  return rule.page > 0 && tokens > rule.budget;
}

__device__ inline int pages_of(const PageRule& rule, int tokens) {
  return (tokens + rule.page - 1) / rule.page;
}

/// A page that query heads of a group read: bit g is its head g.
struct ChosenPage {
  int page;
  std::uint32_t heads;
};

/// The pages that at least one query head of a KV head reads, in order, as a thread block of
/// kThreads finds them: thread t looks at a stretch of the words of `bits`.
template <int kThreads>
class PageUnion {
 public:
  /// `words` of each of the group's heads, `stride` apart. Every thread of the block.
  __device__ PageUnion(const std::uint32_t* bits, std::int64_t stride, int group, int words)
      : bits_(bits), stride_(stride), group_(group) {
    const int each = (words + kThreads - 1) / kThreads;
    first_ = min(words, static_cast<int>(threadIdx.x) * each);
    last_ = min(words, first_ + each);
    for (int word = first_; word < last_; ++word) before_ += __popc(any(word));
    count_up();
  }

  /// Pages in all.
  __device__ int pages() const { return pages_; }

  /// Whether the page is one of them.
  __device__ bool has(int page) const { return any(page / 32) >> page % 32 & 1; }

  /// Those from the `begin`-th on, before the `end`-th, to list[0 ..]; a barrier is the caller's.
  __device__ void list(int begin, int end, ChosenPage* list) const {
    int rank = before_;
    for (int word = first_; word < last_; ++word) {
      for (std::uint32_t left = any(word); left != 0; left &= left - 1, ++rank) {
        const int bit = __ffs(static_cast<int>(left)) - 1;
        if (rank >= begin && rank < end) list[rank - begin] = {32 * word + bit, heads(word, bit)};
      }
    }
  }

 private:
  __device__ std::uint32_t any(int word) const {
    std::uint32_t all = 0;
    for (int g = 0; g < group_; ++g) all |= bits_[g * stride_ + word];
    return all;
  }
  __device__ std::uint32_t heads(int word, int bit) const {
    std::uint32_t all = 0;
    for (int g = 0; g < group_; ++g) all |= (bits_[g * stride_ + word] >> bit & 1) << g;
    return all;
  }

  // before_: from a thread's own pages to those of the threads before it.
  __device__ void count_up() {
    __shared__ int warps[kThreads / 32];
    const int lane = threadIdx.x % 32, own = before_;
    int sum = own;
    for (int step = 1; step < 32; step *= 2) {
      const int other = __shfl_up_sync(0xffffffffu, sum, step);
      if (lane >= step) sum += other;
    }
    if (lane == 31) warps[threadIdx.x / 32] = sum;
    __syncthreads();
    before_ = sum - own;
    for (int w = 0; w < kThreads / 32; ++w) {
      if (w < static_cast<int>(threadIdx.x) / 32) before_ += warps[w];
      pages_ += warps[w];
    }
  }

  const std::uint32_t* bits_;
  std::int64_t stride_;
  int group_, first_ = 0, last_ = 0, before_ = 0, pages_ = 0;
};

}  // namespace elastic::engine
