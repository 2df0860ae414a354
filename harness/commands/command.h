#pragma once

// A subcommand is one file: an options struct, a function that declares its flags on a CLI11
// subcommand with the callback that runs it, and one line in registry.cpp. The callback returns
// through `exit_code` (user_needs 3.5) and throws Error for what ends it.

#include <CLI/CLI.hpp>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace elastic::harness {

struct Command {
  const char* name;
  const char* summary;
  void (*add)(CLI::App& sub, int& exit_code);
};

std::span<const Command> commands();

/// Foreign text for standard output: exact for a file or pipe, visible() (base/unicode.h) on a
/// terminal.
std::string for_standard_output(std::string_view text);

/// Says on standard error which page to open.
void log_page(const std::filesystem::path& page);

/// What a first signal is answered with (base/interrupt.h) where nothing is kept for later.
inline constexpr const char* kStopNotice = "\nstopping; once more to stop now\n";

// user_needs 3.5
inline constexpr int kExitComplete = 0;
inline constexpr int kExitInternal = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitData = 3;
inline constexpr int kExitSomeFailed = 4;
inline constexpr int kExitRegression = 5;
inline constexpr int kExitDevice = 6;
inline constexpr int kExitInvalid = 7;
inline constexpr int kExitSignalBase = 128;  // + the signal: 130 Ctrl-C, 143 SIGTERM

}  // namespace elastic::harness
