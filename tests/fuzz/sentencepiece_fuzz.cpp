// tokenizer.model: any bytes are a tokenizer or an Error, and a tokenizer encodes and decodes.

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "engine/tokenizer/sentencepiece_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic::engine;
  try {
    const SentencepieceModel model({reinterpret_cast<const char*>(data), size}, "fuzz",
                                   {.add_bos = true,
                                    .add_eos = true,
                                    .read_controls = true,
                                    .legacy = size % 2 == 1,
                                    .added_tokens = {{.content = "<x>", .id = 1 << 20}}});
    const auto ids = model.encode("<s>The river<x> bends\n  où 河水 \xFF</s>", true);
    model.decode(ids, false);
    model.decode(ids, true);
    model.special_ids();
  } catch (const elastic::Error&) {
  }
  return 0;
}
