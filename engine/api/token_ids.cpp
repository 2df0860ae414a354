#include "engine/api/token_ids.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/text.h"

namespace elastic::engine {

std::vector<std::int32_t> parse_ids(std::string text, std::string_view source) {
  for (char& c : text) {
    if (c == '[' || c == ']' || c == '\n' || c == '\r' || c == '\t' || c == ' ') c = ',';
  }
  std::vector<std::int32_t> ids;
  for (const std::string& part : split_list(text)) {
    const std::optional<std::int64_t> id = parse_int(part);
    if (!id || *id < 0 || *id > INT32_MAX) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: `{}` is no token id", source, part.substr(0, 40)));
    }
    ids.push_back(static_cast<std::int32_t>(*id));
  }
  if (ids.empty()) throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: no ids", source));
  return ids;
}

std::vector<std::int32_t> ids_of_line(const Json& line, const std::string& where,
                                      std::int64_t vocab_size) {
  const auto list = line.find("ids");
  if (list == line.end() || !list->is_array()) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: key `ids` must be a list of ids", where));
  }
  std::vector<std::int32_t> ids;
  ids.reserve(list->size());
  for (const Json& id : *list) {
    const bool whole = id.is_number_integer();
    if (!whole || id.get<double>() < 0 || id.get<double>() >= static_cast<double>(vocab_size)) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: `ids` holds {}, which is no id of this vocabulary (0 to {})",
                              where, id.dump(), vocab_size - 1));
    }
    ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

}  // namespace elastic::engine
