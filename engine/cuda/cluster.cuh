#pragma once

// Clusters of thread blocks on Hopper: stores that reach the shared memory of others, and their
// barrier.

#include <cstdint>

#include "engine/cuda/barrier.cuh"

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

/// Four bytes to where `shared` lies in thread block `rank`.
__device__ inline void write_at(std::uint32_t shared, int rank, std::uint32_t value) {
  asm volatile(
      "{\n.reg .b32 there;\n"
      "mapa.shared::cluster.u32 there, %0, %1;\n"
      "st.shared::cluster.b32 [there], %2;\n}\n" ::"r"(shared),
      "r"(rank), "r"(value)
      : "memory");
}

}  // namespace elastic::engine
