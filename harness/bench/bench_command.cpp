// `bench`: speed of one part, checked first, then timed.

#include "harness/bench/bench_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/csv.h"
#include "base/log.h"
#include "harness/commands/command.h"
#include "harness/commands/flag_values.h"
#include "runs/statistics.h"

namespace elastic::harness {
namespace {

std::string csv_text(const Json& value) {
  return value.is_string() ? csv_field(value.get<std::string>()) : value.dump();
}

}  // namespace

void add_bench(CLI::App& sub, int& exit_code) {
  sub.require_subcommand(1);
  add_bench_attention(sub, exit_code);
  add_bench_batch(sub, exit_code);
  add_bench_decode(sub, exit_code);
  add_bench_prefill(sub, exit_code);
  add_bench_ruler(sub, exit_code);
  add_bench_tokenizer(sub, exit_code);
  add_bench_training(sub, exit_code);
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
  const std::optional<runs::Interval> interval = runs::median_interval(times);
  if (!interval) {
    faults.push_back(
        fmt::format("{}: {} repetitions give no interval; -r 6 is the least", what, times.size()));
    return;
  }
  const double spread = 100 * (interval->high - interval->low) / 2 / runs::median(times);
  if (spread > flags.max_interval) {
    faults.push_back(
        fmt::format("{}: the median is known to {:.1f} %, --max-interval asks for {} %; "
                    "repeat more often (-r), or quiet the machine",
                    what, spread, flags.max_interval));
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
