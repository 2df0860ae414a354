#include "tasks/training/config_keys.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/error.h"

namespace elastic::tasks {

namespace {
const Json kNull;
}  // namespace

ConfigKeys::ConfigKeys(const Json& object, std::string place)
    : object_(object), place_(std::move(place)) {
  if (!object.is_object()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: expected a JSON object, not {}", place_, dump_line(object)));
  }
}

void ConfigKeys::refuse(const std::string& key, const std::string& expected) const {
  throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: key `{}` is {}, expected {}", place_,
                                                       key, dump_line(object_.at(key)), expected));
}

const Json& ConfigKeys::value(const std::string& key) {
  known_.push_back(key);
  const auto it = object_.find(key);
  return it == object_.end() ? kNull : *it;
}

void ConfigKeys::check_range(const std::string& key, double value, KeyRange range) const {
  if (std::isfinite(value) && value >= range.least && value <= range.most) return;
  refuse(key, std::isfinite(range.most) ? fmt::format("{} to {}", range.least, range.most)
                                        : fmt::format("a number of at least {}", range.least));
}

std::string ConfigKeys::text(const std::string& key, std::string fallback) {
  const Json& found = value(key);
  if (found.is_null()) return fallback;
  if (!found.is_string()) refuse(key, "a string");
  return found.get<std::string>();
}

std::int64_t ConfigKeys::whole(const std::string& key, std::int64_t fallback, KeyRange range) {
  const Json& found = value(key);
  if (found.is_null()) return fallback;
  if (!found.is_number_integer()) refuse(key, "a whole number");
  check_range(key, found.get<double>(), range);
  return found.get<std::int64_t>();
}

double ConfigKeys::number(const std::string& key, double fallback, KeyRange range) {
  const Json& found = value(key);
  if (found.is_null()) return fallback;
  if (!found.is_number()) refuse(key, "a number");
  check_range(key, found.get<double>(), range);
  return found.get<double>();
}

std::vector<std::string> ConfigKeys::texts(const std::string& key) {
  const Json& found = value(key);
  if (found.is_null()) return {};
  if (found.is_string()) return {found.get<std::string>()};
  const bool strings =
      found.is_array() &&
      std::all_of(found.begin(), found.end(), [](const Json& item) { return item.is_string(); });
  if (!strings) refuse(key, "a list of strings");
  return found.get<std::vector<std::string>>();
}

std::vector<double> ConfigKeys::numbers(const std::string& key, KeyRange range) {
  const Json& found = value(key);
  if (found.is_null()) return {};
  if (!found.is_array()) refuse(key, "a list of numbers");
  std::vector<double> numbers;
  for (const Json& item : found) {
    if (!item.is_number()) refuse(key, "a list of numbers");
    numbers.push_back(item.get<double>());
    check_range(key, numbers.back(), range);
  }
  return numbers;
}

std::map<std::string, double> ConfigKeys::named_numbers(const std::string& key, KeyRange range) {
  const Json& found = value(key);
  if (found.is_null()) return {};
  if (!found.is_object()) refuse(key, "an object of numbers");
  std::map<std::string, double> numbers;
  for (const auto& [name, item] : found.items()) {
    if (!item.is_number()) refuse(key, "an object of numbers");
    numbers[name] = item.get<double>();
    check_range(key, numbers[name], range);
  }
  return numbers;
}

void ConfigKeys::done() const { refuse_unknown_keys({object_, place_}, known_); }

}  // namespace elastic::tasks
