// Launchers, told apart by their variables alone.

#include "harness/run/processes.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace elastic::harness {
namespace {

using Variables = std::vector<std::pair<const char*, const char*>>;

class Processes : public ::testing::Test {
 protected:
  // Whatever started the tests is not what they ask for.
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }

  static void set(const Variables& variables) {
    clear();
    for (const auto& [name, value] : variables) setenv(name, value, 1);
  }
  static void clear() {
    for (const char* name :
         {"RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
          "OMPI_COMM_WORLD_LOCAL_SIZE", "PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS", "SLURM_PROCID",
          "SLURM_NTASKS", "SLURM_STEP_ID", "SLURM_JOB_NODELIST", "MASTER_ADDR", "MASTER_PORT",
          "TORCHELASTIC_USE_AGENT_STORE", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT",
          "RES_OPTIONS"}) {
      unsetenv(name);
    }
  }
  static void expect_ranks(const Variables& variables, int rank, int world, const char* launcher) {
    set(variables);
    const Ranks ranks = ranks_from_environment();
    EXPECT_EQ(ranks.rank, rank);
    EXPECT_EQ(ranks.world_size, world);
    EXPECT_TRUE(describe_launcher().starts_with(launcher)) << describe_launcher();
  }
  static void expect_error(const Variables& variables, const std::string& part) {
    set(variables);
    try {
      processes_from_environment();
      FAIL() << part;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
  static std::string address(const Variables& variables) {
    set(variables);
    return processes_from_environment().address;
  }
};

TEST_F(Processes, EveryLauncherIsRecognised) {
  expect_ranks({}, 0, 1, "none");
  expect_ranks({{"RANK", "1"}, {"WORLD_SIZE", "3"}}, 1, 3, "torchrun");
  expect_ranks({{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "2"}}, 1, 2,
               "mpirun (Open MPI): rank 1 of 2");
  expect_ranks({{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}}, 1, 2, "mpiexec (MPICH)");
  expect_ranks({{"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "3"}, {"SLURM_NTASKS", "4"}}, 3, 4,
               "srun: rank 3 of 4");
}

// A batch script: Slurm grants the tasks, and nothing has started them.
TEST_F(Processes, TasksThatNothingStartedAreOneProcess) {
  const Variables batch{{"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "0"}};
  expect_ranks(batch, 0, 1, "none");
  set(batch);
  ::testing::internal::CaptureStderr();
  ranks_from_environment();
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("Slurm grants 4 tasks, but this is one process"), std::string::npos) << said;
  EXPECT_NE(said.find("srun elastic-bench"), std::string::npos) << said;
}

// mpirun starts its daemons by srun, whose variables say how many hosts there are.
TEST_F(Processes, MpirunUnderSlurmCountsAsMpirun) {
  expect_ranks({{"SLURM_STEP_ID", "0"},
                {"SLURM_PROCID", "1"},
                {"SLURM_NTASKS", "2"},
                {"OMPI_COMM_WORLD_RANK", "5"},
                {"OMPI_COMM_WORLD_SIZE", "8"}},
               5, 8, "mpirun");
}

TEST_F(Processes, WhatIsSetByHandGoesBeforeALauncher) {
  expect_ranks({{"OMPI_COMM_WORLD_RANK", "1"},
                {"OMPI_COMM_WORLD_SIZE", "2"},
                {"RANK", "0"},
                {"WORLD_SIZE", "1"}},
               0, 1, "torchrun");
}

TEST_F(Processes, AddressesAreThoseOfRankZero) {
  EXPECT_EQ(address({{"RANK", "1"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "node7"}}), "node7");
  EXPECT_EQ(address({{"OMPI_COMM_WORLD_RANK", "1"},
                     {"OMPI_COMM_WORLD_SIZE", "2"},
                     {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}}),
            "127.0.0.1");
  for (const auto& [nodes, first] : {std::pair{"node[03-05,9],other", "node03"},
                                     {"node[7,9]", "node7"},
                                     {"node[12]", "node12"},
                                     {"alpha,beta[1-2]", "alpha"},
                                     {"alpha", "alpha"}}) {
    EXPECT_EQ(address({{"SLURM_STEP_ID", "0"},
                       {"SLURM_PROCID", "1"},
                       {"SLURM_NTASKS", "2"},
                       {"SLURM_JOB_NODELIST", nodes}}),
              first);
  }
}

TEST_F(Processes, WhatTheyMeetBySaysWhereItIsMissingOrWrong) {
  expect_error({{"RANK", "1"}, {"WORLD_SIZE", "2"}}, "MASTER_ADDR is not set");
  expect_error({{"OMPI_COMM_WORLD_RANK", "1"},
                {"OMPI_COMM_WORLD_SIZE", "4"},
                {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}},
               "MASTER_ADDR is not set");
  expect_error({{"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}}, "WORLD_SIZE=2 but RANK is not set");
  expect_error({{"RANK", "2"}, {"WORLD_SIZE", "2"}}, "RANK=2 does not fit WORLD_SIZE=2");
  expect_error({{"PMI_RANK", "x"}, {"PMI_SIZE", "2"}}, "PMI_RANK=x is not a number");
  for (const char* port : {"", "0", "65536", "x"}) {
    expect_error({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", port}},
                 "MASTER_PORT is `");
  }
}

TEST_F(Processes, TheLaunchersStoreTellsAttemptsApart) {
  set({{"RANK", "0"},
       {"WORLD_SIZE", "2"},
       {"MASTER_ADDR", "a"},
       {"MASTER_PORT", "1234"},
       {"TORCHELASTIC_USE_AGENT_STORE", "True"},
       {"TORCHELASTIC_RUN_ID", "job"},
       {"TORCHELASTIC_RESTART_COUNT", "2"}});
  const engine::ProcessOptions processes = processes_from_environment();
  EXPECT_TRUE(processes.launcher_serves);
  EXPECT_EQ(processes.job, "job/2");
  EXPECT_EQ(processes.port, 1234);
  EXPECT_STREQ(std::getenv("RES_OPTIONS"), "timeout:1 attempts:1");
}

}  // namespace
}  // namespace elastic::harness
