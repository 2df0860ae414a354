#include "engine/config/prefill_memory.h"

#include <algorithm>

namespace elastic::engine {

// A GPU wants few large products; a CPU wants temporaries that stay near its caches.
std::int64_t prefill_chunk_rows(const PrefillShape& shape) {
  const std::int64_t budget_bytes = (shape.cpu ? std::int64_t{512} : std::int64_t{2048}) << 20;
  constexpr std::int64_t kStep = 1024, kMost = 32768;
  const std::int64_t row =
      shape.element_bytes * (2 * shape.hidden + 3 * shape.intermediate + 3 * shape.q_width);
  return std::clamp(budget_bytes / row / kStep * kStep, kStep, kMost);
}

std::int64_t prefill_chunk_bytes(const PrefillShape& shape, std::int64_t rows, bool merges) {
  // Normed rows, then gate and up side by side and the gated product.
  const std::int64_t mlp = shape.element_bytes * (shape.hidden + 3 * shape.intermediate);
  // Normed rows, queries before and after RoPE and the layer's result, which a CPU kernel writes
  // itself. A GPU kernel's own comes on top; a merge holds two of them, and both in fp32.
  const std::int64_t gpu_parts = merges ? 2 * (shape.element_bytes + 4) : shape.element_bytes;
  const std::int64_t parts = shape.cpu ? 0 : gpu_parts;
  const std::int64_t attention =
      shape.element_bytes * (shape.hidden + 3 * shape.q_width) + parts * shape.q_width;
  return rows * std::max(mlp, attention);
}

}  // namespace elastic::engine
