#include "engine/api/make_generator.h"
#include "engine/config/shapes.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <fmt/format.h>
#include <torch/headeronly/version.h>

#include <cstdlib>
#include <future>
#include <optional>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "engine/api/hub_cache.h"
#include "engine/attention/attention_plan.h"
#include "engine/config/registry.h"
#include "engine/device/cuda_library.h"
#include "engine/device/device.h"
#include "engine/generate/torch_generator.h"
#include "engine/io/checkpoint.h"
#include "engine/io/router_adapter.h"

namespace elastic::engine {
namespace {

constexpr std::uint64_t kRandomWeightsSeed = 42;

at::ScalarType resolve_dtype(const std::string& asked, const ModelConfig& config,
                             const at::Device& device) {
  const std::string name = asked == "auto" ? default_dtype(config, device.is_cpu()) : asked;
  if (name == "fp32") return at::kFloat;
  if (name == "bf16") return at::kBFloat16;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("dtype `{}`; known: auto, fp32, bf16", name));
}

std::shared_ptr<const Tokenizer> tokenizer_of(const GeneratorOptions& options) {
  if (options.tokenizer != nullptr) return options.tokenizer;
  try {
    return std::make_shared<const Tokenizer>(Tokenizer::load(options.model));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kNotFound) return nullptr;  // ids only
    throw;
  }
}

// Whether the folder may hold what modes need beside its config.json. Where the weights cannot be
// read, loading them will say so.
bool may_have_more(const ModelConfig& config) {
  try {
    const Checkpoint checkpoint(config.folder);
    return has_routers(checkpoint) || has_nsa(checkpoint, config.nsa);
  } catch (const Error&) {
    return true;
  }
}

// Routers that are to be put on the base; nothing where no folder is given.
std::optional<RouterAdapter> adapter_for(const ModelConfig& base,
                                         const std::filesystem::path& folder) {
  if (folder.empty()) return std::nullopt;
  RouterAdapter adapter = read_router_adapter(folder);
  check_base(adapter, base);
  return adapter;
}

std::unique_ptr<Generator> make_random(const GeneratorOptions& options) {
  const at::Device device = resolve_device(options.device);
  ModelConfig config = shape_config(options.random_shape);
  const at::ScalarType dtype = resolve_dtype(options.dtype, config, device);
  ModelInfo info;
  info.name = options.random_shape + " (random weights)";
  if (options.random_layers > 0) {
    config.layers = options.random_layers;
    info.name = fmt::format("{} (random weights, layers {})", options.random_shape, config.layers);
  }
  Decoder decoder(random_weights(config, dtype, device, kRandomWeightsSeed), options.chunk_rows);
  return std::make_unique<TorchGenerator>(std::move(decoder), nullptr, std::move(info));
}

}  // namespace

std::unique_ptr<Generator> make_generator(const GeneratorOptions& options) {
  if (!options.random_shape.empty()) return make_random(options);
  const ModelConfig config = read_model_config(options.model);
  const std::optional<RouterAdapter> adapter = adapter_for(config, options.router);
  const Checkpoint checkpoint(options.model);
  const at::Device device = resolve_device(options.device);
  const at::ScalarType dtype = resolve_dtype(options.dtype, config, device);
  std::future<std::string> hash =
      std::async(std::launch::async, [&] { return checkpoint.sha256(); });
  DecoderWeights weights = load_weights(checkpoint, config, dtype, device);
  if (adapter) put_routers(weights, *adapter);
  ModelInfo info;
  info.name = model_name(options.model, options.router);
  info.config_sha256 = sha256_hex(read_config_text(options.model));
  std::shared_ptr<const Tokenizer> tokenizer = tokenizer_of(options);
  info.weights_sha256 = hash.get();
  if (adapter) {
    check_base_weights(*adapter, config, info.weights_sha256);
    info.router_sha256 = sha256_file(options.router / kAdapterWeights);
    info.router_config_sha256 = sha256_file(options.router / kAdapterConfig);
  }
  return std::make_unique<TorchGenerator>(Decoder(std::move(weights), options.chunk_rows),
                                          std::move(tokenizer), std::move(info));
}

ModeNeeds check_modes(const std::filesystem::path& model, const std::filesystem::path& router,
                      const std::vector<std::string>& modes) {
  ModelConfig config = read_model_config(model);
  const std::optional<RouterAdapter> adapter = adapter_for(config, router);
  if (adapter) config.routing = adapter->routing;
  const PlanContext context = plan_context(config);
  ModeNeeds needs;
  for (const std::string& mode : modes) {
    try {
      const AttentionPlan plan = make_attention_plan(mode, context);
      needs.whole_prompts = needs.whole_prompts || plan.asks(&ModePlaces::whole_prompt);
    } catch (const Error& error) {
      // The context has no tensors; the folder may have some, or no weights yet.
      if (error.kind() != ErrorKind::kUnsupported || !(adapter || may_have_more(config))) throw;
    }
  }
  return needs;
}

std::vector<std::string> fallbacks(const std::string& asked, const std::string& device,
                                   const std::string& dtype, std::int64_t head_dim) {
  std::vector<std::string> found;
  if (const char* forced = std::getenv("ATEN_CPU_CAPABILITY")) {
    found.push_back(fmt::format("ATEN_CPU_CAPABILITY={} holds LibTorch to its {} kernels", forced,
                                at::get_cpu_capability()));
  }
  const bool cpu = device == "cpu";
  if (cpu && asked == "auto" && cuda_library().broken) {
    found.push_back(
        fmt::format("device auto fell back to the CPU: {}; --device cpu measures the CPU",
                    cuda_library().problem));
  }
  if (!cpu && !device_kernels_take(dtype == "fp32" ? at::kFloat : at::kBFloat16, head_dim)) {
    found.push_back(
        fmt::format("no attention kernel of {} takes {} heads of {}: the composed reference ran",
                    device, dtype, head_dim));
  }
  return found;
}

std::vector<ModeDescription> list_modes() {
  std::vector<ModeDescription> modes;
  for (const PlanName& plan : list_plans()) modes.push_back({plan.name, plan.summary});
  return modes;
}

std::vector<std::string> describe_engine() {
  return {fmt::format("libtorch: {}", TORCH_VERSION),
          fmt::format("cpu capability: {}", at::get_cpu_capability()),
          fmt::format("cpu threads: {}", at::get_num_threads()),
          fmt::format("accelerator: {}", describe_accelerator()),
          fmt::format("architectures: {}", join(architectures(), ", "))};
}

}  // namespace elastic::engine
