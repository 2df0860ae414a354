#include "engine/attention/flexprefill.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/xlogy.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/error.h"
#include "engine/attention/attention_plan.h"
#include "engine/attention/block_ops.h"
#include "engine/attention/ranking.h"
#include "engine/attention/registry.h"

namespace elastic::engine {
namespace {

// Shares of the attention of the last queries, fp32 [query heads, tokens]: of tokens, and of
// distances, token c meaning the distance tokens - 1 - c.
struct TokenMass {
  at::Tensor vertical, slash;
};

// The last `block` queries of one KV head's group, the last one first: row r sees keys up to
// tokens - 1 - r, and its key j has the distance of token r + j. With one key more that nobody
// sees, a row of tokens + 1 probabilities, read in rows of `tokens`, has moved r places: distances
// stand in columns, and what comes round the edge is 0.
TokenMass token_mass(const AttentionInput& input, std::int64_t kv_head, std::int64_t block) {
  const std::int64_t tokens = input.k.size(1), group = input.q.size(0) / input.k.size(0);
  const at::Tensor q = input.q.narrow(0, kv_head * group, group)
                           .narrow(1, tokens - block, block)
                           .to(at::kFloat)
                           .flip({1});
  const at::Tensor keys = padded(input.k[kv_head].to(at::kFloat), 2, tokens + 1);
  at::Tensor scores = at::matmul(q, keys.t()).mul_(input.scale);  // [group, block, tokens + 1]
  const at::Tensor later =
      at::ones({block, block + 1}, at::TensorOptions(at::kBool).device(q.device())).triu_(1);
  scores.narrow(2, tokens - block, block + 1).masked_fill_(later.flip({0}), -kInfinity);
  const at::Tensor p = at::softmax(scores, 2);
  return {p.narrow(2, 0, tokens).mean(1),
          p.flatten(1).narrow(1, 0, block * tokens).view({group, block, tokens}).mean(1)};
}

// fp64 [heads, blocks] of [heads, tokens].
at::Tensor mass_of_blocks(const at::Tensor& mass, std::int64_t block) {
  const std::int64_t blocks = divided(mass.size(1), block);
  return padded(mass.to(at::kDouble), 1, blocks * block).view({mass.size(0), blocks, block}).sum(2);
}

// Products of mean queries [heads, rows, dim] with the mean keys [heads_kv, blocks, dim] of their
// KV heads: fp64 [heads, rows, blocks].
at::Tensor mean_scores(const at::Tensor& q, const at::Tensor& k, double scale) {
  const std::int64_t heads = q.size(0), groups = k.size(0);
  return at::matmul(q.reshape({groups, heads / groups * q.size(1), q.size(2)}), k.transpose(1, 2))
      .view({heads, q.size(1), k.size(1)})
      .to(at::kDouble)
      .mul_(scale);
}

// Square root of the Jensen-Shannon divergence of the rows of p and v: [heads].
at::Tensor distance_of(const at::Tensor& p, const at::Tensor& v) {
  const auto negated_entropy = [](const at::Tensor& x) { return at::xlogy(x, x).sum(1); };
  const at::Tensor mean = negated_entropy((p + v) / 2);
  return ((negated_entropy(p) + negated_entropy(v)) / 2 - mean).clamp_min_(0).sqrt_();
}

// Blocks that the tokens of most mass fill, int64 [heads]: tokens are taken until they hold more
// than gamma, and counted in 128s whatever the block, as the published code does.
at::Tensor blocks_for(const at::Tensor& mass, double gamma) {
  constexpr std::int64_t kUnit = 128;
  const at::Tensor held = std::get<0>(at::sort(mass, 1, true)).cumsum(1, at::kDouble);
  const at::Tensor tokens = (held <= gamma).sum(1) + 1;
  return tokens.floor_divide(kUnit) + 1;
}

// The `count` [heads] largest of each row of mass, of which `first` is one: bool [heads, blocks].
at::Tensor largest(const at::Tensor& mass, std::int64_t first, const at::Tensor& count) {
  at::Tensor ranked = mass.clone();
  ranked.select(1, first).fill_(kInfinity);
  const at::Tensor order = std::get<1>(at::sort(ranked, true, 1, true));
  const at::Tensor take = at::arange(mass.size(1), count.options()) < count.unsqueeze(1);
  return at::zeros_like(take).scatter(1, order, take);
}

// The block pairs of most estimated attention over all rows together, while their sum stays within
// gamma of the rows': bool [heads, blocks, blocks].
at::Tensor heaviest_pairs(const at::Tensor& scores, const at::Tensor& acausal, double gamma) {
  const at::Tensor p = at::softmax(scores.masked_fill(acausal, -kInfinity), 2);
  const auto [mass, order] = at::sort(p.flatten(1), true, 1, true);
  const at::Tensor take = mass.cumsum(1) <= gamma * static_cast<double>(scores.size(1));
  return at::zeros_like(take).scatter(1, order, take).view(scores.sizes());
}

class FlexPrefillMode final : public HeadMode {
 public:
  explicit FlexPrefillMode(const FlexPrefillOptions& options) : options_(options) {}

