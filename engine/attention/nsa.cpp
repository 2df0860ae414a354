// NSA (`nsa`): three attentions added with gates of each head and row (sparse_attention spec 8):
// over windows of keys and values that are compressed to one, over the key blocks that the
// probabilities of the first name, and over a sliding window. Each has a softmax of its own.
// Without trained tensors (model/weights.h) all gates are 1/2 and windows are compressed to their
// mean.

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/attention/attention_plan.h"
#include "engine/attention/ranking.h"
#include "engine/attention/registry.h"
#include "engine/attention/row_blocks.h"

namespace elastic::engine {
namespace {

struct NsaOptions {
  std::string compress = "avgpool";
  KeyWindows windows{32, 16};
  BlockRule rule{64, 1, 2, 128};
  std::int64_t window = 512;  // tokens before the row's own; of meanpool with it
  std::string weights = "untrained";

  // Blocks of the selection are the windows, and are compressed as they lie in the cache.
  bool is_meanpool() const { return compress == "meanpool"; }
};

// One vector for each window of x [heads, tokens, dim], fp32 [heads, windows, dim]. `weight` is
// undefined (the mean), [heads, size], or [heads, size * dim, dim]; `position`, [heads, size, dim],
// is added before.
at::Tensor compressed(const at::Tensor& x, const KeyWindows& windows, const at::Tensor& weight,
                      const at::Tensor& position) {
  std::vector<at::Tensor> heads;
  for (std::int64_t h = 0; h < x.size(0); ++h) {  // one by one: windows overlap, copies are large
    at::Tensor tokens = x[h].to(at::kFloat).unfold(0, windows.size, windows.stride).transpose(1, 2);
    if (position.defined()) tokens = tokens + position[h].to(at::kFloat);  // [windows, size, dim]
    if (!weight.defined()) {
      heads.push_back(tokens.mean(1));
    } else if (weight.dim() == 2) {
      heads.push_back(at::matmul(weight[h].to(at::kFloat), tokens));
    } else {
      heads.push_back(at::matmul(tokens.flatten(1), weight[h].to(at::kFloat)));
    }
  }
  return at::stack(heads);
}

// x [heads, n, dim] at positions first, first + step, ...
at::Tensor rotated(const at::Tensor& x, const AttentionInput& input, std::int64_t first,
                   std::int64_t step) {
  const std::int64_t half = x.size(2) / 2, end = first + x.size(1) * step;
  const at::Tensor cos = input.rotary_cos.slice(0, first, end, step),
                   sin = input.rotary_sin.slice(0, first, end, step);
  const at::Tensor a = x.narrow(2, 0, half), b = x.narrow(2, half, half);
  return at::cat({a * cos - b * sin, b * cos + a * sin}, 2);
}

// Windows that ended at or before a row, as ranges of compressed keys. Rows are counted from 1, so
// that those of one query block of `stride` see the same windows.
BlockMask compressed_mask(const KeyWindows& windows, const RowSpan& span, std::int64_t count) {
  BlockMask mask{.query_block = windows.stride,
                 .first_block = (span.q_start + 1) / windows.stride,
                 .heads = {HeadMask{.ranges = {}, .offsets = {0}}}};
  HeadMask& head = mask.heads[0];
  for (std::int64_t b = mask.first_block; b <= (span.q_start + span.rows) / windows.stride; ++b) {
    const std::int64_t seen = std::min(count, windows.within(b * windows.stride));
    if (seen > 0) head.ranges.push_back({0, seen});
    head.offsets.push_back(static_cast<std::int64_t>(head.ranges.size()));
  }
  return mask;
}

class NsaMode final : public HeadMode {
 public:
  NsaMode(NsaOptions options, std::vector<NsaWeights> weights)
      : options_(std::move(options)), weights_(std::move(weights)) {}

