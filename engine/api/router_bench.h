#pragma once

// The head routers of a model's layers alone, for `bench router`: pooling of random keys, both
// MLPs, the decisions; beside the same composed of LibTorch's operations, and checked against them
// before anything is timed. Torch-free.
//
//   const auto rows = bench_router({.shape = "llama-3.1-8b", .lengths = {512, 8192}});

#include <cstdint>
#include <string>
#include <vector>

#include "engine/api/turns.h"

namespace elastic::engine {

struct RouterBenchOptions {
  std::string shape = "llama-3.1-8b";           // layers, KV heads and head_dim of that model
  std::int64_t expansion = 4;                   // hidden width over head_dim
  std::vector<std::int64_t> lengths;            // prompt tokens
  std::string device = "auto", dtype = "auto";  // auto: fp32 on the CPU, bf16 on a GPU
  Enough enough = repetitions(5);               // after one warm-up; both ways take turns
};

struct RouterBenchRow {
  std::string device, dtype;  // what really ran
  std::int64_t tokens = 0, layers = 0, heads_kv = 0, head_dim = 0, expansion = 0;
  std::int64_t decisions = 0,
               unlike = 0;  // layers x KV heads, and those that the two decide unlike
  double max_error = 0;     // of logits
  std::vector<double> milliseconds, composed_milliseconds;  // all layers, device-synchronised ends
};

/// Throws kInvalidArgument for an unknown shape or dtype, kMeasurement where logits are off.
std::vector<RouterBenchRow> bench_router(const RouterBenchOptions& options);

}  // namespace elastic::engine
