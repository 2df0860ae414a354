#include "runs/record_json.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "base/text.h"

namespace elastic::runs {
namespace {

template <typename T>
Json optional_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

template <>
Json optional_json(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? Json(*value) : Json(nullptr);
}

[[noreturn]] void wrong(const JsonSource& in, std::string_view key, std::string_view expected) {
  throw Error(ErrorKind::kCorrupt, fmt::format("{}: key `{}` is not {}", in.source, key, expected));
}

const Json* find(const JsonSource& in, std::string_view key) {
  const auto it = in.object.find(key);
  return it == in.object.end() || it->is_null() ? nullptr : &*it;
}

// What a count may be: sums over any number of records stay far from the end of 64 bits.
constexpr std::int64_t kMostCounted = std::int64_t{1} << 48;
constexpr double kLongestMs = 1e12;  // 30 years
constexpr double kMostJoules = 1e12;

std::int64_t required_count(const JsonSource& in, std::string_view key) {
  const auto value = json_get<std::int64_t>(in, key);
  if (value < 0 || value > kMostCounted) wrong(in, key, "a count (0 to 2^48)");
  return value;
}

std::optional<std::int64_t> optional_count(const JsonSource& in, std::string_view key) {
  if (find(in, key) == nullptr) return std::nullopt;
  return required_count(in, key);
}

std::int64_t count(const JsonSource& in, std::string_view key) {
  return optional_count(in, key).value_or(0);
}

std::optional<double> optional_between(const JsonSource& in, std::string_view key, double most) {
  if (find(in, key) == nullptr) return std::nullopt;
  const auto value = json_get<double>(in, key);
  if (!(value >= 0 && value <= most)) wrong(in, key, fmt::format("between 0 and {}", most));
  return value;
}

std::optional<double> optional_share(const JsonSource& in, std::string_view key) {
  return optional_between(in, key, 1);
}

// A share that may lie above 1.
std::optional<double> optional_ratio(const JsonSource& in, std::string_view key) {
  return optional_between(in, key, 1000);
}

std::optional<double> optional_ms(const JsonSource& in, std::string_view key) {
  return optional_between(in, key, kLongestMs);
}

std::vector<std::string> strings(const JsonSource& in, std::string_view key) {
  std::vector<std::string> out;
  const Json* array = find(in, key);
  if (array == nullptr) return out;
  if (!array->is_array()) wrong(in, key, "a list of strings");
  for (const Json& item : *array) {
    if (!item.is_string()) wrong(in, key, "a list of strings");
    out.push_back(item.get<std::string>());
  }
  return out;
}

std::map<std::string, std::string> string_map(const JsonSource& in, std::string_view key) {
  std::map<std::string, std::string> out;
  const Json* object = find(in, key);
  if (object == nullptr) return out;
  if (!object->is_object()) wrong(in, key, "an object of strings");
  for (const auto& [name, value] : object->items()) {
    if (!value.is_string()) wrong(in, key, "an object of strings");
    out[name] = value.get<std::string>();
  }
  return out;
}

std::vector<std::string> routing_rows(const JsonSource& in) {
  std::vector<std::string> rows = strings(in, "routing");
  for (const std::string& row : rows) {
    if (row.find_first_not_of("01") != std::string::npos || row.size() != rows.front().size()) {
      wrong(in, "routing", "a list of strings of 0 and 1, equally long");
    }
  }
  return rows;
}

Json esr_json(const SampleRecord& r) {
  if (!r.esr_last_query && !r.esr_last_layer && !r.esr_all_layers) return nullptr;
  return Json{{"last_query", optional_json(r.esr_last_query)},
              {"last_layer", optional_json(r.esr_last_layer)},
              {"all_layers", optional_json(r.esr_all_layers)}};
}

void read_esr(const JsonSource& in, SampleRecord& r) {
  const Json* object = find(in, "esr");
  if (object == nullptr) return;
  if (!object->is_object()) wrong(in, "esr", "an object");
  const JsonSource esr{*object, in.source + ", esr"};
  r.esr_last_query = optional_share(esr, "last_query");
  r.esr_last_layer = optional_share(esr, "last_layer");
  r.esr_all_layers = optional_share(esr, "all_layers");
}

void read_times(const JsonSource& in, SampleRecord& r) {
  r.prefill_ms = optional_ms(in, "prefill_ms");
  r.router_ms = optional_ms(in, "router_ms");
  r.select_ms = optional_ms(in, "select_ms");
  r.attention_ms = optional_ms(in, "attention_ms");
  r.ttft_ms = optional_ms(in, "ttft_ms");
  r.decode_ms = optional_ms(in, "decode_ms");
  r.later_prefill_ms = optional_ms(in, "later_prefill_ms");
}

template <typename Key, typename Value>
Json keyed_json(const std::map<Key, Value>& values) {
  Json object = Json::object();
  for (const auto& [key, value] : values) object[to_string(key)] = value;
  return object;
}

// A task's name holds no '|', and what stands before it, a mode, none either.
DataKey data_key(const JsonSource& in, std::string_view name) {
  const std::size_t bar = name.rfind('|');
  const auto length =
      bar == std::string_view::npos ? std::nullopt : parse_int(name.substr(bar + 1));
  if (!length || *length < 0) wrong(in, name, "a key task|length");
  return {std::string(name.substr(0, bar)), *length};
}

CellKey cell_key(const JsonSource& in, std::string_view name) {
  const std::size_t bar = name.find('|');
  if (bar == std::string_view::npos) wrong(in, name, "a key mode|task|length");
  DataKey data = data_key(in, name.substr(bar + 1));
  return {std::string(name.substr(0, bar)), std::move(data.task), data.length};
}

constexpr std::pair<Outcome, const char*> kOutcomes[] = {{Outcome::kOk, "ok"},
                                                         {Outcome::kError, "error"},
                                                         {Outcome::kOom, "oom"},
                                                         {Outcome::kNonFinite, "nonfinite"},
                                                         {Outcome::kThinking, "thinking"}};

Outcome read_outcome(const JsonSource& in) {
  const auto word = json_get_or<std::string>(in, "outcome", "ok");
  for (const auto& [outcome, name] : kOutcomes) {
    if (word == name) return outcome;
  }
  wrong(in, "outcome", "ok, error, oom, nonfinite or thinking");
}

}  // namespace

std::string to_string(const CellKey& cell) {
  return fmt::format("{}|{}|{}", cell.mode, cell.task, cell.length);
}

std::string to_string(const DataKey& data) { return fmt::format("{}|{}", data.task, data.length); }

const char* to_string(Outcome outcome) {
  for (const auto& [known, name] : kOutcomes) {
    if (outcome == known) return name;
  }
  return "error";
}

std::string record_line(const SampleRecord& r) {
  Json j;
  j["key"] = r.key;
  j["model"] = r.model;
  j["mode"] = r.mode;
  j["task"] = r.task;
  j["length"] = r.length;
  j["index"] = r.index;
  j["prompt_sha256"] = r.prompt_sha256;
  j["ids_sha256"] = r.ids_sha256;
  j["prompt_tokens"] = r.prompt_tokens;
  j["truncated_tokens"] = r.truncated_tokens;
  j["prediction"] = r.prediction;
  j["references"] = r.references;
  j["metric"] = r.metric;
  j["score"] = optional_json(r.score);
  j["outcome"] = to_string(r.outcome);
  j["error"] = optional_json(r.error);
  j["msr"] = optional_json(r.msr);
  j["esr"] = esr_json(r);
  j["block_density"] = optional_json(r.block_density);
  j["pv_density"] = optional_json(r.pv_density);
  j["read_share"] = optional_json(r.read_share);
  j["fallback_share"] = optional_json(r.fallback_share);
  j["routing"] = r.routing.empty() ? Json(nullptr) : Json(r.routing);
  j["prefill_ms"] = optional_json(r.prefill_ms);
  j["router_ms"] = optional_json(r.router_ms);
  j["select_ms"] = optional_json(r.select_ms);
  j["attention_ms"] = optional_json(r.attention_ms);
  j["ttft_ms"] = optional_json(r.ttft_ms);
  j["decode_ms"] = optional_json(r.decode_ms);
  j["output_tokens"] = r.output_tokens;
  j["peak_bytes"] = optional_json(r.peak_bytes);
  j["kv_bytes"] = optional_json(r.kv_bytes);
  j["kv_bytes_full"] = optional_json(r.kv_bytes_full);
  j["joules"] = optional_json(r.joules);
  j["batch"] = optional_json(r.batch);
  if (r.passes != 1) {
    j["passes"] = r.passes;
    j["later_prefill_ms"] = optional_json(r.later_prefill_ms);
  }
  if (!r.all_classes.empty()) j["all_classes"] = r.all_classes;
  if (!r.strata.empty()) j["strata"] = r.strata;
  return dump_line(j) + "\n";
}

SampleRecord record_from_json(const JsonSource& in) {
  SampleRecord r;
  r.key = json_get<std::string>(in, "key");
  r.model = json_get_or<std::string>(in, "model", "");
  r.mode = json_get<std::string>(in, "mode");
  r.task = json_get<std::string>(in, "task");
  if (r.key.empty() || r.mode.empty() || r.task.empty()) wrong(in, "key, mode, task", "given");
  r.length = count(in, "length");
  r.index = required_count(in, "index");
  r.prompt_sha256 = json_get_or<std::string>(in, "prompt_sha256", "");
  r.ids_sha256 = json_get_or<std::string>(in, "ids_sha256", "");
  r.prompt_tokens = count(in, "prompt_tokens");
  r.truncated_tokens = count(in, "truncated_tokens");
  r.prediction = json_get_or<std::string>(in, "prediction", "");
  r.references = strings(in, "references");
  r.metric = json_get_or<std::string>(in, "metric", "");
  r.score = optional_share(in, "score");
  r.outcome = read_outcome(in);
  if (find(in, "error") != nullptr) r.error = json_get<std::string>(in, "error");
  r.msr = optional_share(in, "msr");
  read_esr(in, r);
  r.block_density = optional_share(in, "block_density");
  r.pv_density = optional_share(in, "pv_density");
  r.read_share = optional_ratio(in, "read_share");
  r.fallback_share = optional_share(in, "fallback_share");
  r.routing = routing_rows(in);
  read_times(in, r);
  r.output_tokens = count(in, "output_tokens");
  r.peak_bytes = optional_count(in, "peak_bytes");
  r.kv_bytes = optional_count(in, "kv_bytes");
  r.kv_bytes_full = optional_count(in, "kv_bytes_full");
  r.joules = optional_between(in, "joules", kMostJoules);
  r.batch = optional_count(in, "batch");
  r.passes = optional_count(in, "passes").value_or(1);
  r.all_classes = strings(in, "all_classes");
  r.strata = string_map(in, "strata");
  return r;
}

Json spec_to_json(const RunSpec& spec) {
  Json j;
  j["schema_version"] = spec.schema_version;
  j["created"] = spec.created;
  j["settings"] = spec.settings;
  j["environment"] = spec.environment;
  j["modes"] = spec.modes;
  j["mode_options"] = spec.mode_options;
  j["tasks"] = spec.tasks;
  j["lengths"] = spec.lengths;
  j["planned_samples"] = spec.planned_samples;
  j["planned"] = keyed_json(spec.planned);
  j["data_ids"] = keyed_json(spec.data_ids);
  j["source_ids"] = spec.source_ids;
  j["licences"] = spec.licences;
  j["categories"] = spec.categories;
  j["templates"] = spec.templates;
  return j;
}

RunSpec spec_from_json(const JsonSource& in) {
  RunSpec spec;
  const auto version = json_get<std::int64_t>(in, "schema_version");
  if (version < 1) wrong(in, "schema_version", "1 or more");
  if (version > kSchemaVersion) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: schema_version {} is newer than this program reads ({}); use a "
                            "newer elastic-bench",
                            in.source, version, kSchemaVersion));
  }
  spec.schema_version = static_cast<int>(version);
  spec.created = json_get_or<std::string>(in, "created", "");
  spec.settings = string_map(in, "settings");
  spec.environment = string_map(in, "environment");
  spec.modes = strings(in, "modes");
  spec.mode_options = string_map(in, "mode_options");
  spec.tasks = strings(in, "tasks");
  if (const Json* lengths = find(in, "lengths"); lengths != nullptr) {
    if (!lengths->is_array()) wrong(in, "lengths", "a list of token counts");
    for (const Json& item : *lengths) {
      const std::int64_t length = item.is_number_integer() ? item.get<std::int64_t>() : -1;
      if (length < 0 || length > kMostCounted) wrong(in, "lengths", "a list of token counts");
      spec.lengths.push_back(length);
    }
  }
  spec.planned_samples = count(in, "planned_samples");
  if (const Json* planned = find(in, "planned"); planned != nullptr) {
    if (!planned->is_object()) wrong(in, "planned", "an object of counts");
    const JsonSource counts{*planned, in.source + ", planned"};
    for (const auto& [name, value] : planned->items()) {
      spec.planned[cell_key(counts, name)] = count(counts, name);
    }
  }
  for (auto& [name, id] : string_map(in, "data_ids")) {
    spec.data_ids[data_key({in.object, in.source + ", data_ids"}, name)] = std::move(id);
  }
  spec.source_ids = string_map(in, "source_ids");
  spec.licences = string_map(in, "licences");
  spec.categories = string_map(in, "categories");
  spec.templates = string_map(in, "templates");
  return spec;
}

}  // namespace elastic::runs
