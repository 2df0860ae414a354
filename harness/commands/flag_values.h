#pragma once

// What flags of several commands share: names, help, and what values they take, as validators of
// CLI11: a value that is none is refused where it is read, naming the flag. All of them but the
// paths also write the value out in plain digits, since CLI11 itself would take 010 for 8 and cut
// numbers beyond 64 bits.
//
//   sub.add_option("-L,--limit", o.limit, "...")->transform(whole_number(1, kMostSamples));

#include <CLI/CLI.hpp>
#include <cstdint>

namespace elastic::harness {

inline constexpr const char* kOutputFlag = "-o,--output,--output-path";
inline constexpr const char* kModelHelp =
    "Checkpoint folder, GGUF file, ORG/NAME in the Hugging Face cache, demo, or smollm2";
inline constexpr const char* kRouterHelp =
    "Folder of routers trained for the model (`train router` with \"export\": \"adapter\")";

inline constexpr std::int64_t kMostSamples = 100'000;  // of a task and length; held in memory
inline constexpr std::int64_t kMostTokens = std::int64_t{1} << 30;
inline constexpr std::int64_t kMostBatch = 4096;
inline constexpr std::int64_t kMostRepetitions = 100'000;
inline constexpr std::int64_t kMostSeed = INT64_MAX;
inline constexpr double kMostMinutes = 1e6;

/// Decimal digits of a number from `low` to `high`.
CLI::Validator whole_number(std::int64_t low, std::int64_t high);

/// A number from `low` to `high`; neither NaN nor infinite.
CLI::Validator real_number(double low, double high);

/// Tokens as users write them, 4096 or 4k or 1m, from `low` up.
CLI::Validator token_count(std::int64_t low = 1);

/// Paths that must be there: a wrong one is an error of usage, not missing data. `-` is standard
/// input.
CLI::Validator input_file();
CLI::Validator input_folder();
CLI::Validator input_path();

}  // namespace elastic::harness
