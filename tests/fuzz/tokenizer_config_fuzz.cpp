// tokenizer_config.json: any bytes are settings or an Error.

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "engine/tokenizer/tokenizer_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    elastic::engine::parse_tokenizer_config({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const elastic::Error&) {
  }
  return 0;
}
