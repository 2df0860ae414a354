#pragma once

// What a cell will cost, from the model's config.json alone: peak memory and time of one sample.
// Nothing is loaded.
//
//   const ModelShape shape = read_model_shape("models/demo");
//   const Cost cost = predict_cost(shape, {.device = "cpu"}, {.prompt_tokens = 4096});

#include <cstdint>
#include <filesystem>
#include <string>

namespace elastic::harness {

struct ModelShape {
  std::string name;
  std::int64_t layers = 0, hidden = 0, intermediate = 0, vocab = 0;
  std::int64_t heads_q = 0, heads_kv = 0, head_dim = 0;
  std::int64_t max_positions = 0;
  bool tied = false;         // output matrix shared with the embedding
  bool half_weights = true;  // stored as bf16 or fp16
};

/// Reads `folder`/config.json. Throws kNotFound, or kCorrupt naming file and key.
ModelShape read_model_shape(const std::filesystem::path& folder);

std::int64_t parameter_count(const ModelShape& shape);

struct CostMachine {
  std::string device = "cpu";  // cpu or cuda
  std::string dtype = "fp32";  // fp32 or bf16
  int threads = 1;
};

struct CostRequest {
  std::int64_t prompt_tokens = 0;
  std::int64_t new_tokens = 0;
  std::int64_t batch = 1;
  bool sparse = false;  // a mode with streaming heads: its attention comes in parts
};

struct Cost {
  std::int64_t weight_bytes = 0;
  std::int64_t kv_bytes = 0;          // keys and values of prompt and answer, all heads full
  std::int64_t activation_bytes = 0;  // of prefill: the prompt's activations, a chunk's parts
  double seconds = 0;  // one batch, dense attention: an upper estimate for sparse modes

  std::int64_t peak_bytes() const { return weight_bytes + kv_bytes + activation_bytes; }
};

/// Time assumes kFlops of cost.cpp and is good to a factor of a few; memory follows the prefill of
/// the engine (engine/config/prefill_memory.h): sequences of a batch prefill one after the other.
Cost predict_cost(const ModelShape& shape, const CostMachine& machine, const CostRequest& request);

}  // namespace elastic::harness
