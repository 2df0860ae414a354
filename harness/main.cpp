// Parses the command line, runs one subcommand and maps errors to exit codes (user_needs 3.5).

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <iostream>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/registry.h"
#include "base/standard_streams.h"
#include "base/unicode.h"
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
      return harness::kExitInternal;
    case ErrorKind::kDevice:
    case ErrorKind::kOutOfMemory:
      return harness::kExitDevice;
    case ErrorKind::kNonFinite:
      return harness::kExitSomeFailed;
    case ErrorKind::kMeasurement:
      return harness::kExitInvalid;
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

// The first argument below an app with subcommands names one of them: CLI11 itself would only say
// that it did not expect it. `arguments` are last first.
void check_command_names(const CLI::App& app, const std::vector<std::string>& arguments) {
  const CLI::App* level = &app;
  for (auto name = arguments.rbegin(); name != arguments.rend(); ++name) {
    if (level->get_require_subcommand_min() == 0 || name->starts_with("-")) return;
    std::vector<std::string> known;
    const CLI::App* next = nullptr;
    for (const CLI::App* sub : level->get_subcommands([](const CLI::App*) { return true; })) {
      known.push_back(sub->get_name());
      if (sub->get_name() == *name) next = sub;
    }
    if (next == nullptr) throw_unknown_name("command", *name, known);
    level = next;
  }
}

int run_command(int argc, char** argv) {
  int exit_code = harness::kExitComplete;
  CLI::App app("Long-context benchmarks through an elastic-attention engine", "elastic-bench");
  app.require_subcommand(1);
  app.set_version_flag("--version", ELASTIC_VERSION);
  for (const harness::Command& command : harness::commands()) {
    command.add(*app.add_subcommand(command.name, command.summary), exit_code);
  }
  std::vector<std::string> arguments = normalised_arguments(argc, argv);
  check_command_names(app, arguments);
  try {
    app.parse(std::move(arguments));
    return exit_code;
  } catch (const CLI::ParseError& error) {
    std::ostringstream said;  // names what the user gave, whose bytes are not the terminal's
    const int code = app.exit(error, std::cout, said);
    std::cerr << visible(said.str());
    return code == 0 ? harness::kExitComplete : harness::kExitUsage;
  }
}

// Exit code of `work`; what it throws is said on standard error.
template <typename Work>
int exit_code_after(const Work& work) {
  try {
    return work();
  } catch (const Interrupted& stop) {
    return harness::kExitSignalBase + stop.signal;
  } catch (const Error& error) {
    log_error(error.what());
    return exit_code_of(error.kind());
  } catch (const std::bad_alloc&) {
    log_error("out of memory");
    return harness::kExitDevice;
  } catch (const std::exception& error) {
    log_error(error.what());
    return harness::kExitInternal;
  }
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_descriptors();
  std::signal(SIGXFSZ, SIG_IGN);  // a file-size limit is an error of the write that meets it
  const int exit_code = exit_code_after([&] { return run_command(argc, argv); });
  const int flushed = exit_code_after([] {
    flush_standard_output();
    return harness::kExitComplete;
  });
  return exit_code == harness::kExitComplete ? flushed : exit_code;
}
