#include "engine/api/tokenizer.h"
#include "tasks/ruler/generate.h"

namespace elastic::tasks {

TokenCounter whitespace_counter() {
  return {.id = "ws", .count = [](std::string_view text) {
            std::int64_t runs = 0;
            bool inside = false;
            for (const char c : text) {
              const bool space = c == ' ' || (c >= '\t' && c <= '\r');
              if (!space && !inside) ++runs;
              inside = !space;
            }
            return runs;
          }};
}

TokenCounter byte_counter() {
  return {.id = "bytes4", .count = [](std::string_view text) {
            return static_cast<std::int64_t>((text.size() + 3) / 4);
          }};
}

TokenCounter model_counter(const engine::Tokenizer& tokenizer) {
  return {.id = tokenizer.sha256(),
          .count = [&tokenizer](std::string_view text) { return tokenizer.count(text); }};
}

}  // namespace elastic::tasks
