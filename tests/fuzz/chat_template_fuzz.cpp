// Chat templates: any bytes are a rendered text or an Error.

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "engine/api/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  const std::vector<engine::ChatMessage> messages = {{"system", "a"}, {"user", "b {{ c }}"}};
  try {
    const engine::ChatTemplate chat(source, "fuzz", {{"bos_token", "<s>"}});
    chat.render(messages, {.add_generation_prompt = true, .enable_thinking = false});
  } catch (const Error&) {
  }
  return 0;
}
