// Bytes of a safetensors file: a checked tensor list or an Error; every tensor handed out lies
// inside the bytes.

#include <cstdint>
#include <span>

#include "base/error.h"
#include "engine/io/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic::engine;
  try {
    std::size_t total = 0;
    for (const TensorView& tensor : parse_safetensors({data, size}, "fuzz")) {
      elastic::check(
          tensor.bytes.empty() || (tensor.bytes.data() >= data &&
                                   tensor.bytes.data() + tensor.bytes.size() <= data + size),
          "tensor inside the file");
      total += tensor.bytes.size();
      if (tensor.type > TensorType::kBF16) continue;  // integers
      elastic::check(float_values(tensor).size() * item_size(tensor.type) == tensor.bytes.size(),
                     "values fill the bytes");
    }
    elastic::check(total < size, "tensors tile the data");
  } catch (const elastic::Error&) {
  }
  return 0;
}
