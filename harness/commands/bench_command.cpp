// `bench`: speed of one part, checked first, then timed.

#include "harness/commands/bench_command.h"

#include <algorithm>

#include "harness/commands/command.h"

namespace elastic::harness {

void add_bench(CLI::App& sub, int& exit_code) {
  sub.require_subcommand(1);
  add_bench_attention(sub, exit_code);
  add_bench_prefill(sub, exit_code);
  add_bench_ruler(sub, exit_code);
  add_bench_tokenizer(sub, exit_code);
  add_bench_training(sub, exit_code);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

}  // namespace elastic::harness
