// `bench`: speed of one part, checked first, then timed.

#include "harness/bench/bench_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/csv.h"
#include "base/log.h"
#include "harness/commands/command.h"
#include "harness/commands/flag_values.h"

namespace elastic::harness {
namespace {

// Greatest k such that fewer than k of n values lie below the true median with a chance of at most
// 2.5 %: the k-th smallest and the k-th largest then enclose it with at least 95 %. 0: none does.
std::size_t enclosing_rank(std::size_t n) {
  const double values = static_cast<double>(n);
  double at_most = 0;  // chance that k values or fewer lie below
  for (std::size_t k = 0; k < n; ++k) {
    const double below = static_cast<double>(k);
    at_most += std::exp(std::lgamma(values + 1) - std::lgamma(below + 1) -
                        std::lgamma(values - below + 1) - values * std::log(2.0));
    if (at_most > 0.025) return k;
  }
  return 0;
}

std::string csv_text(const Json& value) {
  return value.is_string() ? csv_field(value.get<std::string>()) : value.dump();
}

}  // namespace

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

std::optional<double> median_spread(std::vector<double> values) {
  const std::size_t rank = enclosing_rank(values.size());
  if (rank == 0) return std::nullopt;
  std::sort(values.begin(), values.end());
  const double low = values[rank - 1], high = values[values.size() - rank];
  return (high - low) / 2 / median(std::move(values));
}

void add_format_flag(CLI::App& sub, BenchFlags& flags) {
  sub.add_option(std::string(kOutputFlag) + ",--format", flags.format,
                 "Output format: md, csv or json")
      ->capture_default_str()
      ->check(CLI::IsMember({"json", "csv", "md"}, CLI::ignore_case));
}

void add_interval_flag(CLI::App& sub, BenchFlags& flags) {
  sub.add_option("--max-interval", flags.max_interval,
                 "Per cent: exit 7 where half the 95 % interval of a median is wider than this")
      ->transform(real_number(0, 1e6));
}

void check_interval(const BenchFlags& flags, std::string_view what,
                    const std::vector<double>& times, Faults& faults) {
  if (flags.max_interval == 0) return;
  const std::optional<double> spread = median_spread(times);
  if (!spread) {
    faults.push_back(
        fmt::format("{}: {} repetitions give no interval; -r 6 is the least", what, times.size()));
  } else if (100 * *spread > flags.max_interval) {
    faults.push_back(
        fmt::format("{}: the median is known to {:.1f} %, --max-interval asks for {} %; "
                    "repeat more often (-r), or quiet the machine",
                    what, 100 * *spread, flags.max_interval));
  }
}

void print_csv(const Json& result, const std::vector<std::string>& leading) {
  std::string header, start;
  for (const std::string& key : leading) {
    header += key + ",";
    start += csv_text(result.at(key)) + ",";
  }
  for (const Json& row : result.at("rows")) {
    std::string keys, values;
    for (const auto& [key, value] : row.items()) {
      keys += (keys.empty() ? "" : ",") + key;
      values += (values.empty() ? "" : ",") + csv_text(value);
    }
    if (&row == &result.at("rows").front()) fmt::print("{}{}\n", header, keys);
    fmt::print("{}{}\n", start, values);
  }
}

int print_result(Json result, const Faults& faults, const BenchFlags& flags,
                 void (*csv)(const Json&), void (*markdown)(const Json&)) {
  const char* verdict = faults.empty() ? "VALID" : "INVALID";
  result["verdict"] = verdict;
  result["invalid_because"] = faults;
  if (flags.format == "json") {
    std::fputs(dump_pretty(result).c_str(), stdout);
  } else if (flags.format == "csv") {
    csv(result);
  } else {
    markdown(result);
    fmt::print("\n{}\n", verdict);
  }
  for (const std::string& fault : faults) log_warning("measurement INVALID: " + fault);
  return faults.empty() ? kExitComplete : kExitInvalid;
}

}  // namespace elastic::harness
