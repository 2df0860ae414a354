// A prompt kept beside a run: any bytes are a text or an Error.

#include <cstdint>

#include "base/error.h"
#include "runs/prompt_store.h"
#include "tests/fuzz/input_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  try {
    runs::unpack_prompt(testing::input_text(data, size), "fuzz");
  } catch (const Error&) {
  }
  return 0;
}
