// Text of a router.json: an adapter with usable sizes or an Error.

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "engine/io/router_adapter.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic::engine;
  try {
    const elastic::Json json =
        elastic::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
    const RouterAdapter adapter = parse_router_adapter({json, "fuzz"});
    elastic::check(adapter.layers > 0 && adapter.heads_kv > 0 && adapter.head_dim > 0 &&
                       adapter.expansion > 0 && adapter.base_sha256.size() == 64,
                   "sizes and hash are there");
  } catch (const elastic::Error&) {
  }
  return 0;
}
