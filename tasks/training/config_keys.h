#pragma once

// Typed access to a configuration object that remembers which keys were asked for, so that a key
// nobody knows is an error with the nearest known ones.
//
//   ConfigKeys keys(config, "data");
//   const std::int64_t seed = keys.whole("seed", 1, {.least = 0});
//   keys.done();   // throws kInvalidArgument for any other key

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"

namespace elastic::tasks {

struct KeyRange {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
};

class ConfigKeys {
 public:
  /// `place` names the object in errors. Throws kInvalidArgument where it is no object.
  ConfigKeys(const Json& object, std::string place);

  std::string text(const std::string& key, std::string fallback);
  std::int64_t whole(const std::string& key, std::int64_t fallback, KeyRange range);
  double number(const std::string& key, double fallback, KeyRange range);
  std::vector<std::string> texts(const std::string& key);
  std::vector<double> numbers(const std::string& key, KeyRange range);
  /// An object of numbers, empty where the key is absent.
  std::map<std::string, double> named_numbers(const std::string& key, KeyRange range);
  /// The value of a key, or null.
  const Json& value(const std::string& key);
  const std::string& place() const { return place_; }

  [[noreturn]] void refuse(const std::string& key, const std::string& expected) const;
  void done() const;

 private:
  void check_range(const std::string& key, double value, KeyRange range) const;

  const Json& object_;
  std::string place_;
  std::vector<std::string> known_;
};

}  // namespace elastic::tasks
