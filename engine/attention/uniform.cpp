// Every head in the same mode.

#include "engine/attention/registry.h"

namespace elastic::engine {
namespace {

class UniformPolicy final : public HeadPolicy {
 public:
  UniformPolicy(bool sparse, std::int64_t kv_heads)
      : decision_{.is_sparse =
                      std::vector<std::uint8_t>(static_cast<std::size_t>(kv_heads), sparse ? 1 : 0),
                  .router_logits = {}} {}

  std::string describe() const override { return {}; }
  HeadDecision decide(std::int64_t, const at::Tensor&) const override { return decision_; }

 private:
  HeadDecision decision_;
};

}  // namespace

std::unique_ptr<HeadPolicy> make_uniform(bool sparse, std::int64_t kv_heads) {
  return std::make_unique<UniformPolicy>(sparse, kv_heads);
}

}  // namespace elastic::engine
