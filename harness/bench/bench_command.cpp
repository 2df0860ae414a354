// `bench`: speed of one part, checked first, then timed.

#include "harness/bench/bench_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>

#include "base/csv.h"
#include "base/log.h"
#include "harness/commands/command.h"
#include "harness/commands/flag_values.h"

namespace elastic::harness {
namespace {

std::string csv_text(const Json& value) {
  if (value.is_string()) return csv_field(value.get<std::string>());
  if (value.is_null()) return "";
  return value.is_structured() ? csv_field(value.dump()) : value.dump();
}

// A row with what the measurement as a whole has to say in front: its keys that are one value each.
Json whole_row(const Json& result, const Json& row) {
  Json whole = Json::object();
  for (const auto& [key, value] : result.items()) {
    if (!value.is_structured()) whole[key] = value;
  }
  for (const auto& [key, value] : row.items()) whole[key] = value;
  return whole;
}

std::string sql_type(const Json& value) {
  if (value.is_null()) return "NUMERIC";  // what may be missing is a number
  if (value.is_number_float()) return "REAL";
  return value.is_number_integer() || value.is_boolean() ? "INTEGER" : "TEXT";
}

std::string sql_value(const Json& value) {
  if (value.is_null()) return "NULL";
  if (value.is_boolean()) return value.get<bool>() ? "1" : "0";
  if (value.is_number()) return value.dump();
  std::string text = "'";
  for (const char c : value.is_string() ? value.get<std::string>() : value.dump()) {
    text += c;
    if (c == '\'') text += c;
  }
  return text + "'";
}

// A table bench_NAME and one INSERT a row; lists are JSON text.
void print_sql(std::string_view name, const Json& result) {
  for (const Json& row : result.at("rows")) {
    const Json whole = whole_row(result, row);
    std::string columns, names, values;
    for (const auto& [key, value] : whole.items()) {
      const char* comma = names.empty() ? "" : ", ";
      columns += fmt::format("{}\"{}\" {}", comma, key, sql_type(value));
      names += fmt::format("{}\"{}\"", comma, key);
      values += comma + sql_value(value);
    }
    if (&row == &result.at("rows").front()) {
      fmt::print("CREATE TABLE IF NOT EXISTS bench_{} ({});\n", name, columns);
    }
    fmt::print("INSERT INTO bench_{} ({}) VALUES ({});\n", name, names, values);
  }
}

void print_gpu(const Json& result) {
  const auto number = [&result](const char* key) { return result[key].get<double>(); };
  const std::string reasons = result["gpu_held_back_by"].get<std::string>();
  fmt::print(
      "\nGPU meanwhile: {:.0f} MHz (least {:.0f}, at most {:.0f}), {:.0f} of {:.0f} W, {:.0f} C, "
      "{}; held back by: {}\n",
      number("gpu_sm_mhz"), number("gpu_sm_mhz_least"), number("gpu_sm_mhz_most"),
      number("gpu_watts"), number("gpu_watts_limit"), number("gpu_celsius"),
      result["gpu_joules"].is_null() ? "energy not counted"
                                     : fmt::format("{:.0f} J", number("gpu_joules")),
      reasons.empty() ? "nothing" : reasons);
}

}  // namespace

void add_bench(CLI::App& sub, int& exit_code) {
  sub.require_subcommand(1);
  add_bench_attention(sub, exit_code);
  add_bench_batch(sub, exit_code);
  add_bench_decode(sub, exit_code);
  add_bench_prefill(sub, exit_code);
  add_bench_router(sub, exit_code);
  add_bench_ruler(sub, exit_code);
  add_bench_tokenizer(sub, exit_code);
  add_bench_training(sub, exit_code);
}

void add_format_flag(CLI::App& sub, BenchFlags& flags) {
  sub.add_option(std::string(kOutputFlag) + ",--format", flags.format,
                 "Output format: md, csv, json, jsonl (one row a line) or sql")
      ->capture_default_str()
      ->check(CLI::IsMember({"json", "jsonl", "csv", "md", "sql"}, CLI::ignore_case));
}

void note_gpu(engine::GpuWatch& watch, Json& result, Faults& faults) {
  const std::optional<engine::GpuConditions> found = watch.stop();
  if (!found) return;
  result["gpu_sm_mhz"] = found->sm_mhz;
  result["gpu_sm_mhz_least"] = found->sm_mhz_least;
  result["gpu_sm_mhz_most"] = found->sm_mhz_most;
  result["gpu_watts"] = found->watts;
  result["gpu_watts_limit"] = found->watts_limit;
  result["gpu_celsius"] = found->celsius;
  result["gpu_joules"] = found->joules ? Json(*found->joules) : Json(nullptr);
  result["gpu_held_back_by"] = fmt::format("{}", fmt::join(found->held_back_by, ", "));
  faults.insert(faults.end(), found->spoiled_by.begin(), found->spoiled_by.end());
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

int print_result(std::string_view name, Json result, const Faults& faults, const BenchFlags& flags,
                 void (*csv)(const Json&), void (*markdown)(const Json&)) {
  const char* verdict = faults.empty() ? "VALID" : "INVALID";
  result["verdict"] = verdict;
  result["invalid_because"] = faults;
  if (!result.contains("notes")) result["notes"] = Json::array();
  if (flags.format == "json") {
    std::fputs(dump_pretty(result).c_str(), stdout);
  } else if (flags.format == "jsonl") {
    for (const Json& row : result["rows"]) fmt::print("{}\n", dump_line(whole_row(result, row)));
  } else if (flags.format == "sql") {
    print_sql(name, result);
  } else if (flags.format == "csv") {
    csv(result);
  } else {
    markdown(result);
    if (result.contains("gpu_sm_mhz")) print_gpu(result);
    fmt::print("\n{}\n", verdict);
    for (const Json& note : result["notes"]) fmt::print("- {}\n", note.get<std::string>());
  }
  for (const Json& note : result["notes"]) log_warning(note.get<std::string>());
  for (const std::string& fault : faults) log_warning("measurement INVALID: " + fault);
  return faults.empty() ? kExitComplete : kExitInvalid;
}

}  // namespace elastic::harness
