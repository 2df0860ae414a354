// tokenizer.json, sentencepiece files and what they make of a text: any bytes are a tokenizer or an
// Error. A first byte of 0 to 127 chooses JSON, others the outer walk of a sentencepiece file.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "engine/tokenizer/byte_bpe.h"
#include "engine/tokenizer/sentencepiece_file.h"
#include "engine/tokenizer/tokenizer_spec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic::engine;
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    if (data[0] >= 128) {
      read_sentencepiece_file(input, "fuzz");
      return 0;
    }
    const ByteBpe bpe(parse_tokenizer_json(input, "fuzz"));
    // The input is also the text: encoding ends, and counting agrees with it.
    const auto ids = bpe.encode(input, false);
    elastic::check(bpe.count(input) == static_cast<std::int64_t>(ids.size()), "count");
    bpe.decode(ids, true);
  } catch (const elastic::Error&) {
  }
  return 0;
}
