#pragma once

// This process among those that share a run or a training, as their launcher says in the
// environment.
//
//   const Ranks ranks = ranks_from_environment();
//   set_log_rank(ranks.rank);

#include "engine/api/train_router.h"

namespace elastic::harness {

struct Ranks {
  int rank = 0;
  int world_size = 1;
};

/// RANK and WORLD_SIZE, else Slurm's variables; alone where there are none. Throws kInvalidArgument
/// naming the variable that is no number of processes.
Ranks ranks_from_environment();

/// The same for a training, with the address where torchrun's processes meet.
engine::ProcessOptions processes_from_environment();

}  // namespace elastic::harness
