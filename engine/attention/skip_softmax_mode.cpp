// Skip-softmax (`skip`, BLASST): full attention whose kernel passes over tiles that the softmax
// would all but lose (sparse_attention_2 spec 5). The threshold is scale / keys, with one scale for
// prompts and one for decode steps; what is skipped depends on the order and the sizes of tiles.

#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "base/error.h"
#include "base/text.h"
#include "engine/attention/attention_plan.h"
#include "engine/attention/registry.h"

namespace elastic::engine {
namespace {

// Published for Qwen3-30B-A3B at a target sparsity of a half; other models have none.
constexpr double kPrefillScale = 587, kDecodeScale = 16.5;
constexpr std::int64_t kDecodeKeys = 128;  // of a decode step's tiles

struct SkipOptions {
  double scale = kPrefillScale, decode_scale = kDecodeScale;  // 0 = nothing is skipped
  std::int64_t rows = 64, keys = 128;
  bool ascending = true;
};

class SkipSoftmaxMode final : public HeadMode {
 public:
  explicit SkipSoftmaxMode(const SkipOptions& options) : options_(options) {}

  std::string_view name() const override { return "skip"; }
  std::string describe() const override {
    return fmt::format("skip:scale={},decode_scale={},tile={}x{},order={}", options_.scale,
                       options_.decode_scale, options_.rows, options_.keys,
                       options_.ascending ? "ascending" : "descending");
  }
  ModePlaces places() const override { return {.kernel_loop = true}; }
  bool falls_back(std::int64_t tokens) const override {
    return options_.scale >= static_cast<double>(tokens);
  }

  std::optional<SkipRule> skip_rule(std::int64_t tokens, bool decode) const override {
    const double scale = decode ? options_.decode_scale : options_.scale;
    const double threshold = scale / static_cast<double>(tokens);
    if (threshold == 0 || threshold >= 1) return std::nullopt;
    return SkipRule{std::log(threshold), decode ? 1 : options_.rows,
                    decode ? kDecodeKeys : options_.keys, options_.ascending, decode};
  }

 private:
  SkipOptions options_;
};

// `tile=64x128`.
void read_tile(ModeOptions& options, SkipOptions& wanted) {
  const std::optional<std::string> given = options.value("tile");
  if (!given) return;
  const std::size_t by = given->find('x');
  const auto rows = parse_int(given->substr(0, by));
  const auto keys = parse_int(by == std::string::npos ? "" : given->substr(by + 1));
  if (!rows || !keys || *rows < 1 || *keys < 1) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: tile={} is not ROWSxKEYS, as in tile=64x128",
                            options.text(), *given));
  }
  if (kMaskBlock % *rows != 0) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: tile={} has {} rows, which have to divide {}",
                            options.text(), *given, *rows, kMaskBlock));
  }
  wanted.rows = *rows;
  wanted.keys = *keys;
}

}  // namespace

std::unique_ptr<HeadMode> make_skip_softmax(ModeOptions& options, const PlanContext&) {
  SkipOptions wanted;
  wanted.scale = options.number("scale", wanted.scale);
  wanted.decode_scale = options.number("decode_scale", wanted.decode_scale);
  read_tile(options, wanted);
  wanted.ascending = !options.either("order", "descending", "ascending");
  options.note(
      fmt::format("prompts of at most {} tokens are dense, and so are decode steps over at most {}",
                  std::floor(wanted.scale), std::floor(wanted.decode_scale)));
  return std::make_unique<SkipSoftmaxMode>(wanted);
}

}  // namespace elastic::engine
