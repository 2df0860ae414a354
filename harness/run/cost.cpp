#include "harness/run/cost.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "engine/api/hub_cache.h"
#include "engine/config/prefill_memory.h"

namespace elastic::harness {
namespace {

// Sustained rates assumed where nothing has been measured: dense bf16 on a data-centre GPU, fp32
// matrix products on one core with AVX2; bytes a second that decoding reads.
constexpr double kGpuFlops = 350e12;
constexpr double kGpuBytesPerSecond = 2.5e12;
constexpr double kCoreFlops = 30e9;
constexpr double kCpuBytesPerSecond = 10e9;
constexpr std::int64_t kKvRows = 64;  // tokens the cache grows by
// What cuBLAS keeps for its matrix products on a GPU.
constexpr std::int64_t kGpuWorkspaceBytes = std::int64_t{32} << 20;

std::int64_t checked_size(const JsonSource& in, std::string_view key, std::int64_t value) {
  if (value < 1 || value > (std::int64_t{1} << 40)) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: key `{}` is {}, expected a size", in.source, key, value));
  }
  return value;
}

std::int64_t positive(const JsonSource& in, std::string_view key) {
  return checked_size(in, key, json_get<std::int64_t>(in, key));
}

std::int64_t positive_or(const JsonSource& in, std::string_view key, std::int64_t otherwise) {
  return checked_size(in, key, json_get_or<std::int64_t>(in, key, otherwise));
}

// The embedded prompt is worked on in place, a chunk of rows at a time, one sequence at a time.
void predict_memory(const ModelShape& s, const CostMachine& machine, const CostRequest& request,
                    Cost& cost) {
  const bool gpu = machine.device == "cuda";
  const std::int64_t item = machine.dtype == "bf16" ? 2 : 4;
  const std::int64_t tokens = request.prompt_tokens + request.new_tokens;
  const std::int64_t stored = request.batch * ((tokens + kKvRows - 1) / kKvRows * kKvRows);
  cost.weight_bytes = parameter_count(s) * item;
  cost.kv_bytes = 2 * s.layers * s.heads_kv * s.head_dim * stored * item;
  if (request.prompt_tokens == 0) return;
  const engine::PrefillShape shape{s.hidden, s.intermediate, s.heads_q * s.head_dim, item, !gpu};
  const std::int64_t chunk = engine::prefill_chunk_rows(shape);
  const std::int64_t rows = std::min(chunk, request.prompt_tokens);
  const bool merges = gpu && (request.sparse || request.prompt_tokens >= 2 * chunk);
  const std::int64_t rotary = tokens * s.head_dim;  // cosines and sines, half a head each
  cost.activation_bytes = item * (request.prompt_tokens * s.hidden + rotary) +
                          engine::prefill_chunk_bytes(shape, rows, merges) +
                          (gpu ? kGpuWorkspaceBytes : 0);
}

std::int64_t parameters_of_layer(const ModelShape& s) {
  const std::int64_t q = s.heads_q * s.head_dim, kv = s.heads_kv * s.head_dim;
  return s.hidden * (2 * q + 2 * kv) + 3 * s.hidden * s.intermediate + 2 * s.hidden;
}

}  // namespace

ModelShape read_model_shape(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  const Json json = read_json(path);
  const JsonSource in{json, path.string()};
  ModelShape s;
  s.name = engine::model_name(folder);
  s.layers = positive(in, "num_hidden_layers");
  s.hidden = positive(in, "hidden_size");
  s.intermediate = positive(in, "intermediate_size");
  s.vocab = positive(in, "vocab_size");
  s.heads_q = positive(in, "num_attention_heads");
  s.heads_kv = positive_or(in, "num_key_value_heads", s.heads_q);
  s.head_dim = positive_or(in, "head_dim", s.hidden / s.heads_q);
  s.max_positions = positive(in, "max_position_embeddings");
  s.tied = json_get_or<bool>(in, "tie_word_embeddings", false);
  const auto dtype =
      json_get_or<std::string>(in, "torch_dtype", json_get_or<std::string>(in, "dtype", "float32"));
  s.half_weights = dtype == "bfloat16" || dtype == "float16";
  return s;
}

std::int64_t parameter_count(const ModelShape& s) {
  return s.vocab * s.hidden * (s.tied ? 1 : 2) + s.layers * parameters_of_layer(s) + s.hidden;
}

Cost predict_cost(const ModelShape& s, const CostMachine& machine, const CostRequest& request) {
  Cost cost;
  predict_memory(s, machine, request, cost);
  const double flops_per_token = 2.0 * static_cast<double>(s.layers * parameters_of_layer(s));
  const double n = static_cast<double>(request.prompt_tokens);
  const double attention_flops =
      2.0 * n * n * static_cast<double>(s.layers * s.heads_q * s.head_dim);  // causal half
  const bool gpu = machine.device == "cuda";
  const double flops = gpu ? kGpuFlops : kCoreFlops * std::max(machine.threads, 1);
  const double bytes_per_second = gpu ? kGpuBytesPerSecond : kCpuBytesPerSecond;
  const double batch = static_cast<double>(request.batch);
  cost.seconds = batch * (n * flops_per_token + attention_flops) / flops +
                 static_cast<double>(request.new_tokens) *
                     static_cast<double>(cost.weight_bytes + cost.kv_bytes) / bytes_per_second;
  return cost;
}

}  // namespace elastic::harness
