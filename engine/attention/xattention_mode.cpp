// XAttention as a head mode (`xa`): a block mask per query head, estimated for each call.

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "engine/attention/attention_backend.h"
#include "engine/attention/attention_plan.h"
#include "engine/attention/registry.h"
#include "engine/attention/xattention.h"
#include "engine/io/head_pattern.h"

namespace elastic::engine {
namespace {

constexpr double kDefaultTau = 0.9;  // of both papers

struct XattentionOptions {
  StripSizes sizes;
  std::string tau;           // as given: a number, or a file with its contents
  std::vector<double> taus;  // [1], or [layers, heads_q]
  std::int64_t heads_q = 0;
  XattentionRule rule = XattentionRule::kExact;
  std::int64_t chunk = 0;  // query tokens of the published code's chunk; 0 = its default
};

class XattentionMode final : public HeadMode {
 public:
  explicit XattentionMode(XattentionOptions options) : options_(std::move(options)) {}

  std::string_view name() const override { return "xa"; }
  ModePlaces places() const override { return {.estimates = true}; }
  bool falls_back(std::int64_t tokens) const override {  // the first block and the row's own
    return tokens <= 2 * options_.sizes.block;
  }

  std::string describe() const override {
    const bool is_public = options_.rule == XattentionRule::kPublic;
    const std::string chunk = options_.chunk > 0 ? fmt::format(",chunk={}", options_.chunk) : "";
    return fmt::format("xa:stride={},tau={},block={},rule={}{}", options_.sizes.stride,
                       options_.tau, options_.sizes.block, is_public ? "public" : "exact", chunk);
  }

  BlockChoice choose_blocks(const AttentionInput& input,
                            const CandidateHeads& heads) const override {
    const std::int64_t block = options_.sizes.block, group = input.q.size(0) / input.k.size(0);
    const std::int64_t chunk =
        options_.chunk > 0 ? options_.chunk : default_xattention_chunk(input.k.size(1));
    const BlockRows rows{input.q_start / block, chunk / block};
    std::optional<BlockChoice> chosen = attention_backend(input.q.device())
                                            .choose_by_strips(input, heads,
                                                              {options_.sizes, taus(input.layer),
                                                               options_.rule, rows.chunk_blocks});
    if (chosen) return std::move(*chosen);
    std::vector<at::Tensor> keep;
    keep.reserve(heads.kv_heads.size());
    for (const int head : heads.kv_heads) {
      const at::Tensor mass = strip_block_mass(input, head, options_.sizes);
      const at::Tensor tau = taus(input.layer, head * group, group, mass.device());
      keep.push_back(select_blocks(mass, tau, options_.rule, rows));
    }
    return {at::cat(keep), block};
  }

 private:
  // Of the layer's query heads, or one for all.
  std::span<const double> taus(std::int64_t layer) const {
    if (options_.taus.size() == 1) return options_.taus;
    return std::span(options_.taus)
        .subspan(static_cast<std::size_t>(layer * options_.heads_q),
                 static_cast<std::size_t>(options_.heads_q));
  }

  // fp64 [group, 1, 1] of query heads [first, first + group) of a layer, or one number.
  at::Tensor taus(std::int64_t layer, std::int64_t first, std::int64_t group,
                  at::Device device) const {
    if (options_.taus.size() == 1) {  // of the host, without dimensions: a scalar on any device
      return at::tensor(options_.taus[0], at::kDouble).squeeze();
    }
    const at::ArrayRef<double> own(taus(layer).data() + first, static_cast<std::size_t>(group));
    return on_device(at::tensor(own, at::kDouble).view({group, 1, 1}), device);
  }

  XattentionOptions options_;
};

// `tau=0.9`, or the path of a file of one line a layer with one number a query head.
void read_tau(ModeOptions& options, const PlanContext& context, XattentionOptions& wanted) {
  const std::optional<std::string> given = options.value("tau");
  wanted.tau = given.value_or(fmt::format("{}", kDefaultTau));
  if (!given || parse_double(*given)) {
    wanted.taus = {options.fraction("tau").value_or(kDefaultTau)};
    return;
  }
  if (std::error_code ignored; !std::filesystem::is_regular_file(*given, ignored)) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: tau={} is neither a number from 0 to 1 nor a file of one "
                            "line a layer with one number a query head",
                            options.text(), *given));
  }
  const HeadPattern table = read_head_pattern(*given);
  if (table.layers != context.layers || table.kv_heads != context.heads_q) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: {} layers x {} heads, but the model has {} x {} query heads",
                            *given, table.layers, table.kv_heads, context.layers, context.heads_q));
  }
  wanted.taus = table.gates;
  wanted.tau += "," + options.contents("tau_sha256", *given);
}

}  // namespace

std::unique_ptr<HeadMode> make_xattention(ModeOptions& options, const PlanContext& context) {
  XattentionOptions wanted{.heads_q = context.heads_q};
  wanted.sizes.stride = options.integer("stride", wanted.sizes.stride, 1);
  wanted.sizes.block = options.integer("block", kMaskBlock, 1);
  if (kMaskBlock % wanted.sizes.block != 0 || wanted.sizes.block % wanted.sizes.stride != 0) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: block={} has to divide {} and be a multiple of stride={}",
                            options.text(), wanted.sizes.block, kMaskBlock, wanted.sizes.stride));
  }
  read_tau(options, context, wanted);
  if (options.either("rule", "public", "exact")) {
    wanted.rule = XattentionRule::kPublic;
    wanted.chunk = options.integer("chunk", 0, 0);
  }
  return std::make_unique<XattentionMode>(std::move(wanted));
}

}  // namespace elastic::engine
