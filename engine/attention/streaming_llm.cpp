// StreamingLLM (`streamingllm`): the press that keeps the first keys of a prompt and its last ones
// (sparse_attention_2 spec 4). Kept keys stay at their positions.

#include <ATen/ops/arange.h>
#include <fmt/format.h>

#include <limits>
#include <memory>

#include "engine/attention/attention_plan.h"
#include "engine/attention/press.h"
#include "engine/attention/registry.h"

namespace elastic::engine {
namespace {

constexpr std::int64_t kSink = 4;  // tokens

class StreamingLlm final : public Press {
 public:
  StreamingLlm(const PressBudget& budget, std::int64_t sink) : Press(budget), sink_(sink) {}

  std::string_view name() const override { return "streamingllm"; }

  at::Tensor scores(const AttentionInput& rows, const HeadState&) const override {
    const std::int64_t tokens = rows.k.size(1);
    const at::Tensor newest =
        at::arange(tokens, at::TensorOptions(at::kFloat).device(rows.k.device()));
    newest.narrow(0, 0, sink_).fill_(std::numeric_limits<double>::infinity());
    return newest.expand({rows.k.size(0), tokens});
  }

 protected:
  std::string options() const override { return fmt::format(",sink={}", sink_); }
  std::int64_t first_forced() const override { return sink_; }

 private:
  std::int64_t sink_;
};

}  // namespace

std::unique_ptr<HeadMode> make_streaming_llm(ModeOptions& options, const PlanContext&) {
  const PressBudget budget = read_budget(options, false);
  return std::make_unique<StreamingLlm>(budget, options.integer("sink", kSink, 0));
}

}  // namespace elastic::engine
