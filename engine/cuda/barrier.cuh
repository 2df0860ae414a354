#pragma once

// Barriers of the Hopper kernel: mbarriers in shared memory between the warp that loads and those
// that compute, numbered hardware barriers among the latter.

#include <cstdint>

namespace elastic::engine {

__device__ inline std::uint32_t shared_address(const void* shared) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
}

/// A phase ends once `arrivals` threads arrived and all bytes they announced are there.
class Mbarrier {
 public:
  __device__ void init(int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;\n" ::"r"(address()), "r"(arrivals));
  }

  __device__ void arrive() {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];\n" ::"r"(address()) : "memory");
  }

  /// Arrives, and has the phase wait for `bytes` bytes of asynchronous copies.
  __device__ void arrive_expecting(int bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;\n" ::"r"(address()),
                 "r"(bytes)
                 : "memory");
  }

  /// Until the phase of this parity is over. One asm block, because the compiler puts convergence
  /// barriers around a loop of its own.
  __device__ void wait(std::uint32_t parity) const {
    asm volatile(
        "{\n"
        ".reg .pred over;\n"
        "TRY:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 over, [%0], %1;\n"
        "@over bra DONE;\n"
        "bra TRY;\n"
        "DONE:\n"
        "}\n" ::"r"(address()),
        "r"(parity)
        : "memory");
  }

  __device__ std::uint32_t address() const { return shared_address(&state_); }

 private:
  std::uint64_t state_;
};

/// Makes initialised mbarriers visible to asynchronous copies; a __syncthreads() has to follow.
__device__ inline void fence_barrier_init() {
  asm volatile("fence.mbarrier_init.release.cluster;\n" ::: "memory");
}

/// A place in a ring of kStages buffers and the parity that their barriers have there.
template <int kStages>
struct RingPlace {
  int stage = 0;
  std::uint32_t parity = 0;

  __device__ void advance() {
    if (++stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

// Hardware barriers, by number; 0 is that of __syncthreads().
inline constexpr int kTurnBarrier = 1;   // + consumer group: its turn at the tensor cores
inline constexpr int kStoreBarrier = 3;  // + consumer group: its output is staged

__device__ inline void barrier_sync(int barrier, int threads) {
  asm volatile("bar.sync %0, %1;\n" ::"r"(barrier), "r"(threads) : "memory");
}

__device__ inline void barrier_arrive(int barrier, int threads) {
  asm volatile("bar.arrive %0, %1;\n" ::"r"(barrier), "r"(threads) : "memory");
}

}  // namespace elastic::engine
