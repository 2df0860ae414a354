// `--ids-file`: any bytes are token ids or an Error; the ids, written out, are read as the same.

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "base/error.h"
#include "engine/api/token_ids.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  try {
    const auto ids =
        engine::parse_ids(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
    check(!ids.empty(), "at least one id");
    std::string text;
    for (const std::int32_t id : ids) {
      check(id >= 0, "an id is not negative");
      text += fmt::format("{},", id);
    }
    check(engine::parse_ids(text, "own") == ids, "round trip");
  } catch (const Error&) {
  }
  return 0;
}
