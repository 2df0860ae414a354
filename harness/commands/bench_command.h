#pragma once

// Parts of the `bench` command, one file each: adds a subcommand that measures one thing against
// its peers after checking its result.

#include <CLI/CLI.hpp>

namespace elastic::harness {

void add_bench_attention(CLI::App& bench, int& exit_code);
void add_bench_prefill(CLI::App& bench, int& exit_code);
void add_bench_tokenizer(CLI::App& bench, int& exit_code);
void add_bench_ruler(CLI::App& bench, int& exit_code);
void add_bench_training(CLI::App& bench, int& exit_code);

}  // namespace elastic::harness
