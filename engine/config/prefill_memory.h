#pragma once

// How prefill cuts its rows and what a cut costs: the one rule that the engine runs by and that
// `plan` predicts with. Torch-free.
//
//   const std::int64_t rows = std::min(prefill_chunk_rows(shape), prompt_tokens);
//   const std::int64_t bytes = prefill_chunk_bytes(shape, rows, merges);

#include <cstdint>

namespace elastic::engine {

struct PrefillShape {
  std::int64_t hidden = 0, intermediate = 0;
  std::int64_t q_width = 0;  // query heads * head_dim
  std::int64_t element_bytes = 4;
  bool cpu = true;
};

/// Rows that keep a chunk's temporaries near 512 MiB (2 GiB on a GPU), whole 1024s.
std::int64_t prefill_chunk_rows(const PrefillShape& shape);

/// Most bytes alive at once beside weights, K/V and the prompt's activations [tokens, hidden] while
/// a chunk of `rows` runs. `merges`: attention comes in two parts that are joined in fp32, as that
/// of streaming heads (sinks, window) and of chunks behind other chunks does on a GPU.
std::int64_t prefill_chunk_bytes(const PrefillShape& shape, std::int64_t rows, bool merges);

}  // namespace elastic::engine
