#include "harness/bench/repetitions.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <optional>

#include "harness/commands/flag_values.h"
#include "runs/repetition.h"
#include "runs/statistics.h"

namespace elastic::harness {
namespace {

runs::Repetition rule_of(const BenchFlags& flags) {
  runs::Repetition rule{.fixed = flags.repetitions};
  if (flags.max_interval > 0) rule.within = flags.max_interval;
  return rule;
}

// `auto` as the 0 that stands for it; 0 itself is refused.
CLI::Validator count_or_auto() {
  CLI::Validator count = whole_number(1, kMostRepetitions);
  return CLI::Validator(
      [count](std::string& text) {
        if (text != "auto") return count(text);
        text = "0";
        return std::string();
      },
      "");
}

}  // namespace

void add_repetition_flags(CLI::App& sub, std::string_view what, BenchFlags& flags) {
  const runs::Repetition rule;
  sub.add_option("-r,--repetitions", flags.repetitions,
                 fmt::format("{}: a number, or auto: until half the 95 % interval of each median "
                             "is within --max-interval (else {} %) of it, {} to {} times, at most "
                             "{} s for each",
                             what, rule.within, rule.least, rule.most, rule.seconds))
      ->transform(count_or_auto())
      ->default_str("auto");
  add_interval_flag(sub, flags);
}

void add_interval_flag(CLI::App& sub, BenchFlags& flags) {
  sub.add_option("--max-interval", flags.max_interval,
                 "Per cent: exit 7 where half the 95 % interval of a median is wider than this")
      ->transform(real_number(0, 1e6));
}

engine::Enough enough_turns(const BenchFlags& flags) {
  return [rule = rule_of(flags)](const engine::Times& times, double seconds) {
    return runs::enough(rule, times, seconds);
  };
}

void add_repetitions(Json& result, const BenchFlags& flags) {
  const runs::Repetition rule = rule_of(flags);
  const bool open = rule.fixed == 0;
  result["repetitions"] = open ? Json(nullptr) : Json(rule.fixed);
  result["median_within"] = open || flags.max_interval > 0 ? Json(rule.within) : Json(nullptr);
  result["warm_up"] = 1;
}

std::string repetitions_text(const Json& result) {
  if (!result["repetitions"].is_null()) {
    return fmt::format("{} repetitions after 1 warm-up", result["repetitions"].get<int>());
  }
  const runs::Repetition rule;
  return fmt::format("repeated after 1 warm-up until medians are known to {} % ({} to {} times)",
                     result["median_within"].get<double>(), rule.least, rule.most);
}

void check_interval(const BenchFlags& flags, std::string_view what,
                    const std::vector<double>& times, Json& result, Faults& faults) {
  const bool asked = flags.max_interval > 0;
  if (!asked && flags.repetitions > 0) return;
  const double within = rule_of(flags).within;
  const std::optional<double> spread = runs::median_spread(times);
  if (spread && *spread <= within) return;
  const std::string known =
      spread ? fmt::format("{}: the median is known to {:.1f} % after {} repetitions", what,
                           *spread, times.size())
             : fmt::format("{}: {} repetitions give no interval", what, times.size());
  if (!asked) {
    result["notes"].push_back(fmt::format("{}; {} % was wanted", known, within));
  } else if (!spread) {
    faults.push_back(known + "; -r 6 is the least");
  } else {
    faults.push_back(
        fmt::format("{}, --max-interval asks for {} %; repeat more often (-r), or quiet the "
                    "machine",
                    known, within));
  }
}

void add_interval(Json& row, std::string_view unit, const std::vector<double>& times) {
  const std::optional<runs::Interval> interval = runs::median_interval(times);
  row["repetitions"] = times.size();
  row[fmt::format("{}_ci_low", unit)] = interval ? Json(interval->low) : Json(nullptr);
  row[fmt::format("{}_ci_high", unit)] = interval ? Json(interval->high) : Json(nullptr);
}

std::string interval_text(const Json& row, std::string_view unit, int decimals, double scale) {
  const Json& low = row.at(fmt::format("{}_ci_low", unit));
  if (low.is_null()) return "-";
  return fmt::format("{:.{}f} to {:.{}f}", scale * low.get<double>(), decimals,
                     scale * row.at(fmt::format("{}_ci_high", unit)).get<double>(), decimals);
}

void add_samples(Json& row, const std::vector<double>& milliseconds, double tokens) {
  constexpr double kNanoseconds = 1e6;
  add_interval(row, "ms", milliseconds);
  std::vector<double> rates;
  std::vector<std::int64_t> times;
  for (const double time : milliseconds) {
    rates.push_back(1000 * tokens / time);
    times.push_back(std::llround(kNanoseconds * time));
  }
  for (const int percent : {50, 90, 95, 99}) {
    row[fmt::format("ms_p{}", percent)] = *runs::quantile(milliseconds, percent / 100.0);
  }
  row["avg_ns"] = std::llround(kNanoseconds * *runs::mean(milliseconds));
  row["stddev_ns"] = std::llround(kNanoseconds * runs::deviation(milliseconds));
  row["avg_ts"] = *runs::mean(rates);
  row["stddev_ts"] = runs::deviation(rates);
  row["samples_ns"] = times;
  row["samples_ts"] = rates;
}

}  // namespace elastic::harness
