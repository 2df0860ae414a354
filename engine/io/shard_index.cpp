#include "engine/io/shard_index.h"

#include <fmt/format.h>

#include "base/error.h"

namespace elastic::engine {
namespace {

constexpr std::size_t kLongestName = 255;  // of a file, on Linux

bool is_file_name(const std::string& name) {
  return !name.empty() && name.size() <= kLongestName && name != "." && name != ".." &&
         name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
}

}  // namespace

std::map<std::string, std::string> parse_shard_index(const JsonSource& in) {
  const Json& json = in.object;
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: key `weight_map` is missing or no object", in.source));
  }
  std::map<std::string, std::string> files;
  for (const auto& [tensor, file] : json["weight_map"].items()) {
    if (!file.is_string()) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: `weight_map` of `{}` is no file name", in.source, tensor));
    }
    const auto name = file.get<std::string>();
    if (!is_file_name(name)) {
      throw Error(
          ErrorKind::kCorrupt,
          fmt::format("{}: `weight_map` names `{}`, not a plain file name", in.source, name));
    }
    files.emplace(tensor, name);
  }
  return files;
}

}  // namespace elastic::engine
