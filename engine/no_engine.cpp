// Stands in for make_generator.cpp where the program is built without LibTorch (preset `core`).

#include "base/error.h"
#include "engine/api/attention_bench.h"
#include "engine/api/gpu_watch.h"
#include "engine/api/make_generator.h"
#include "engine/api/router_bench.h"
#include "engine/api/train_router.h"

namespace elastic::engine {

namespace {

[[noreturn]] void throw_no_engine() {
  throw Error(ErrorKind::kUnsupported,
              "this program was built without the engine: run scripts/setup.sh, then "
              "`cmake --preset default && ninja -C build` for one that runs models");
}

}  // namespace

std::unique_ptr<Generator> make_generator(const GeneratorOptions&) { throw_no_engine(); }

std::vector<AttentionBenchRow> bench_attention(const AttentionBenchOptions&) { throw_no_engine(); }

std::vector<RouterBenchRow> bench_router(const RouterBenchOptions&) { throw_no_engine(); }

TrainResult train_router(const TrainOptions&, const BatchSource&) { throw_no_engine(); }

TrainResult train_heads(const TrainOptions&, const BatchSource&) { throw_no_engine(); }

TrainResult train_backbone(const TrainOptions&, const BatchSource&) { throw_no_engine(); }

ModeNeeds check_modes(const std::filesystem::path&, const std::filesystem::path&,
                      const std::vector<std::string>&) {
  return {};
}

std::vector<std::string> fallbacks(const std::string&, const std::string&, const std::string&,
                                   std::int64_t) {
  return {};
}

struct GpuWatch::Thread {};
GpuWatch::GpuWatch(const std::string&) {}
GpuWatch::~GpuWatch() = default;
std::optional<GpuConditions> GpuWatch::stop() { return std::nullopt; }

std::vector<ModeDescription> list_modes() { return {}; }

std::vector<std::string> describe_engine() { return {"engine: none (built without LibTorch)"}; }

}  // namespace elastic::engine
