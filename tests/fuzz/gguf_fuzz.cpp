// Bytes of a GGUF file: its tensors lie inside the bytes, and config, weights and tokenizer come of
// it or an Error.

#include <cstdint>
#include <variant>
#include <vector>

#include "base/error.h"
#include "engine/config/gguf_config.h"
#include "engine/config/model_config.h"
#include "engine/io/gguf_weights.h"
#include "engine/tokenizer/gguf_tokenizer.h"

namespace {

using namespace elastic::engine;

template <typename Read>
void try_to(const Read& read) {
  try {
    read();
  } catch (const elastic::Error&) {
  }
}

void read_weights(const GgufFile& file) {
  for (const auto& [ignored, weight] : gguf_weights(file)) {
    const std::int64_t rows = weight.rows(), columns = weight.tensor->elements() / rows;
    std::vector<float> values(static_cast<std::size_t>(columns));
    read_rows(weight, rows - 1, rows, values);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try_to([&] {
    const GgufFile file({data, size}, "fuzz");
    for (const GgufTensor& tensor : file.tensors()) {
      elastic::check(
          tensor.bytes.data() >= data && tensor.bytes.data() + tensor.bytes.size() <= data + size,
          "tensor inside the file");
    }
    try_to([&] {
      const elastic::Json json = gguf_config(file);
      parse_model_config({json, "fuzz"});
    });
    try_to([&] { read_weights(file); });
    try_to([&] {
      const auto model = gguf_tokenizer(file);
      std::visit([](const auto& one) { one.decode(one.encode("a river", true), false); }, model);
    });
  });
  return 0;
}
