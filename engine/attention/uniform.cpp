// Every head in the same mode, but for the first layers of modes that leave those dense.

#include <fmt/format.h>

#include "engine/attention/registry.h"

namespace elastic::engine {
namespace {

class UniformPolicy final : public HeadPolicy {
 public:
  UniformPolicy(bool sparse, std::int64_t kv_heads, std::int64_t dense_layers)
      : sparse_(sparse), kv_heads_(kv_heads), dense_layers_(dense_layers) {}

  std::string describe() const override {
    return dense_layers_ > 0 ? fmt::format("dense={}", dense_layers_) : std::string();
  }
  HeadDecision decide(std::int64_t layer, const at::Tensor&) const override {
    const std::uint8_t sparse = sparse_ && layer >= dense_layers_ ? 1 : 0;
    HeadDecision decision;
    decision.is_sparse.assign(static_cast<std::size_t>(kv_heads_), sparse);
    return decision;
  }

 private:
  bool sparse_;
  std::int64_t kv_heads_, dense_layers_;
};

}  // namespace

std::unique_ptr<HeadPolicy> make_uniform(bool sparse, std::int64_t kv_heads,
                                         std::int64_t dense_layers) {
  return std::make_unique<UniformPolicy>(sparse, kv_heads, dense_layers);
}

}  // namespace elastic::engine
