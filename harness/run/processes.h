#pragma once

// This process among those that share a run or a training, as their launcher says in the
// environment.
//
//   const Ranks ranks = ranks_from_environment();
//   set_log_rank(ranks.rank);

#include <string>

#include "engine/api/train_router.h"

namespace elastic::harness {

struct Ranks {
  int rank = 0;
  int world_size = 1;
};

/// The first launcher whose variables are there; alone where there are none:
///   torchrun, Kubernetes, by hand   RANK, WORLD_SIZE
///   mpirun of Open MPI              OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE
///   mpiexec of MPICH                PMI_RANK, PMI_SIZE
///   srun                            SLURM_PROCID, SLURM_NTASKS, where SLURM_STEP_ID is set
/// Says so where Slurm granted several tasks and nothing started them. Throws kInvalidArgument
/// naming the variable that is missing or no number of processes.
Ranks ranks_from_environment();

/// "mpirun (Open MPI): rank 0 of 2", "none: one process". Throws as ranks_from_environment().
std::string describe_launcher();

/// The ranks for a training, with the address where they meet: MASTER_ADDR and MASTER_PORT, else
/// this host where the launcher says that all are here, else the first of SLURM_JOB_NODELIST;
/// kInvalidArgument where none is known. Keeps the resolver short (RES_OPTIONS).
engine::ProcessOptions processes_from_environment();

}  // namespace elastic::harness
