// Blocks of every type against what the PyPI package `gguf` makes of them, to the bit.

#include "engine/io/dequantize.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "engine/io/safetensors.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

TEST(Dequantize, EveryTypeToTheBit) {
  const GgufFile stored(elastic::testing::fixture("gguf/types.gguf"));
  const SafetensorsFile expected(elastic::testing::fixture("gguf/types.golden.safetensors"));
  EXPECT_EQ(stored.tensors().size(), 11U);
  EXPECT_EQ(expected.tensors().size(), 11U);
  for (const GgufTensor& tensor : stored.tensors()) {
    EXPECT_EQ(tensor.name, to_string(tensor.type));
    const TensorView& view = expected.at(tensor.name);
    EXPECT_EQ(view.shape, tensor.shape);
    std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
    dequantize(tensor.type, tensor.bytes, values);
    ASSERT_EQ(view.bytes.size(), values.size() * sizeof(float));
    std::size_t different = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      different += stored_number<std::uint32_t>(view.bytes.data() + i * sizeof(float)) !=
                   std::bit_cast<std::uint32_t>(values[i]);
    }
    EXPECT_EQ(different, 0U) << tensor.name << " of " << values.size();
  }
}

TEST(Dequantize, BytesThatAreNoWholeBlocksAreADefect) {
  std::vector<float> values(32);
  const std::vector<std::uint8_t> bytes(34);
  EXPECT_NO_THROW(dequantize(GgufTensorType::kQ8_0, bytes, values));
  EXPECT_THROW(dequantize(GgufTensorType::kQ8_0, std::span(bytes).first(33), values),
               std::logic_error);
  values.resize(31);
  EXPECT_THROW(dequantize(GgufTensorType::kQ8_0, bytes, values), std::logic_error);
}

}  // namespace
}  // namespace elastic::engine
