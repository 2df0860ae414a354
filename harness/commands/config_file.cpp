#include "harness/commands/config_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/registry.h"
#include "base/text.h"
#include "harness/commands/flag_values.h"

namespace elastic::harness {
namespace {

std::string option_text(const Json& value, const std::string& where) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean() || value.is_number()) return value.dump();
  if (value.is_array()) {
    std::vector<std::string> items;
    for (const Json& item : value) {
      if (item.is_array()) break;
      items.push_back(option_text(item, where));
    }
    if (items.size() == value.size()) return join(items, ",");
  }
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{} is {}, expected a string, a number, true, false or a list of these",
                          where, dump_line(value)));
}

std::vector<std::string> flag_names(const CLI::App& sub) {
  std::vector<std::string> names;
  for (const CLI::Option* option : sub.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      if (name != "config" && name != "help") names.push_back(name);
    }
  }
  return names;
}

}  // namespace

void add_config_flag(CLI::App& sub, std::string& path) {
  sub.add_option("--config", path, "JSON file of flags; a flag given here beats the file")
      ->check(input_file());
}

void apply_config_file(CLI::App& sub, const std::string& path) {
  if (!path.empty()) apply_config(sub, read_json(path), path);
}

void apply_config(CLI::App& sub, const Json& config, const std::string& source) {
  if (!config.is_object()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: expected a JSON object of flags", source));
  }
  const std::vector<std::string> known = flag_names(sub);
  for (const auto& [key, value] : config.items()) {
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', '-');
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: {}", source, unknown_name("key", key, known)));
    }
    const std::string where = fmt::format("{}: key `{}`", source, key);
    CLI::Option* option = sub.get_option("--" + name);
    if (option->count() > 0 || value.is_null()) continue;
    try {
      option->add_result(option_text(value, where));
      option->run_callback();
    } catch (const CLI::Error& error) {
      throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: {}", where, error.what()));
    }
  }
}

}  // namespace elastic::harness
