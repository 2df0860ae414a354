// Pattern files of static heads: any bytes are gates in [0, 1] for whole layers, or an Error.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "engine/io/head_pattern.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  try {
    const engine::HeadPattern pattern =
        engine::parse_head_pattern({reinterpret_cast<const char*>(data), size}, "fuzz");
    const auto gates = static_cast<std::int64_t>(pattern.gates.size());
    check(pattern.layers > 0 && gates == pattern.layers * pattern.kv_heads, "whole layers");
    for (const double gate : pattern.gates) check(gate >= 0 && gate <= 1, "clipped");
    for (const double sparsity : {0.0, 0.3, 1.0}) {
      const auto sparse = engine::sparse_by_share(pattern.gates, sparsity);
      const auto count = std::count(sparse.begin(), sparse.end(), 1);
      const double wanted = sparsity == 1 ? static_cast<double>(gates)
                                          : std::ceil(sparsity * static_cast<double>(gates - 1));
      check(static_cast<double>(count) == wanted, "share of streaming heads");
    }
    engine::sparse_by_threshold(pattern.gates, 0.5);
  } catch (const Error&) {
  }
  return 0;
}
