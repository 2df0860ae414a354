#pragma once

// The loading side of the Hopper kernel: one thread.

#include <cstdint>

#include "engine/cuda/hopper_tiles.cuh"

namespace elastic::engine::hopper {

/// The loading thread: tiles, and of each the key blocks that it visits.
template <typename T, int D>
class Producer {
  using Memory = Shared<T, D>;

 public:
  __device__ Producer(const PrefillCall& call, const Maps& maps, Memory& memory)
      : call_(call), maps_(maps), memory_(memory), keep_(keep_policy()), drop_(drop_policy()) {}

  __device__ void run() {
    const TileOrder order(call_, memory_.heads);
    for (int tile = blockIdx.x; tile < order.count;) {
      const int next = next_tile(call_, order.count);  // its latency hides behind the tile
      load_tile(order, tile);
      tile = next;
    }
    return_tickets(call_);
    memory_.q_empty[q_.stage].wait(q_.parity ^ 1);
    memory_.tiles[q_.stage].head = -1;
    memory_.q_full[q_.stage].arrive();
  }

 private:
  __device__ void load_tile(const TileOrder& order, int tile) {
    const int per_head = order.group * order.blocks;
    const int kv_head = memory_.order[tile / per_head];
    const int index = order.blocks - 1 - tile % per_head / order.group;
    const int head = kv_head * order.group + tile % order.group;
    const int own = order.first_block + index;
    const HeadVisits& visits =
        call_.visits[call_.is_sparse == nullptr ? 0 : call_.is_sparse[kv_head]];
    const VisitList list(visits, own, static_cast<std::int64_t>(head) * order.blocks + index);
    int block = list.at_or_below(own);
    load_queries(
        {head, own * kRows - call_.q_start, block >= 0, visits.token_sink, visits.token_local});
    // Keys run one step ahead of values, as the consumers want them.
    int next = block > 0 ? list.at_or_below(block - 1) : -1;
    if (block >= 0) load_keys(block, kv_head, next < 0);
    while (block >= 0) {
      const int after = next > 0 ? list.at_or_below(next - 1) : -1;
      if (next >= 0) load_keys(next, kv_head, after < 0);
      load_values(block, kv_head);
      block = next;
      next = after;
    }
  }

  __device__ void load_queries(const Tile& tile) {
    const int stage = q_.stage;
    memory_.q_empty[stage].wait(q_.parity ^ 1);
    memory_.tiles[stage] = tile;
    memory_.q_full[stage].arrive_expecting(kRows * D * static_cast<int>(sizeof(T)));
    for (int group = 0; group < kGroups; ++group) {
      for (int box = 0; box < Memory::kBoxes; ++box) {
        load_box(memory_.q[stage][group] + box * kGroupRows * kBoxColumns, maps_.q,
                 {box * kBoxColumns, tile.row + group * kGroupRows, tile.head},
                 memory_.q_full[stage], drop_);
      }
    }
    q_.advance();
  }

  __device__ void load_keys(int block, int kv_head, bool is_last) {
    memory_.k_empty[k_.stage].wait(k_.parity ^ 1);
    memory_.steps[k_.stage] = is_last ? ~block : block;
    load_block(memory_.k[k_.stage], maps_.k, block, kv_head, memory_.k_full[k_.stage]);
    k_.advance();
  }

  __device__ void load_values(int block, int kv_head) {
    memory_.v_empty[v_.stage].wait(v_.parity ^ 1);
    load_block(memory_.v[v_.stage], maps_.v, block, kv_head, memory_.v_full[v_.stage]);
    v_.advance();
  }

  __device__ void load_block(T* to, const CUtensorMap& map, int block, int kv_head,
                             Mbarrier& full) {
    full.arrive_expecting(kKeys * D * static_cast<int>(sizeof(T)));
    for (int box = 0; box < Memory::kBoxes; ++box) {
      load_box(to + box * kKeys * kBoxColumns, map, {box * kBoxColumns, block * kKeys, kv_head},
               full, keep_);
    }
  }

  const PrefillCall& call_;
  const Maps& maps_;
  Memory& memory_;
  const std::uint64_t keep_, drop_;
  RingPlace<Memory::kTiles> q_;
  RingPlace<Memory::kStages> k_, v_;
};

}  // namespace elastic::engine::hopper
