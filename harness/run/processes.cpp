#include "harness/run/processes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

namespace elastic::harness {
namespace {

struct Launcher {
  const char *name, *rank, *size;
  const char* marker;      // set wherever it is this launcher
  const char* local_size;  // processes of this host; null where the launcher does not say
};

// Before srun come those that start their own processes with it: theirs inherit its variables.
constexpr Launcher kLaunchers[] = {
    {"torchrun, Kubernetes or by hand", "RANK", "WORLD_SIZE", "WORLD_SIZE", "LOCAL_WORLD_SIZE"},
    {"mpirun (Open MPI)", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_SIZE",
     "OMPI_COMM_WORLD_LOCAL_SIZE"},
    {"mpiexec (MPICH)", "PMI_RANK", "PMI_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"},
    {"srun", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_ID", nullptr},
};

// Empty where it is not set.
std::string_view variable(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? std::string_view() : text;
}

std::optional<int> environment_number(const char* name) {
  const std::string_view text = variable(name);
  if (text.empty()) return std::nullopt;
  const std::optional<std::int64_t> number = parse_int(text);
  if (!number || *number < 0 || *number > 1 << 20) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("environment variable {}={} is not a number of processes", name, text));
  }
  return static_cast<int>(*number);
}

const Launcher* find_launcher() {
  for (const Launcher& launcher : kLaunchers) {
    if (!variable(launcher.marker).empty()) return &launcher;
  }
  return nullptr;
}

// Alone without a launcher.
Ranks ranks_of(const Launcher* launcher) {
  if (launcher == nullptr) return {};
  const Ranks ranks{environment_number(launcher->rank).value_or(0),
                    environment_number(launcher->size).value_or(1)};
  if (ranks.world_size < 1 || ranks.rank >= ranks.world_size) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}={} does not fit {}={}", launcher->rank, ranks.rank, launcher->size,
                            ranks.world_size));
  }
  if (ranks.world_size > 1 && variable(launcher->rank).empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}={} but {} is not set; give each process its own, from 0",
                            launcher->size, ranks.world_size, launcher->rank));
  }
  return ranks;
}

// Of "node[03-05,9],other": node03.
std::string first_host(std::string_view list) {
  const std::size_t at = std::min(list.find_first_of(",["), list.size());
  std::string host(list.substr(0, at));
  if (at == list.size() || list[at] == ',') return host;
  const std::string_view numbers = list.substr(at + 1);
  return host.append(numbers.substr(0, numbers.find_first_of(",-]")));
}

std::string address_of(const Launcher& launcher, int world) {
  if (const char* address = std::getenv("MASTER_ADDR")) return address;
  const bool all_here =
      launcher.local_size != nullptr && environment_number(launcher.local_size) == world;
  if (all_here) return "127.0.0.1";
  if (const std::string_view nodes = variable("SLURM_JOB_NODELIST"); !nodes.empty()) {
    return first_host(nodes);
  }
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{} processes train together but MASTER_ADDR is not set; name the host "
                          "of rank 0, 127.0.0.1 for processes of one machine",
                          world));
}

int port_of_environment(int otherwise) {
  const std::string_view text = variable("MASTER_PORT");
  if (std::getenv("MASTER_PORT") == nullptr) return otherwise;
  int port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || port < 1 ||
      port > 65535) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("MASTER_PORT is `{}`", text));
  }
  return port;
}

}  // namespace

Ranks ranks_from_environment() {
  const Launcher* launcher = find_launcher();
  const int tasks = environment_number("SLURM_NTASKS").value_or(1);
  if (launcher == nullptr && tasks > 1) {
    log_warning(
        fmt::format("Slurm grants {} tasks, but this is one process and does all of the "
                    "work; `srun elastic-bench ...` starts {}",
                    tasks, tasks));
  }
  return ranks_of(launcher);
}

std::string describe_launcher() {
  const Launcher* launcher = find_launcher();
  const Ranks ranks = ranks_of(launcher);
  if (launcher == nullptr) return "none: one process";
  return fmt::format("{}: rank {} of {}", launcher->name, ranks.rank, ranks.world_size);
}

engine::ProcessOptions processes_from_environment() {
  const Ranks ranks = ranks_from_environment();
  engine::ProcessOptions processes{.rank = ranks.rank, .world = ranks.world_size};
  if (ranks.world_size == 1) return processes;
  processes.address = address_of(*find_launcher(), ranks.world_size);
  processes.port = port_of_environment(processes.port);
  processes.launcher_serves = variable("TORCHELASTIC_USE_AGENT_STORE") == "True";
  // The launcher's store outlives its attempts.
  processes.job =
      fmt::format("{}/{}", variable("TORCHELASTIC_RUN_ID"), variable("TORCHELASTIC_RESTART_COUNT"));
  // The store looks up who connects to it, one after the other: a resolver that does not answer
  // would hold up all.
  setenv("RES_OPTIONS", "timeout:1 attempts:1", 0);
  return processes;
}

}  // namespace elastic::harness
