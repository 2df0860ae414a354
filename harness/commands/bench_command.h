#pragma once

// Parts of the `bench` command, one file each: adds a subcommand that measures one thing against
// its peers after checking its result.

#include <CLI/CLI.hpp>
#include <vector>

namespace elastic::harness {

void add_bench_attention(CLI::App& bench, int& exit_code);
void add_bench_prefill(CLI::App& bench, int& exit_code);
void add_bench_tokenizer(CLI::App& bench, int& exit_code);
void add_bench_ruler(CLI::App& bench, int& exit_code);
void add_bench_training(CLI::App& bench, int& exit_code);

/// Middle of the values, the mean of two where their number is even. `values` is not empty.
double median(std::vector<double> values);

}  // namespace elastic::harness
