// Text of a config.json: a ModelConfig with usable sizes or an Error.

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "engine/config/model_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic::engine;
  try {
    const elastic::Json json =
        elastic::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
    const ModelConfig config = parse_model_config({json, "fuzz"});
    elastic::check(
        config.layers > 0 && config.heads_q % config.heads_kv == 0 && config.head_dim % 2 == 0,
        "sizes agree");
    elastic::check(config.rms_eps >= 0 && config.rope.theta > 0 && config.rope.factor > 0,
                   "numbers are sane");
  } catch (const elastic::Error&) {
  }
  return 0;
}
