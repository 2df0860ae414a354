// Parses the command line, runs one subcommand and maps errors to exit codes (user_needs 3.5).

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "harness/commands/command.h"

namespace {

using namespace elastic;

int exit_code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
    case ErrorKind::kUnsupported:
      return harness::kExitUsage;
    case ErrorKind::kNotFound:
    case ErrorKind::kCorrupt:
      return harness::kExitData;
    case ErrorKind::kIo:
    case ErrorKind::kNonFinite:
      return harness::kExitInternal;
    case ErrorKind::kDevice:
    case ErrorKind::kOutOfMemory:
      return harness::kExitDevice;
  }
  return harness::kExitInternal;
}

// `--max_new_tokens=4` and `--max-new-tokens 4` are one flag; values are left alone.
std::vector<std::string> normalised_arguments(int argc, char** argv) {
  std::vector<std::string> arguments;
  for (int i = argc - 1; i > 0; --i) {  // CLI11 takes them last first
    std::string argument = argv[i];
    if (argument.starts_with("--")) {
      const auto end = argument.begin() +
                       static_cast<std::ptrdiff_t>(std::min(argument.find('='), argument.size()));
      std::replace(argument.begin() + 2, std::max(argument.begin() + 2, end), '_', '-');
    }
    arguments.push_back(std::move(argument));
  }
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  int exit_code = harness::kExitComplete;
  CLI::App app("Long-context benchmarks through an elastic-attention engine", "elastic-bench");
  app.require_subcommand(1);
  app.set_version_flag("--version", ELASTIC_VERSION);
  for (const harness::Command& command : harness::commands()) {
    command.add(*app.add_subcommand(command.name, command.summary), exit_code);
  }
  try {
    app.parse(normalised_arguments(argc, argv));
    return exit_code;
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? harness::kExitComplete : harness::kExitUsage;
  } catch (const Interrupted& stop) {
    return harness::kExitSignalBase + stop.signal;
  } catch (const Error& error) {
    log_error(error.what());
    return exit_code_of(error.kind());
  } catch (const std::exception& error) {
    log_error(error.what());
    return harness::kExitInternal;
  }
}
