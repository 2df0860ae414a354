// MoBA (`moba`): each query row reads its own chunk of keys and the past chunks whose mean key it
// matches best (sparse_attention spec 9). The gate of query i and chunk c is q_i . mean(k of c), in
// fp32 without a scale; each query head has its own choice.

#include <ATen/ops/bmm.h>
#include <ATen/ops/constant_pad_nd.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "engine/attention/attention_plan.h"
#include "engine/attention/ranking.h"
#include "engine/attention/registry.h"
#include "engine/attention/row_blocks.h"

namespace elastic::engine {
namespace {

struct MobaOptions {
  std::int64_t chunk = 1024;  // tokens
  std::int64_t topk = 8;      // chunks that a row reads, its own among them
  bool gated_decode = false;  // else a step reads the whole cache
  bool trained = false;
};

class MobaMode final : public HeadMode {
 public:
  explicit MobaMode(const MobaOptions& options) : options_(options) {}

  std::string_view name() const override { return "moba"; }
  std::string describe() const override {
    return fmt::format("moba:chunk={},topk={},decode={},weights={}", options_.chunk, options_.topk,
                       options_.gated_decode ? "gated" : "dense",
                       options_.trained ? "trained" : "untrained");
  }
  ModePlaces places() const override {
    return {.prefill_mask = true, .decode_selection = options_.gated_decode};
  }

  bool falls_back(std::int64_t tokens) const override {
    return tokens <= options_.topk * options_.chunk;
  }

  BlockMask block_mask(const AttentionInput& input, std::span<const int> kv_heads) const override {
    at::Tensor means;
    extend_means(input.k.narrow(1, 0, input.end()), {options_.chunk, options_.chunk}, means);
    return gated(input, kv_heads, means);
  }

  BlockMask decode_mask(const AttentionInput& input, std::span<const int> kv_heads,
                        HeadState& state) const override {
    if (!options_.gated_decode) return dense_mask(input.span());
    state.tensors.resize(1);
    extend_means(input.k, {options_.chunk, options_.chunk}, state.tensors[0]);
    state.selection_vectors = state.tensors[0].size(1);
    return gated(input, kv_heads, state.tensors[0]);
  }

 private:
  // `means`: fp32 [heads_kv, complete chunks, dim].
  BlockMask gated(const AttentionInput& input, std::span<const int> kv_heads,
                  const at::Tensor& means) const {
    const RowSpan span = input.span();
    if (falls_back(span.q_start + span.rows)) return dense_mask(span);
    const std::int64_t chunks = (span.q_start + span.rows - 1) / options_.chunk + 1;
    const at::Tensor heads = index_of(kv_heads, means.device());
    const at::Tensor own = means.narrow(1, 0, std::min(means.size(1), chunks))
                               .index_select(0, heads)
                               .transpose(1, 2);  // [heads, dim, chunks]
    const std::int64_t count = heads.size(0) * (input.q.size(0) / input.k.size(0));
    return mask_by_rows(input, count * chunks, options_.chunk, 1, [&](const RowSpan& rows) {
      const at::Tensor gates = at::bmm(grouped_queries(input, heads, rows, 1), own);
      const at::Tensor of_all = at::constant_pad_nd(gates.view({count, rows.rows, own.size(2)}),
                                                    {0, chunks - own.size(2)}, -kInfinity);
      return best_blocks(of_all, {options_.chunk, 0, 1, options_.topk}, rows);
    });
  }

  MobaOptions options_;
};

}  // namespace

std::unique_ptr<HeadMode> make_moba(ModeOptions& options, const PlanContext& context) {
  MobaOptions wanted;
  wanted.chunk = options.integer("chunk", wanted.chunk, 1);
  wanted.topk = options.integer("topk", wanted.topk, 1);
  wanted.gated_decode = options.either("decode", "gated", "dense");
  wanted.trained = trained_for(options, context);
  return std::make_unique<MobaMode>(wanted);
}

}  // namespace elastic::engine
