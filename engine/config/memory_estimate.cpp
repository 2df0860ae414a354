#include "engine/config/memory_estimate.h"

#include <algorithm>

#include "engine/config/weight_specs.h"

namespace elastic::engine {
namespace {

// What cuBLAS keeps for its matrix products on a GPU, for prefill and once more for a recorded
// step.
constexpr std::int64_t kGpuWorkspaceBytes = std::int64_t{32} << 20;

// Normed rows, what they are projected to and, in some families, queries and keys normed by head.
std::int64_t projection_bytes(const PrefillShape& shape, std::int64_t rows) {
  const std::int64_t normed = shape.norms_heads ? shape.q_width + shape.kv_width : 0;
  return rows * shape.element_bytes * (shape.hidden + shape.q_width + 2 * shape.kv_width + normed);
}

// Queries after RoPE, or their result, which kernels write in place.
std::int64_t query_bytes(const PrefillShape& shape, std::int64_t rows) {
  return rows * shape.element_bytes * shape.q_width;
}

// FlexPrefill in blocks of 128, in fp32: of one KV head its keys, the last block's scores and their
// softmax; of every query head two sums of these. Then the pairs of blocks of every query head, six
// numbers of eight bytes each while they are sorted.
std::int64_t choice_bytes(const ModelConfig& c, std::int64_t tokens) {
  constexpr std::int64_t kBlock = 128, kPairBytes = 48;
  const std::int64_t blocks = (tokens + kBlock - 1) / kBlock;
  const std::int64_t scores = 4 * (c.head_dim + 2 * c.heads_q / c.heads_kv * kBlock);
  return tokens * 4 * 2 * c.heads_q +
         std::max(tokens * scores, c.heads_q * blocks * blocks * kPairBytes);
}

// The embedded prompt is worked on in place, a chunk of rows at a time, one sequence at a time.
std::int64_t activation_bytes(const ModelConfig& c, const MemoryRequest& r) {
  if (r.prompt_tokens == 0) return 0;
  const PrefillShape shape = prefill_shape(c, r.element_bytes, r.cpu);
  const std::int64_t rows = std::min(prefill_chunk_rows(shape), r.prompt_tokens);
  // Cosines and sines, half a head each.
  const std::int64_t rotary = (r.prompt_tokens + r.new_tokens) * c.head_dim;
  std::int64_t parts = prefill_chunk_bytes(shape, rows);
  if (r.whole_prompt) {
    const std::int64_t queries = query_bytes(shape, r.prompt_tokens);
    parts = std::max({parts, queries + projection_bytes(shape, rows),
                      2 * queries + choice_bytes(c, r.prompt_tokens)});
  }
  const std::int64_t prefill = r.element_bytes * (r.prompt_tokens * c.hidden + rotary) + parts;
  if (r.cpu) return prefill;
  return kGpuWorkspaceBytes + (r.new_tokens > 1 ? std::max(prefill, kGpuWorkspaceBytes) : prefill);
}

}  // namespace

PrefillShape prefill_shape(const ModelConfig& c, std::int64_t element_bytes, bool cpu) {
  return {c.hidden, c.intermediate, c.heads_q * c.head_dim, c.heads_kv * c.head_dim, element_bytes,
          cpu,      c.qk_norm};
}

// A GPU wants few large products; a CPU wants temporaries that stay near its caches.
std::int64_t prefill_chunk_rows(const PrefillShape& shape) {
  const std::int64_t budget_bytes = (shape.cpu ? std::int64_t{512} : std::int64_t{2048}) << 20;
  constexpr std::int64_t kStep = 1024, kMost = 8192;
  const std::int64_t row =
      shape.element_bytes * (2 * shape.hidden + 3 * shape.intermediate + 3 * shape.q_width);
  return std::clamp(budget_bytes / row / kStep * kStep, kStep, kMost);
}

std::int64_t prefill_chunk_bytes(const PrefillShape& shape, std::int64_t rows) {
  // Normed rows, then gate and up side by side and the gated product.
  const std::int64_t mlp = shape.element_bytes * (shape.hidden + 3 * shape.intermediate);
  return std::max(rows * mlp, projection_bytes(shape, rows) + query_bytes(shape, rows));
}

MemoryEstimate estimate_memory(const ModelConfig& c, const MemoryRequest& r) {
  const std::int64_t tokens = r.prompt_tokens + r.new_tokens;
  const std::int64_t stored = r.batch * ((tokens + kKvRows - 1) / kKvRows * kKvRows);
  return {.weights = parameter_count(c) * r.element_bytes,
          .kv = 2 * c.layers * c.heads_kv * c.head_dim * stored * r.element_bytes,
          .activations = activation_bytes(c, r)};
}

}  // namespace elastic::engine
