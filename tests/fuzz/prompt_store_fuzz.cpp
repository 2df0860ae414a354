// prompts/<sha256>.zst of a run folder: any bytes are a prompt or an Error.

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "runs/prompt_store.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  try {
    runs::unpack_prompt({reinterpret_cast<const char*>(data), size}, "prompt.zst");
  } catch (const Error&) {
  }
  return 0;
}
