#include "harness/commands/token_ids.h"

#include <fmt/format.h>

#include <optional>

#include "base/error.h"
#include "base/text.h"

namespace elastic::harness {

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

}  // namespace elastic::harness
