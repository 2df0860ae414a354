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
  ModePlaces places() const override { return {}; }
};

}  // namespace

std::unique_ptr<HeadMode> make_full(ModeOptions&, const PlanContext&) {
  return std::make_unique<FullMode>();
}

}  // namespace elastic::engine
