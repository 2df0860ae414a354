#include "harness/reproduce/points.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/api/gpu_watch.h"
#include "engine/api/make_generator.h"
#include "harness/bench/bench_command.h"
#include "harness/run/build_info.h"
#include "reports/paper_columns.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAuto = "auto";

std::string machine_of(const std::string& device) {
  if (device == "cpu") return cpu_name();
  constexpr std::string_view kAccelerator = "accelerator: ";
  for (const std::string& line : engine::describe_engine()) {
    if (line.starts_with(kAccelerator)) return line.substr(kAccelerator.size());
  }
  return device;
}

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
  engine::GpuWatch watch(place.settings.at("device").get<std::string>());
  Json result = measure();
  Faults faults;
  note_gpu(watch, result, faults);
  result["machine"] = machine_of(result.at("device"));
  result["faults"] = faults;
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

std::vector<std::string> point_obstacles(const ReproduceOptions& options, const Json& point) {
  std::vector<std::string> obstacles = point.at("faults").get<std::vector<std::string>>();
  if (point.at("device") == "cpu") obstacles.emplace_back("on a CPU");
  if (options.layers > 0) {
    obstacles.push_back(fmt::format("{} of the model's layers alone", options.layers));
  }
  return obstacles;
}

std::string machines_of(const std::vector<Json>& points) {
  std::vector<std::string> machines;
  for (const Json& point : points) {
    const std::string machine = point.at("machine");
    if (std::find(machines.begin(), machines.end(), machine) == machines.end()) {
      machines.push_back(machine);
    }
  }
  return join(machines, " and ");
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
