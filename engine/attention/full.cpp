// Full causal attention (`fa`).

#include <memory>

#include "engine/attention/head_mode.h"
#include "engine/attention/registry.h"

namespace elastic::engine {
namespace {

class FullMode final : public HeadMode {
 public:
  std::string_view name() const override { return "fa"; }
  std::string describe() const override { return "fa"; }
  bool is_sparse() const override { return false; }
  BlockMask block_mask(const AttentionInput& input, std::span<const int>) const override {
    return dense_mask(input.span());
  }
};

}  // namespace

std::unique_ptr<HeadMode> make_full(ModeOptions&) { return std::make_unique<FullMode>(); }

}  // namespace elastic::engine