  std::string_view name() const override { return "nsa"; }
  std::string describe() const override {
    const std::string sizes =
        options_.is_meanpool()
            ? ""
            : fmt::format("kernel={},stride={},", options_.windows.size, options_.windows.stride);
    return fmt::format("nsa:compress={},{}block={},topk={},init={},local={},window={},weights={}",
                       options_.compress, sizes, options_.rule.block, options_.rule.topk,
                       options_.rule.init, options_.rule.nearby, options_.window, options_.weights);
  }
  ModePlaces places() const override {
    return {.prefill_mask = true, .decode_selection = true, .plain_inputs = true};
  }

  std::vector<Branch> branches(const AttentionInput& input, std::span<const int> kv_heads,
                               HeadState& state) const override {
    add_windows(input, state);
    const RowSpan span = input.span();
    const std::int64_t keys = options_.window + (options_.is_meanpool() ? 0 : 1);
    AttentionInput coarse = input;
    coarse.k = state.tensors[0];
    coarse.v = state.tensors[1];
    coarse.q_start = input.q_start + 1;
    std::vector<Branch> all;
    all.push_back({input, selected_mask(input, kv_heads, state.tensors[0]), gate(input, 1)});
    all.push_back(
        {coarse, compressed_mask(options_.windows, span, coarse.k.size(1)), gate(input, 0)});
    all.push_back({input, streaming_mask({0, keys, 1}, span), gate(input, 2)});
    return all;
  }

 private:
  const NsaWeights& weights(std::int64_t layer) const {  // of the layer, or one for all
    return weights_[weights_.size() == 1 ? 0 : static_cast<std::size_t>(layer)];
  }

  // [heads_q, rows] of branch 0 compressed, 1 selected, 2 sliding.
  at::Tensor gate(const AttentionInput& input, std::int64_t branch) const {
    const at::Tensor& weight = weights(input.layer).gate;
    if (!weight.defined()) {
      return at::full({input.q.size(0), input.q.size(1)}, 0.5, input.q.options().dtype(at::kFloat));
    }
    return at::sigmoid(at::linear(input.hidden, weight).to(at::kFloat))
        .view({input.q.size(1), input.q.size(0), 3})
        .select(2, branch)
        .t();
  }

  // Keys that are not compressed yet, those from token `begin` on: [heads_kv, tokens - begin, dim].
  at::Tensor uncompressed(const AttentionInput& input, const HeadState& state,
                          std::int64_t begin) const {
    const std::int64_t tokens = input.end(), fresh = tokens - state.tokens;
    if (options_.is_meanpool()) return input.k.narrow(1, begin, tokens - begin);
    check(input.plain_k.defined() && input.plain_k.size(1) >= fresh && input.rotary_cos.defined(),
          "nsa compresses keys before RoPE");
    const at::Tensor news = input.plain_k.narrow(1, input.plain_k.size(1) - fresh, fresh);
    return state.tokens == 0 ? news : at::cat({state.tensors[2], news}, 1);
  }

  // `state`: compressed keys with RoPE, compressed values, and keys before RoPE from the first that
  // the next window needs.
  void add_windows(const AttentionInput& input, HeadState& state) const {
    const std::int64_t tokens = input.end();
    if (state.tokens == tokens) return;
    const KeyWindows& windows = options_.windows;
    const NsaWeights& w = weights(input.layer);
    const std::int64_t have = state.tokens == 0 ? 0 : state.tensors[0].size(1);
    const std::int64_t begin = have * windows.stride, more = windows.within(tokens) - have;
    const at::Tensor keys = uncompressed(input, state, begin);
    if (state.tokens == 0) {
      const at::Tensor none = input.k.narrow(1, 0, 0);
      state.tensors = {none, none, none};
    }
    if (more > 0) {
      at::Tensor k = compressed(keys, windows, w.keys, w.position);
      if (!options_.is_meanpool()) k = rotated(k, input, begin, windows.stride);
      const at::Tensor v =
          compressed(input.v.narrow(1, begin, tokens - begin), windows, w.values, {});
      state.tensors[0] = at::cat({state.tensors[0], k.to(input.k.scalar_type())}, 1);
      state.tensors[1] = at::cat({state.tensors[1], v.to(input.k.scalar_type())}, 1);
    }
    const std::int64_t done = more * windows.stride;
    if (!options_.is_meanpool()) {
      state.tensors[2] = keys.narrow(1, done, keys.size(1) - done).clone();
    }
    state.tokens = tokens;
  }