  std::string_view name() const override { return "flexprefill"; }
  ModePlaces places() const override { return {.estimates = true, .whole_prompt = true}; }
  std::string describe() const override {
    return fmt::format("flexprefill:gamma={},tau={},block={},min={}{}", options_.gamma,
                       options_.tau, options_.block, options_.min,
                       options_.max > 0 ? fmt::format(",max={}", options_.max) : "");
  }

  bool falls_back(std::int64_t tokens) const override {
    return tokens <= std::max<std::int64_t>(2, options_.least_blocks()) * options_.block;
  }

  // A call without the whole prompt is dense.
  BlockChoice choose_blocks(const AttentionInput& input,
                            const CandidateHeads& heads) const override {
    const std::int64_t tokens = input.k.size(1), block = options_.block;
    if (input.q.size(1) < tokens || falls_back(tokens)) {
      const at::Tensor causal = block_distances(input, block) >= 0;
      return choice_of(causal.expand({input.q.size(0), -1, -1}), block, input, heads);
    }
    return choice_of(flex_prefill(input, options_).keep, block, input, heads);
  }

 private:
  FlexPrefillOptions options_;
};

}  // namespace

FlexPrefillHeads flex_prefill(const AttentionInput& input, const FlexPrefillOptions& options) {
  const std::int64_t block = options.block, tokens = input.k.size(1);
  check(input.q.size(1) == tokens && tokens > block, "FlexPrefill sees a whole prompt");
  std::vector<at::Tensor> vertical, slash;
  for (std::int64_t head = 0; head < input.k.size(0); ++head) {
    TokenMass mass = token_mass(input, head, block);
    vertical.push_back(std::move(mass.vertical));
    slash.push_back(std::move(mass.slash));
  }
  const at::Tensor by_token = at::cat(vertical), by_distance = at::cat(slash);
  FlexPrefillHeads found{.vertical = mass_of_blocks(by_token, block),
                         .slash = mass_of_blocks(by_distance, block)};
  const std::int64_t blocks = found.vertical.size(1), least = options.least_blocks();
  const std::int64_t most =
      options.max > 0 ? std::min(divided(options.max, block), blocks) : blocks;

  const at::Tensor keys = block_means(input.k, block);
  const at::Tensor last =
      input.q.narrow(1, tokens - block, block).mean(at::OptionalIntArrayRef(1), true, at::kFloat);
  const at::Tensor expected = at::softmax(mean_scores(last, keys, input.scale).squeeze(1), 1);
  found.sqrt_jsd = distance_of(expected, found.vertical);
  found.query_aware = found.sqrt_jsd < options.tau;
  const at::Tensor wanted =
      at::stack({blocks_for(by_token, options.gamma), blocks_for(by_distance, options.gamma)}, 1);
  found.counts = at::where(found.query_aware.unsqueeze(1), at::full_like(wanted, least),
                           wanted.clamp(least, most));

  const at::Tensor distance = block_distances(input, block), acausal = distance < 0;
  const at::Tensor columns = largest(found.vertical, 0, found.counts.select(1, 0));
  const at::Tensor diagonals = largest(found.slash, blocks - 1, found.counts.select(1, 1))
                                   .flip({1})
                                   .index_select(1, distance.clamp_min(0).flatten())
                                   .view({-1, blocks, blocks});
  const at::Tensor pairs = heaviest_pairs(
      mean_scores(block_means(input.q, block), keys, input.scale), acausal, options.gamma);
  found.keep = columns.unsqueeze(1)
                   .logical_or(diagonals)
                   .logical_or(pairs.logical_and(found.query_aware.view({-1, 1, 1})))
                   .logical_and(acausal.logical_not());
  return found;
}

std::unique_ptr<HeadMode> make_flex_prefill(ModeOptions& options, const PlanContext&) {
  FlexPrefillOptions wanted;
  const std::optional<double> gamma = options.fraction("gamma");
  if (!gamma) {
    options.note(
        fmt::format("gamma={} is published for Llama-3.1-8B and GLM-4-9B (Qwen2-7B and "
                    "Yi-9B: 0.9)",
                    wanted.gamma));
  }
  wanted.gamma = gamma.value_or(wanted.gamma);
  wanted.tau = options.fraction("tau").value_or(wanted.tau);
  wanted.block = block_option(options);
  wanted.min = options.integer("min", wanted.min, 1);
  wanted.max = options.integer("max", wanted.max, 0);
  if (wanted.max > 0 && wanted.max < wanted.min) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("mode `{}`: max={} is less than min={}",
                                                         options.text(), wanted.max, wanted.min));
  }
  return std::make_unique<FlexPrefillMode>(wanted);
}

}  // namespace elastic::engine
