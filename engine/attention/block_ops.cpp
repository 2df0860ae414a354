#include "engine/attention/block_ops.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <fmt/format.h>

#include <vector>

#include "base/error.h"

namespace elastic::engine {

at::Tensor padded(const at::Tensor& x, std::int64_t dim, std::int64_t size) {
  std::vector<std::int64_t> pad(static_cast<std::size_t>(2 * dim), 0);
  pad.back() = size - x.size(-dim);
  return pad.back() == 0 ? x : at::constant_pad_nd(x, pad);
}

at::Tensor block_means(const at::Tensor& x, std::int64_t block) {
  const std::int64_t tokens = x.size(1), whole = tokens / block;
  at::Tensor means = x.narrow(1, 0, whole * block)
                         .unflatten(1, {whole, block})
                         .mean(at::OptionalIntArrayRef(2), false, at::kFloat);
  if (whole * block == tokens) return means;
  const at::Tensor rest = x.narrow(1, whole * block, tokens - whole * block);
  return at::cat({means, rest.mean(at::OptionalIntArrayRef(1), true, at::kFloat)}, 1);
}

at::Tensor block_distances(const AttentionInput& input, std::int64_t block) {
  const auto options = at::TensorOptions(at::kLong).device(input.q.device());
  const std::int64_t end = divided(input.q_start + input.q.size(1), block);
  return at::arange(input.q_start / block, end, options).unsqueeze(1) - at::arange(end, options);
}

BlockChoice choice_of(const at::Tensor& keep, std::int64_t block, const AttentionInput& input,
                      const CandidateHeads& heads) {
  if (static_cast<std::int64_t>(heads.kv_heads.size()) == input.k.size(0)) return {keep, block};
  const std::vector<int> own = query_heads(input, heads.kv_heads);
  return {keep.index_select(0, index_of(own, keep.device())), block};
}

std::int64_t block_option(ModeOptions& options) {
  const std::int64_t block = options.integer("block", kMaskBlock, 1);
  if (kMaskBlock % block == 0) return block;
  throw Error(ErrorKind::kInvalidArgument, fmt::format("mode `{}`: block={} has to divide {}",
                                                       options.text(), block, kMaskBlock));
}

}  // namespace elastic::engine
