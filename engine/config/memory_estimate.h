#pragma once

// How prefill cuts its rows, what a cut costs, and from these the peak memory of a batch: the one
// rule that the engine runs by and that `plan` predicts with. Torch-free.
//
//   const std::int64_t rows = std::min(prefill_chunk_rows(shape), prompt_tokens);
//   const MemoryEstimate memory = estimate_memory(config, {.prompt_tokens = 4096, .cpu = true});

#include <cstdint>

#include "engine/config/model_config.h"

namespace elastic::engine {

inline constexpr std::int64_t kKvRows = 64;  // tokens that a K/V cache grows by

struct PrefillShape {
  std::int64_t hidden = 0, intermediate = 0;
  std::int64_t q_width = 0, kv_width = 0;  // query heads, KV heads, * head_dim
  std::int64_t element_bytes = 4;
  bool cpu = true;
  bool norms_heads = false;  // queries and keys, before RoPE
};

PrefillShape prefill_shape(const ModelConfig& config, std::int64_t element_bytes, bool cpu);

/// Rows that keep a chunk's temporaries near 512 MiB (2 GiB on a GPU), whole 1024s, 8192 at most:
/// the products of the linears are fastest there.
std::int64_t prefill_chunk_rows(const PrefillShape& shape);

/// Most bytes alive at once beside weights, K/V and the prompt's activations [tokens, hidden] while
/// a chunk of `rows` runs.
std::int64_t prefill_chunk_bytes(const PrefillShape& shape, std::int64_t rows);

struct MemoryRequest {
  std::int64_t prompt_tokens = 0, new_tokens = 0;
  std::int64_t batch = 1;          // sequences, whose prefills run one after the other
  std::int64_t element_bytes = 4;  // of weights, K/V and activations
  bool cpu = true;
  bool whole_prompt = false;  // attention takes all rows of the prompt at once, and chooses so
};

struct MemoryEstimate {  // bytes
  std::int64_t weights = 0;
  std::int64_t kv = 0;           // keys and values of prompt and answer, all heads full
  std::int64_t activations = 0;  // of prefill: the prompt's, and a chunk's parts

  std::int64_t peak() const { return weights + kv + activations; }
};

MemoryEstimate estimate_memory(const ModelConfig& config, const MemoryRequest& request);

}  // namespace elastic::engine