  // `means`: [heads_kv, windows, dim].
  BlockMask selected_mask(const AttentionInput& input, std::span<const int> kv_heads,
                          const at::Tensor& means) const {
    const RowSpan span = input.span();
    const std::int64_t blocks = (span.q_start + span.rows - 1) / options_.rule.block + 1;
    if (blocks <= options_.rule.topk) return dense_mask(span);
    const at::Tensor heads = index_of(kv_heads, means.device());
    const at::Tensor own = means.index_select(0, heads).to(at::kFloat).transpose(1, 2);
    const std::int64_t group = input.q.size(0) / input.k.size(0);
    return mask_by_rows(
        input, heads.size(0) * group * std::max(own.size(2), blocks), options_.rule.block, group,
        [&](const RowSpan& rows) {
          const at::Tensor seen = up_to(own, options_.windows, rows);
          const std::int64_t count = seen.size(2);
          const at::Tensor ended = (row_positions(rows, own.device()) + 1)
                                       .div(options_.windows.stride, "floor")
                                       .sub(options_.windows.size / options_.windows.stride - 1);
          const at::Tensor hidden = at::arange(count, ended.options()) >= ended;
          const at::Tensor scores = at::bmm(grouped_queries(input, heads, rows, input.scale), seen)
                                        .view({heads.size(0), group, rows.rows, count})
                                        .masked_fill_(hidden, -kInfinity);
          const at::Tensor shares = at::softmax(scores, 3).masked_fill_(hidden, 0).sum(1);
          return best_blocks(block_scores(shares, blocks), options_.rule, rows);
        });
  }

  // [heads, rows, blocks]: sum over the strides of a block of the windows that hold each.
  at::Tensor block_scores(const at::Tensor& shares, std::int64_t blocks) const {
    const std::int64_t strides = options_.rule.block / options_.windows.stride,
                       holding = options_.windows.size / options_.windows.stride;
    return at::constant_pad_nd(shares, {holding - 1, blocks * strides - shares.size(2)}, 0)
        .unfold(2, holding, 1)
        .sum(3)
        .unfold(2, strides, strides)
        .sum(3);
  }

