#pragma once

// Numbers as weight files store them -> floats, to the bit as the PyPI package `gguf` computes
// them. In the block types neighbours of a row share a scale (and a minimum); each function below
// names the layout of its block. Torch-free.
//
//   std::vector<float> row(columns);
//   dequantize(GgufTensorType::kQ4_K, row_bytes, row);

#include <cstdint>
#include <span>

#include "engine/io/gguf.h"

namespace elastic::engine {

float half_to_float(std::uint16_t half);

/// `bytes` are whole blocks of the type, `values` as many elements.
void dequantize(GgufTensorType type, std::span<const std::uint8_t> bytes, std::span<float> values);

}  // namespace elastic::engine
