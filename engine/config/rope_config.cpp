#include "engine/config/rope_config.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"

namespace elastic::engine {
namespace {

[[noreturn]] void corrupt(const JsonSource& in, std::string_view key, double value) {
  throw Error(ErrorKind::kCorrupt, fmt::format("{}: `{}` is {}", in.source, key, value));
}

double positive_number(const JsonSource& in, const char* key, double value) {
  if (!std::isfinite(value) || value <= 0) corrupt(in, key, value);
  return value;
}

double required(const JsonSource& in, const char* key) {
  return positive_number(in, key, json_get<double>(in, key));
}

double optional(const JsonSource& in, const char* key, double fallback) {
  return positive_number(in, key, json_get_or<double>(in, key, fallback));
}

std::int64_t original_positions(const JsonSource& in, std::int64_t max_positions) {
  const auto value =
      json_get_or<std::int64_t>(in, "original_max_position_embeddings", max_positions);
  if (value < 1) corrupt(in, "original_max_position_embeddings", static_cast<double>(value));
  return value;
}

double magnitude(double factor, double scale) {
  return factor <= 1 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0;
}

void read_llama3(const JsonSource& in, RopeConfig& rope) {
  rope.type = RopeType::kLlama3;
  rope.factor = required(in, "factor");
  rope.low_freq_factor = required(in, "low_freq_factor");
  rope.high_freq_factor = required(in, "high_freq_factor");
  if (rope.high_freq_factor <= rope.low_freq_factor)
    corrupt(in, "high_freq_factor", rope.high_freq_factor);
  rope.original_max_positions = json_get<std::int64_t>(in, "original_max_position_embeddings");
  if (rope.original_max_positions < 1) {
    corrupt(in, "original_max_position_embeddings",
            static_cast<double>(rope.original_max_positions));
  }
}

void read_yarn(const JsonSource& in, std::int64_t max_positions, RopeConfig& rope) {
  rope.type = RopeType::kYarn;
  rope.factor = required(in, "factor");
  rope.original_max_positions = original_positions(in, max_positions);
  rope.beta_fast = optional(in, "beta_fast", 32);
  rope.beta_slow = optional(in, "beta_slow", 1);
  rope.truncate = json_get_or<bool>(in, "truncate", true);
  const auto given = [&](const char* key) { return json_get_or<double>(in, key, 0.0); };
  if (given("attention_factor") != 0) {
    rope.attention_factor = optional(in, "attention_factor", 1);
  } else if (given("mscale") != 0 && given("mscale_all_dim") != 0) {
    rope.attention_factor =
        magnitude(rope.factor, given("mscale")) / magnitude(rope.factor, given("mscale_all_dim"));
  } else {
    rope.attention_factor = magnitude(rope.factor, 1);
  }
}

void read_factors(const JsonSource& in, RopeConfig& rope) {
  rope.type = RopeType::kFactors;
  const auto it = in.object.find("factors");
  if (it == in.object.end() || !it->is_array() || it->empty()) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: `factors` is missing or no list of numbers", in.source));
  }
  for (const Json& entry : *it) {
    const Json holder = {{"factors", entry}};
    rope.factors.push_back(required({holder, in.source}, "factors"));
  }
}

}  // namespace

RopeConfig parse_rope_config(const JsonSource& config, std::int64_t max_positions) {
  RopeConfig rope;
  const bool newer =
      config.object.contains("rope_parameters") && !config.object["rope_parameters"].is_null();
  const char* key = newer ? "rope_parameters" : "rope_scaling";
  rope.theta = optional(config, "rope_theta", rope.theta);
  if (!config.object.contains(key) || config.object[key].is_null()) return rope;
  const Json& object = config.object[key];
  const JsonSource in{object, fmt::format("{}: {}", config.source, key)};
  if (!object.is_object()) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: `{}` is not an object", config.source, key));
  }
  rope.theta = optional(in, "rope_theta", rope.theta);
  const std::string type = json_get_or<std::string>(
      in, object.contains("rope_type") ? "rope_type" : "type", newer ? "default" : "");
  if (type == "linear") {
    rope.type = RopeType::kLinear;
    rope.factor = required(in, "factor");
  } else if (type == "llama3") {
    read_llama3(in, rope);
  } else if (type == "yarn") {
    read_yarn(in, max_positions, rope);
  } else if (type == "factors") {
    read_factors(in, rope);
  } else if (type.empty()) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: key `rope_type` is missing", in.source));
  } else if (type != "default") {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: rope_type `{}`; known: default, linear, llama3, yarn, factors",
                            in.source, type));
  }
  return rope;
}

}  // namespace elastic::engine
