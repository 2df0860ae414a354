// Streaming sparse attention (`ssa`): attention sinks and a local window, in 128-token blocks or
// exact tokens (sparse_attention spec 2).

#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "engine/attention/head_mode.h"
#include "engine/attention/registry.h"

namespace elastic::engine {
namespace {

// Sizes of the paper's runs, in tokens.
constexpr std::int64_t kDefaultSink = 128;
constexpr std::int64_t kDefaultLocal = 2048;

class StreamingMode final : public HeadMode {
 public:
  explicit StreamingMode(const StreamingWindow& window) : window_(window) {}

  std::string_view name() const override { return "ssa"; }
  std::string describe() const override {
    return fmt::format("ssa:sink={},local={},block={}", window_.sink, window_.local, window_.block);
  }
  ModePlaces places() const override { return {.prefill_mask = true, .eviction = true}; }
  BlockMask block_mask(const AttentionInput& input, std::span<const int>) const override {
    return streaming_mask(window_, input.span());
  }
  DecodeWindow decode_window() const override { return {window_.sink, window_.local}; }

 private:
  StreamingWindow window_;
};

}  // namespace

std::unique_ptr<HeadMode> make_streaming(ModeOptions& options, const PlanContext& context) {
  StreamingWindow window;
  window.sink = options.integer("sink", context.sink.value_or(kDefaultSink), 0);
  window.local = options.integer("local", context.local.value_or(kDefaultLocal), 1);
  window.block = options.integer("block", kMaskBlock, 1);
  if (window.block != 1 && window.block != kMaskBlock) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: block={} is neither {} (blocks) nor 1 (exact tokens)",
                            options.text(), window.block, kMaskBlock));
  }
  const auto blocks = [&](std::int64_t tokens) {
    return (tokens + window.block - 1) / window.block * window.block;
  };
  if (blocks(window.sink) != window.sink || blocks(window.local) != window.local) {
    options.note(fmt::format(
        "prefill works in blocks of {} tokens, so sink={} acts as {} and local={} as "
        "{}; block=1 keeps exact tokens",
        window.block, window.sink, blocks(window.sink), window.local, blocks(window.local)));
  }
  return std::make_unique<StreamingMode>(window);
}

}  // namespace elastic::engine
