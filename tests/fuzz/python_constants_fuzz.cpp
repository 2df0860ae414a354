// Python sources: any bytes are constants, none, or an Error; and a prompt pack or an Error.

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "datasets/build_prompt_pack.h"
#include "datasets/python_literals.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    datasets::python_constant(text, "X", "fuzz.py");
  } catch (const Error&) {
  }
  try {
    datasets::check_prompt_pack(parse_json(text, "pack"), "pack");
  } catch (const Error&) {
  }
  return 0;
}
