// Streaming sparse attention (`ssa`): attention sinks and a local window, in 128-token blocks or
// exact tokens (sparse_attention spec 2); or a prompt that is dense, whole or chunk by chunk, and a
// cache that is cut to the window (spec 6).

#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "engine/attention/block_ops.h"
#include "engine/attention/head_mode.h"
#include "engine/attention/registry.h"

namespace elastic::engine {
namespace {

// Sizes of the paper's runs, in tokens.
constexpr std::int64_t kDefaultSink = 128;
constexpr std::int64_t kDefaultLocal = 2048;
// Tokens of a chunk of the prompt, as PruLong runs (spec 7).
constexpr std::int64_t kDefaultChunk = 32768;

class StreamingMode final : public HeadMode {
 public:
  /// `prefill`: the option as it is described; empty where nobody gave one.
  StreamingMode(const StreamingWindow& window, std::string prefill)
      : window_(window), prefill_(std::move(prefill)) {}

  std::string_view name() const override { return "ssa"; }
  std::string describe() const override {
    return fmt::format("ssa:sink={},local={},block={}{}", window_.sink, window_.local,
                       window_.block, prefill_);
  }
  ModePlaces places() const override { return {.prefill_mask = true, .eviction = true}; }
  bool falls_back(std::int64_t tokens) const override {
    const std::int64_t block = window_.block, blocks = divided(tokens, block);
    return blocks <= divided(window_.sink, block) + divided(window_.local, block);
  }
  BlockMask block_mask(const AttentionInput& input, std::span<const int>) const override {
    return streaming_mask(window_, input.span());
  }
  DecodeWindow decode_window() const override { return {window_.sink, window_.local}; }

 private:
  StreamingWindow window_;
  std::string prefill_;
};

// The first call of a prompt is dense, or each of its chunks over the cut cache of those before;
// its last row may be the first decode step, over the cut cache too.
class CutCacheMode final : public HeadMode {
 public:
  /// `window.chunk` 0: the prompt is one chunk.
  CutCacheMode(const ChunkWindow& window, bool last_steps)
      : window_(window), last_steps_(last_steps) {}

  std::string_view name() const override { return "ssa"; }
  std::string describe() const override {
    return fmt::format(
        "ssa:sink={},local={},prefill={},last={}", window_.sink, window_.local,
        window_.chunk == 0 ? "dense" : fmt::format("chunked,prefill_chunk={}", window_.chunk),
        last_steps_ ? "step" : "row");
  }
  ModePlaces places() const override {
    return {.prefill_mask = window_.chunk > 0 || last_steps_,
            .eviction = true,
            .last_row_apart = last_steps_};
  }
  bool falls_back(std::int64_t tokens) const override {
    return tokens <= window_.sink + window_.local;
  }
  BlockMask block_mask(const AttentionInput& input, std::span<const int>) const override {
    const RowSpan span = input.span();
    if (last_steps_ && span.q_start + span.rows == span.tokens) {
      check(span.rows == 1, "the last row of a prompt comes by itself");
      return streaming_mask({window_.sink, window_.local, 1}, span);
    }
    return window_.chunk == 0 ? dense_mask(span) : chunked_mask(window_, span);
  }
  DecodeWindow decode_window() const override { return {window_.sink, window_.local}; }

 private:
  ChunkWindow window_;
  bool last_steps_;
};

std::unique_ptr<HeadMode> make_windowed(StreamingWindow window, ModeOptions& options) {
  window.block = options.integer("block", kMaskBlock, 1);
  if (window.block != 1 && window.block != kMaskBlock) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: block={} is neither {} (blocks) nor 1 (exact tokens)",
                            options.text(), window.block, kMaskBlock));
  }
  const auto blocks = [&](std::int64_t tokens) {
    return divided(tokens, window.block) * window.block;
  };
  if (blocks(window.sink) != window.sink || blocks(window.local) != window.local) {
    options.note(fmt::format(
        "prefill works in blocks of {} tokens, so sink={} acts as {} and local={} as "
        "{}; block=1 keeps exact tokens",
        window.block, window.sink, blocks(window.sink), window.local, blocks(window.local)));
  }
  const bool said = options.value("prefill").has_value();
  return std::make_unique<StreamingMode>(window, said ? ",prefill=streaming" : "");
}

}  // namespace

std::unique_ptr<HeadMode> make_streaming(ModeOptions& options, const PlanContext& context) {
  const std::int64_t sink = options.integer("sink", context.sink.value_or(kDefaultSink), 0);
  const std::int64_t local = options.integer("local", context.local.value_or(kDefaultLocal), 1);
  const std::string prefill = options.value("prefill").value_or("streaming");
  if (prefill == "streaming") return make_windowed({sink, local}, options);
  if (prefill != "dense" && prefill != "chunked") {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: prefill={} is neither streaming, dense nor chunked",
                            options.text(), prefill));
  }
  const std::int64_t chunk =
      prefill == "dense" ? 0 : options.integer("prefill_chunk", kDefaultChunk, 1);
  return std::make_unique<CutCacheMode>(ChunkWindow{sink, local, chunk},
                                        options.either("last", "step", "row"));
}

}  // namespace elastic::engine
