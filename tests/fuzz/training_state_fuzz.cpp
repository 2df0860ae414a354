// Bytes of a training's state file: its tensors and a header that a run can go on from, or an
// Error. What was read is written back to the same header.

#include <cstdint>
#include <string>

#include "base/error.h"
#include "engine/io/safetensors.h"
#include "engine/io/state_header.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic::engine;
  try {
    for (const TensorView& tensor : parse_safetensors({data, size}, "fuzz")) {
      if (tensor.name != kStateHeader) continue;
      const StateHeader header = parse_state_header(tensor, "fuzz");
      elastic::check(header.step >= 0 && header.tokens >= 0, "counts");
      const std::string text = state_header_text(header);
      const TensorView again{kStateHeader,
                             TensorType::kU8,
                             {static_cast<std::int64_t>(text.size())},
                             {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}};
      elastic::check(parse_state_header(again, "own").options == header.options, "round trip");
      compare_state_options("fuzz", header.options, R"({"seed":42,"optimizer.lr":0.001})");
    }
  } catch (const elastic::Error&) {
  }
  return 0;
}
