// The routers of the checkpoint decide, layer by layer, from the pooled keys of the prompt.

#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

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
    const at::Tensor logits = router_logits(*router(layer), pooled_keys);
    HeadDecision decision{.is_sparse = {},
                          .router_logits = {},
                          .device_sparse = sparse_heads(logits),
                          .device_logits = logits,
                          .pooled_keys = pooled_keys};
    if (logits.is_cpu()) read_decisions({&decision, 1});
    return decision;
  }

  const RouterWeights* router(std::int64_t layer) const override {
    check(layer >= 0 && layer < static_cast<std::int64_t>(routers_.size()), "a router per layer");
    return &routers_[static_cast<std::size_t>(layer)];
  }

 private:
  std::span<const RouterWeights> routers_;
};

}  // namespace

void read_decisions(std::span<HeadDecision> decisions) {
  std::vector<HeadDecision*> waiting;
  std::vector<at::Tensor> logits, sparse;
  for (HeadDecision& decision : decisions) {
    if (decision.on_host() || !decision.device_sparse.defined()) continue;
    waiting.push_back(&decision);
    logits.push_back(decision.device_logits);
    sparse.push_back(decision.device_sparse.unsqueeze(1));
  }
  if (waiting.empty()) return;
  const at::Tensor rows =  // [decisions, heads_kv, 3]: both logits and the byte
      at::cat({at::stack(logits), at::stack(sparse).to(at::kFloat)}, 2).to(at::kCPU).contiguous();
  const float* row = rows.const_data_ptr<float>();
  for (HeadDecision* decision : waiting) {
    for (std::int64_t head = 0; head < rows.size(1); ++head, row += 3) {
      decision->router_logits.push_back({row[0], row[1]});
      decision->is_sparse.push_back(row[2] != 0 ? 1 : 0);
    }
  }
}

std::unique_ptr<HeadPolicy> make_routed(ModeOptions&, const PlanContext& context) {
  if (context.routers.empty()) return nullptr;
  check(static_cast<std::int64_t>(context.routers.size()) == context.layers, "a router per layer");
  return std::make_unique<RoutedPolicy>(context.routers);
}

}  // namespace elastic::engine
