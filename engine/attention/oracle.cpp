// Oracles (`oracle-topk`, `oracle-topp`): decode steps attend to the keys of the largest true
// scores (sparse_attention_2 spec 3). They read every key to find them, so they bound the quality
// of selectors and have no speed of their own. Prefill is dense.

#include <ATen/ops/bmm.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/softmax.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <span>

#include "base/text.h"
#include "engine/attention/attention_plan.h"
#include "engine/attention/ranking.h"
#include "engine/attention/registry.h"

namespace elastic::engine {
namespace {

// Keys that are always read; the others compete.
struct OracleWindow {
  std::int64_t sink = 0, local = 0;  // tokens
};

// Scaled scores of one row's query heads that read the KV heads: fp32 [query heads, tokens].
at::Tensor step_scores(const AttentionInput& input, std::span<const int> kv_heads) {
  const at::Tensor q =
      input.q.to(at::kFloat).mul(input.scale).reshape({input.k.size(0), -1, input.q.size(2)});
  const at::Tensor index = index_of(kv_heads, input.k.device());
  const auto own = [&](const at::Tensor& x) {  // of every head without a copy
    return std::ssize(kv_heads) == x.size(0) ? x : x.index_select(0, index);
  };
  return at::bmm(own(q), own(input.k).to(at::kFloat).transpose(1, 2)).flatten(0, 1);
}

class Oracle : public HeadMode {
 public:
  explicit Oracle(const OracleWindow& window) : window_(window) {}

  std::string describe() const override {
    return fmt::format("{}:{},sink={},local={}", name(), bound(), window_.sink, window_.local);
  }
  ModePlaces places() const override { return {.decode_selection = true}; }
  bool falls_back(std::int64_t tokens) const override {
    const std::int64_t rest = tokens - window_.sink - window_.local;
    return rest <= 0 || reads_all(rest, tokens);
  }

  BlockMask decode_mask(const AttentionInput& input, std::span<const int> kv_heads,
                        HeadState&) const override {
    const std::int64_t tokens = input.k.size(1), rest = tokens - window_.sink - window_.local;
    if (falls_back(tokens)) return dense_mask(input.span());
    const at::Tensor keep =
        choose(step_scores(input, kv_heads).narrow(1, window_.sink, rest), tokens);
    return mask_of({at::constant_pad_nd(keep, {window_.sink, window_.local}, true).unsqueeze(1), 1},
                   input.span());
  }

 protected:
  virtual std::string bound() const = 0;
  /// Whether a step over `tokens` reads all of the `keys` that compete.
  virtual bool reads_all(std::int64_t keys, std::int64_t tokens) const = 0;
  /// bool [heads, keys]: those to read by their scores [heads, keys], in a step over `tokens`.
  virtual at::Tensor choose(const at::Tensor& scores, std::int64_t tokens) const = 0;

 private:
  OracleWindow window_;
};

class OracleTopK final : public Oracle {
 public:
  /// `share` > 0: of the keys there are, in place of `count`.
  OracleTopK(const OracleWindow& window, std::int64_t count, double share)
      : Oracle(window), count_(count), share_(share) {}

  std::string_view name() const override { return "oracle-topk"; }

 protected:
  std::string bound() const override {
    return share_ > 0 ? fmt::format("k={}", share_) : fmt::format("k={}", count_);
  }
  bool reads_all(std::int64_t keys, std::int64_t tokens) const override {
    return keys <= wanted(tokens);
  }
  at::Tensor choose(const at::Tensor& scores, std::int64_t tokens) const override {
    return best_of_rows(scores, wanted(tokens));
  }

 private:
  std::int64_t wanted(std::int64_t tokens) const {
    if (share_ == 0) return count_;
    const double part = std::floor(share_ * static_cast<double>(tokens));
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(part));
  }

  std::int64_t count_;
  double share_;
};

class OracleTopP final : public Oracle {
 public:
  OracleTopP(const OracleWindow& window, double mass) : Oracle(window), mass_(mass) {}

  std::string_view name() const override { return "oracle-topp"; }

 protected:
  std::string bound() const override { return fmt::format("p={}", mass_); }
  bool reads_all(std::int64_t, std::int64_t) const override { return mass_ >= 1; }
  at::Tensor choose(const at::Tensor& scores, std::int64_t) const override {
    return heaviest_of_rows(at::softmax(scores, 1, at::kDouble), mass_);
  }

 private:
  double mass_;
};

OracleWindow read_window(ModeOptions& options) {
  options.note("an oracle reads every key to choose: a bound on quality, never a row of speeds");
  const OracleWindow none;
  return {options.integer("sink", none.sink, 0), options.integer("local", none.local, 0)};
}

}  // namespace

std::unique_ptr<HeadMode> make_oracle_topk(ModeOptions& options, const PlanContext&) {
  constexpr std::int64_t kCount = 1024;
  const std::optional<double> number = parse_double(options.value("k").value_or(""));
  const bool is_share = number && *number > 0 && *number < 1;
  const std::int64_t count = is_share ? kCount : options.integer("k", kCount, 1);
  return std::make_unique<OracleTopK>(read_window(options), count, is_share ? *number : 0);
}

std::unique_ptr<HeadMode> make_oracle_topp(ModeOptions& options, const PlanContext&) {
  constexpr double kMass = 0.95;
  const double mass = options.fraction("p").value_or(kMass);
  return std::make_unique<OracleTopP>(read_window(options), mass);
}

}  // namespace elastic::engine
