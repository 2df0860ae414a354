// The routers of the checkpoint decide, layer by layer, from the pooled keys of the prompt.

#include "base/error.h"
#include "engine/attention/registry.h"
#include "engine/router/router.h"

namespace elastic::engine {
namespace {

class RoutedPolicy final : public HeadPolicy {
 public:
  explicit RoutedPolicy(std::span<const RouterWeights> routers) : routers_(routers) {}

  std::string describe() const override { return {}; }
  bool needs_keys() const override { return true; }

  HeadDecision decide(std::int64_t layer, const at::Tensor& pooled_keys) const override {
    check(layer >= 0 && layer < static_cast<std::int64_t>(routers_.size()), "a router per layer");
    const at::Tensor logits =
        router_logits(routers_[static_cast<std::size_t>(layer)], pooled_keys).cpu().contiguous();
    HeadDecision decision{
        .is_sparse = sparse_heads(logits), .router_logits = {}, .pooled_keys = pooled_keys};
    const float* values = logits.const_data_ptr<float>();  // [heads_kv, 2]
    for (std::int64_t h = 0; h < logits.size(0); ++h) {
      decision.router_logits.push_back({values[2 * h], values[2 * h + 1]});
    }
    return decision;
  }

 private:
  std::span<const RouterWeights> routers_;
};

}  // namespace

std::unique_ptr<HeadPolicy> make_routed(ModeOptions&, const PlanContext& context) {
  if (context.routers.empty()) return nullptr;
  check(static_cast<std::int64_t>(context.routers.size()) == context.layers, "a router per layer");
  return std::make_unique<RoutedPolicy>(context.routers);
}

}  // namespace elastic::engine
