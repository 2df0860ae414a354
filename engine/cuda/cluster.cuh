#pragma once

// Clusters of thread blocks on Hopper: copies and stores that reach the shared memory of others,
// and their barriers.

#include <cstdint>

#include "engine/cuda/barrier.cuh"
#include "engine/cuda/tma.cuh"

namespace elastic::engine {

__device__ inline int cluster_rank() {
  std::uint32_t rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;\n" : "=r"(rank));
  return static_cast<int>(rank);
}

/// What any thread of the cluster wrote before it arrived can be seen by those that waited.
__device__ inline void cluster_arrive() {
  asm volatile("barrier.cluster.arrive.release.aligned;\n" ::: "memory");
}

__device__ inline void cluster_wait() {
  asm volatile("barrier.cluster.wait.acquire.aligned;\n" ::: "memory");
}

__device__ inline void cluster_sync() {
  cluster_arrive();
  cluster_wait();
}

/// Arrives at the barrier that lies in thread block `rank` where `barrier` lies in this one.
__device__ inline void arrive_at(const Mbarrier& barrier, int rank) {
  asm volatile(
      "{\n.reg .b32 there;\n"
      "mapa.shared::cluster.u32 there, %0, %1;\n"
      "mbarrier.arrive.shared::cluster.b64 _, [there];\n}\n" ::"r"(barrier.address()),
      "r"(rank)
      : "memory");
}

/// Four bytes to where `shared` lies in thread block `rank`.
__device__ inline void write_at(std::uint32_t shared, int rank, std::uint32_t value) {
  asm volatile(
      "{\n.reg .b32 there;\n"
      "mapa.shared::cluster.u32 there, %0, %1;\n"
      "st.shared::cluster.b32 [there], %2;\n}\n" ::"r"(shared),
      "r"(rank), "r"(value)
      : "memory");
}

/// A place in strips of tokens: column, token of the strip, strip, head.
struct StripOrigin {
  int column, token, strip, head;
};

__device__ inline void load_strips(void* shared, const CUtensorMap& map, const StripOrigin& from,
                                   const Mbarrier& full, std::uint64_t policy) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
      ".L2::cache_hint [%0], [%1, {%3, %4, %5, %6}], [%2], %7;\n" ::"r"(shared_address(shared)),
      "l"(&map), "r"(full.address()), "r"(from.column), "r"(from.token), "r"(from.strip),
      "r"(from.head), "l"(policy)
      : "memory");
}

/// The same to both thread blocks of a pair, and to the barrier of each.
__device__ inline void load_strips_to_both(void* shared, const CUtensorMap& map,
                                           const StripOrigin& from, const Mbarrier& full,
                                           std::uint64_t policy) {
  constexpr std::uint16_t kBoth = 3;
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
      ".multicast::cluster.L2::cache_hint [%0], [%1, {%3, %4, %5, %6}], [%2], %7, %8;\n" ::"r"(
          shared_address(shared)),
      "l"(&map), "r"(full.address()), "r"(from.column), "r"(from.token), "r"(from.strip),
      "r"(from.head), "h"(kBoth), "l"(policy)
      : "memory");
}

}  // namespace elastic::engine
