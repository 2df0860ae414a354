// vocab.json and merges.txt: the first line is the one, the others are the other; any bytes are a
// tokenizer or an Error.

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "engine/tokenizer/byte_bpe.h"
#include "engine/tokenizer/tokenizer_spec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic::engine;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\n'), input.size());
  const std::string_view merges = input.substr(std::min(end + 1, input.size()));
  const TokenizerConfig config{
      .source = "config",
      .tokenizer_class = size % 2 == 0 ? "Qwen2Tokenizer" : "GPT2Tokenizer",
      .add_prefix_space = size % 3 == 0,
      .added_tokens = {{.content = "<x>", .id = 9, .special = true}}};
  try {
    const ByteBpe bpe(
        parse_vocab_and_merges(input.substr(0, end), "vocab", merges, "merges", config));
    const auto ids = bpe.encode(input, true);
    elastic::check(bpe.count(input) == static_cast<std::int64_t>(ids.size()), "count");
    bpe.decode(ids, true);
  } catch (const elastic::Error&) {
  }
  return 0;
}
