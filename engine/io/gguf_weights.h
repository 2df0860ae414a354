#pragma once

// The tensors of a GGUF file as a Hugging Face checkpoint has them: under its names, with the rows
// of q and k in its order. Torch-free.
//
//   for (const auto& [name, weight] : gguf_weights(file)) ...  //
//   "model.layers.0.mlp.up_proj.weight"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "engine/io/gguf.h"

namespace elastic::engine {

struct GgufWeight {
  const GgufTensor* tensor = nullptr;  // of the file
  // Row 2i of one of so many heads is the head's row i, row 2i + 1 its row i + d/2 (the pairs of
  // RoPE side by side); 0: rows stand as they are.
  std::int64_t interleaved_heads = 0;

  std::int64_t rows() const;
};

/// By Hugging Face's name; those that it has none for keep their own. Throws as gguf_config(), and
/// kCorrupt for heads that do not divide the rows.
std::map<std::string, GgufWeight> gguf_weights(const GgufFile& file);

/// What the file calls the tensor of that name in Hugging Face's terms, for errors.
std::string gguf_name(std::string_view hugging_face);

/// Rows [begin, end) in Hugging Face's order, dequantised.
void read_rows(const GgufWeight& weight, std::int64_t begin, std::int64_t end,
               std::span<float> values);

}  // namespace elastic::engine
