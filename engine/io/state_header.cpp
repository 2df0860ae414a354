#include "engine/io/state_header.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/json.h"

namespace elastic::engine {

std::string state_header_text(const StateHeader& header) {
  return Json{{"step", header.step}, {"tokens", header.tokens}, {"options", header.options}}.dump();
}

StateHeader parse_state_header(const TensorView& text, const std::string& source) {
  const Json json =
      parse_json({reinterpret_cast<const char*>(text.bytes.data()), text.bytes.size()}, source);
  const JsonSource keys{json, source};
  StateHeader header{json_get<std::int64_t>(keys, "step"), json_get<std::int64_t>(keys, "tokens"),
                     json_get<std::string>(keys, "options")};
  if (header.step < 0 || header.tokens < 0) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: `step` is {} and `tokens` {}, expected 0 or "
                                                 "more",
                                                 source, header.step, header.tokens));
  }
  return header;
}

void compare_state_options(const std::string& source, const std::string& stored,
                           const std::string& wanted) {
  if (stored == wanted) return;
  const Json before = parse_json(stored, source), now = parse_json(wanted, "options");
  for (const auto& [key, value] : now.items()) {
    const Json old = before.contains(key) ? before[key] : Json();
    if (old == value) continue;
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: was trained with `{}` {}, now it is {}; resume with the same "
                            "options or choose another output folder",
                            source, key, dump_line(old), dump_line(value)));
  }
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{}: was trained with other options: {}", source, stored));
}

}  // namespace elastic::engine
