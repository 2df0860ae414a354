#include "harness/reproduce/points.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/text.h"
#include "reports/paper_columns.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAuto = "auto";

[[noreturn]] void refuse(const fs::path& file, const Json& there, const Json& wanted) {
  for (const auto& [key, value] : wanted.items()) {
    if (there.contains(key) && there[key] == value) continue;
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("{}: measured with {} {}, now it is {}; give another --output, or "
                    "remove the points",
                    file.string(), key, there.contains(key) ? dump_line(there[key]) : "unset",
                    dump_line(value)));
  }
  throw Error(
      ErrorKind::kInvalidArgument,
      fmt::format("{}: measured with other settings; give another --output", file.string()));
}

}  // namespace

Json measured_point(const PointPlace& place, const std::function<Json()>& measure) {
  stop_if_interrupted();
  const fs::path file = place.output / "points" / (place.name + ".json");
  std::error_code ignored;
  if (fs::exists(file, ignored)) {
    Json point = read_json(file);
    if (!point.is_object() || !point.contains("settings") || !point.contains("result")) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: no measured point; remove the file", file.string()));
    }
    if (point["settings"] != place.settings) refuse(file, point["settings"], place.settings);
    return std::move(point["result"]);
  }
  log_info(fmt::format("measuring {}", place.name));
  Json result = measure();
  create_folders(file.parent_path());
  write_file_atomic(file, dump_pretty({{"settings", place.settings}, {"result", result}}));
  return result;
}

std::string paper_length(std::int64_t tokens) { return reports::ruler_column(tokens).name; }

std::vector<std::int64_t> point_lengths(const ReproduceOptions& options,
                                        const std::vector<std::string>& printed) {
  std::vector<std::int64_t> lengths;
  for (const std::string& part :
       options.run.lengths.empty() ? printed : split_list(options.run.lengths)) {
    const std::int64_t length = parse_length(part);
    if (std::find(lengths.begin(), lengths.end(), length) == lengths.end()) {
      lengths.push_back(length);
    }
  }
  std::sort(lengths.begin(), lengths.end());
  if (lengths.empty()) throw Error(ErrorKind::kInvalidArgument, "--lengths names no length");
  return lengths;
}

std::string point_device(const ReproduceOptions& options) {
  return options.run.device == kAuto ? "cuda" : options.run.device;
}

int point_repetitions(const ReproduceOptions& options, int usual) {
  return options.repetitions > 0 ? options.repetitions : usual;
}

Json point_settings(const ReproduceOptions& options, int repetitions) {
  return {{"shape", options.shape},
          {"layers", options.layers},
          {"device", point_device(options)},
          {"dtype", options.run.dtype},
          {"repetitions", repetitions}};
}

std::vector<std::string> point_obstacles(const ReproduceOptions& options,
                                         const std::string& device) {
  std::vector<std::string> obstacles;
  if (device == "cpu") obstacles.emplace_back("on a CPU");
  if (options.layers > 0) {
    obstacles.push_back(fmt::format("{} of the model's layers alone", options.layers));
  }
  return obstacles;
}

runs::Estimate median_of_turns(std::vector<double> times, double scale) {
  if (times.empty()) throw Error(ErrorKind::kCorrupt, "a point without times");
  for (double& time : times) time *= scale;
  const auto [low, high] = std::minmax_element(times.begin(), times.end());
  runs::Estimate estimate{runs::median(times), runs::median_interval(times),
                          static_cast<std::int64_t>(times.size()),
                          "median of turns, order-statistic interval"};
  if (!estimate.interval) {
    estimate.interval = runs::Interval{*low, *high};
    estimate.rule = "median of turns, the least and the greatest";
  }
  return estimate;
}

runs::Estimate ratio_of_turns(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) throw Error(ErrorKind::kCorrupt, "a point with turns of one alone");
  std::vector<double> ratios;
  for (std::size_t i = 0; i < a.size(); ++i) ratios.push_back(a[i] / b[i]);
  return median_of_turns(std::move(ratios), 1);
}

}  // namespace elastic::harness
