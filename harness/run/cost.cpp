#include "harness/run/cost.h"

#include <algorithm>

#include "engine/config/weight_specs.h"

namespace elastic::harness {
namespace {

// Sustained rates assumed where nothing has been measured: dense bf16 on a data-centre GPU, fp32
// matrix products on one core with AVX2; bytes a second that decoding reads.
constexpr double kGpuFlops = 350e12;
constexpr double kGpuBytesPerSecond = 2.5e12;
constexpr double kCoreFlops = 30e9;
constexpr double kCpuBytesPerSecond = 10e9;

}  // namespace

Cost predict_cost(const engine::ModelConfig& c, const CostMachine& machine,
                  const CostRequest& request) {
  const bool gpu = machine.device == "cuda";
  Cost cost;
  cost.memory = engine::estimate_memory(c, {.prompt_tokens = request.prompt_tokens,
                                            .new_tokens = request.new_tokens,
                                            .batch = request.batch,
                                            .element_bytes = machine.dtype == "bf16" ? 2 : 4,
                                            .cpu = !gpu,
                                            .whole_prompt = request.whole_prompt});
  const double flops_per_token =
      2.0 * static_cast<double>(c.layers * engine::layer_parameter_count(c));
  const double n = static_cast<double>(request.prompt_tokens);
  const double attention_flops =
      2.0 * n * n * static_cast<double>(c.layers * c.heads_q * c.head_dim);  // causal half
  const double flops = gpu ? kGpuFlops : kCoreFlops * std::max(machine.threads, 1);
  const double bytes_per_second = gpu ? kGpuBytesPerSecond : kCpuBytesPerSecond;
  const double batch = static_cast<double>(request.batch);
  cost.seconds = batch * (n * flops_per_token + attention_flops) / flops +
                 static_cast<double>(request.new_tokens) *
                     static_cast<double>(cost.memory.weights + cost.memory.kv) / bytes_per_second;
  return cost;
}

}  // namespace elastic::harness
