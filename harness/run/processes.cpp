#include "harness/run/processes.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/text.h"

namespace elastic::harness {
namespace {

std::optional<int> environment_number(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return std::nullopt;
  const std::optional<std::int64_t> number = parse_int(text);
  if (!number || *number < 0 || *number > 1 << 20) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("environment variable {}={} is not a number of processes", name, text));
  }
  return static_cast<int>(*number);
}

}  // namespace

Ranks ranks_from_environment() {
  Ranks ranks;
  if (const auto size = environment_number("WORLD_SIZE")) {
    ranks = {environment_number("RANK").value_or(0), *size};
  } else if (const auto tasks = environment_number("SLURM_NTASKS")) {
    ranks = {environment_number("SLURM_PROCID").value_or(0), *tasks};
  }
  if (ranks.world_size < 1 || ranks.rank >= ranks.world_size) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("RANK={} does not fit WORLD_SIZE={}", ranks.rank, ranks.world_size));
  }
  return ranks;
}

engine::ProcessOptions processes_from_environment() {
  const Ranks ranks = ranks_from_environment();
  engine::ProcessOptions processes{.rank = ranks.rank, .world = ranks.world_size};
  if (const char* address = std::getenv("MASTER_ADDR")) processes.address = address;
  if (const char* port = std::getenv("MASTER_PORT")) {
    const std::string_view text = port;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), processes.port);
    if (parsed.ec != std::errc() || processes.port < 1 || processes.port > 65535) {
      throw Error(ErrorKind::kInvalidArgument, fmt::format("MASTER_PORT is `{}`", text));
    }
  }
  const char* agent = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
  processes.launcher_serves = agent != nullptr && std::string_view(agent) == "True";
  return processes;
}

}  // namespace elastic::harness