  NsaOptions options_;
  std::vector<NsaWeights> weights_;
};

[[noreturn]] void refuse(const ModeOptions& options, const std::string& why) {
  throw Error(ErrorKind::kInvalidArgument, fmt::format("mode `{}`: {}", options.text(), why));
}

[[noreturn]] void lack(const ModeOptions& options, const std::string& what) {
  throw Error(ErrorKind::kUnsupported, fmt::format("mode `{}`: {}", options.text(), what));
}

// Tokens that the checkpoint's tensors compress to one; 0 where they are gates alone.
std::int64_t stored_window(const PlanContext& context) {
  const NsaWeights& w = context.nsa[0];
  if (w.position.defined()) return w.position.size(1);
  if (!w.keys.defined()) return 0;
  return w.keys.dim() == 3 ? w.keys.size(1) / w.keys.size(2) : w.keys.size(1);
}

NsaOptions read_options(ModeOptions& options, const PlanContext& context) {
  NsaOptions wanted;
  wanted.weights = options.value("weights").value_or(context.nsa.empty() ? "untrained" : "trained");
  const bool trained = wanted.weights == "trained";
  if (!trained && wanted.weights != "untrained" && wanted.weights != "random") {
    refuse(options,
           fmt::format("weights={} is neither trained, untrained nor random", wanted.weights));
  }
  if (trained && context.nsa.empty()) {
    lack(options,
         "weights=trained needs a checkpoint with NSA's tensors (docs/methods.md, nsa), and this "
         "one has none; weights=untrained has neutral gates");
  }
  if (trained && context.nsa[0].keys.defined()) {
    wanted.compress = context.nsa[0].keys.dim() == 3 ? "linear" : "weightedpool";
  }
  const std::int64_t size = trained ? stored_window(context) : 0;
  wanted.compress = options.value("compress").value_or(wanted.compress);
  if (wanted.is_meanpool()) wanted.rule = {64, 0, 1, 16};
  wanted.rule.block = options.integer("block", wanted.rule.block, 1);
  wanted.windows = {wanted.rule.block, wanted.rule.block};
  if (!wanted.is_meanpool()) {
    wanted.windows.size = options.integer("kernel", size > 0 ? size : 32, 1);
    wanted.windows.stride = options.integer("stride", 16, 1);
  }
  wanted.rule.topk = options.integer("topk", wanted.rule.topk, 1);
  wanted.rule.init = options.integer("init", wanted.rule.init, 0);
  wanted.rule.nearby = options.integer("local", wanted.rule.nearby, 1);
  wanted.window = options.integer("window", wanted.window, wanted.is_meanpool() ? 1 : 0);
  if (size > 0 && !wanted.is_meanpool() && wanted.windows.size != size) {
    refuse(options, fmt::format("kernel={}, but the NSA tensors compress {} tokens; leave kernel "
                                "out",
                                wanted.windows.size, size));
  }
  return wanted;
}

// Normal numbers that keep the size of what they compress.
NsaWeights random_nsa(const NsaOptions& wanted, const PlanContext& context) {
  at::Generator random = at::globalContext().defaultGenerator(at::kCPU).clone();
  random.set_current_seed(0);
  const std::int64_t size = wanted.windows.size, dim = context.head_dim;
  const auto draw = [&]() -> at::Tensor {
    if (wanted.compress == "linear") {
      const double scale = 1 / std::sqrt(static_cast<double>(size * dim));
      return at::randn({context.heads_kv, size * dim, dim}, random).mul_(scale);
    }
    if (wanted.compress != "weightedpool") return {};
    return at::randn({context.heads_kv, size}, random).div_(std::sqrt(static_cast<double>(size)));
  };
  return {.gate = {}, .keys = draw(), .values = draw(), .position = {}};
}

// Of every layer, or one for all of them.
std::vector<NsaWeights> read_weights(const ModeOptions& options, const NsaOptions& wanted,
                                     const PlanContext& context) {
  const bool linear = wanted.compress == "linear", pooled = wanted.compress == "weightedpool";
  if (wanted.weights == "random") return {random_nsa(wanted, context)};
  if (wanted.weights == "untrained") {
    if (linear || pooled) {
      lack(options, fmt::format("compress={} needs trained tensors; weights=random measures its "
                                "speed",
                                wanted.compress));
    }
    return {NsaWeights{}};
  }
  std::vector<NsaWeights> layers(context.nsa.begin(), context.nsa.end());
  for (NsaWeights& layer : layers) {
    if (!linear && !pooled) {
      layer.keys.reset();
      layer.values.reset();
    }
    if (wanted.is_meanpool()) layer.position.reset();
    const std::int64_t dims = layer.keys.defined() ? layer.keys.dim() : 0;
    if (dims != (linear ? 3 : pooled ? 2 : 0)) {
      refuse(options,
             fmt::format("compress={} is not what the NSA tensors are for", wanted.compress));
    }
  }
  return layers;
}

}  // namespace

std::unique_ptr<HeadMode> make_nsa(ModeOptions& options, const PlanContext& context) {
  NsaOptions wanted = read_options(options, context);
  const std::string& compress = wanted.compress;
  if (compress != "avgpool" && compress != "weightedpool" && compress != "linear" &&
      compress != "meanpool") {
    refuse(options,
           fmt::format("compress={} is none of avgpool, weightedpool, linear, meanpool", compress));
  }
  check_multiple(options, "kernel", wanted.windows.size, "stride", wanted.windows.stride);
  check_multiple(options, "block", wanted.rule.block, "stride", wanted.windows.stride);
  if (wanted.weights != "trained") {
    options.note(fmt::format("untrained nsa: gates are 1/2{}",
                             wanted.weights == "random" ? ", compression is random" : ""));
  }
  std::vector<NsaWeights> weights = read_weights(options, wanted, context);
  return std::make_unique<NsaMode>(std::move(wanted), std::move(weights));
}

}  // namespace elastic::engine
