#pragma once

// What a cell will cost, from the model's config alone:
// peak memory and time of one batch. Nothing is loaded.
//
//   const engine::ModelConfig config = engine::read_model_config("models/demo");
//   const Cost cost = predict_cost(config, {.device = "cpu"}, {.prompt_tokens = 4096});

#include <string>

#include "engine/config/memory_estimate.h"

namespace elastic::harness {

struct CostMachine {
  std::string device = "cpu";  // cpu or cuda
  std::string dtype = "fp32";  // fp32 or bf16
  int threads = 1;
};

struct CostRequest {
  std::int64_t prompt_tokens = 0;
  std::int64_t new_tokens = 0;
  std::int64_t batch = 1;
  bool whole_prompt = false;  // a mode sees all rows of a prompt at once
};

struct Cost {
  engine::MemoryEstimate memory;
  double seconds = 0;  // one batch, dense attention: an upper estimate for sparse modes
};

/// Time assumes the rates of cost.cpp and is good to a factor of a few.
Cost predict_cost(const engine::ModelConfig& config, const CostMachine& machine,
                  const CostRequest& request);

}  // namespace elastic::harness
