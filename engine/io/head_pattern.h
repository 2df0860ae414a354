#pragma once

// Pattern files of DuoAttention and PruLong (sparse_attention spec 6, 7): one line per layer, one
// number per KV head, separated by tabs; 1 = full attention, 0 = streaming.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace elastic::engine {

struct HeadPattern {
  std::int64_t layers = 0, kv_heads = 0;
  std::vector<double> gates;  // [layers, kv_heads], clipped to [0, 1]

  /// Every gate is 0 or 1: the file is a decision already.
  bool is_binary() const;
};

/// kNotFound / kIo, or as parse_head_pattern().
HeadPattern read_head_pattern(const std::filesystem::path& path);

/// kCorrupt naming source, line and what is wrong.
HeadPattern parse_head_pattern(std::string_view text, std::string_view source);

/// 1 = streaming, for ceil(sparsity (M - 1)) of the M gates (none at 0, all at 1): the smallest
/// ones; of equal gates the later in (layer, head) order streams first.
std::vector<std::uint8_t> sparse_by_share(std::span<const double> gates, double sparsity);

/// The same as PruLong counts: floor(M (1 - sparsity)) gates stay full.
std::vector<std::uint8_t> sparse_by_kept(std::span<const double> gates, double sparsity);

/// 1 = streaming where gate < threshold.
std::vector<std::uint8_t> sparse_by_threshold(std::span<const double> gates, double threshold);

}  // namespace elastic::engine
