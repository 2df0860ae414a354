#pragma once

// Attention of one layer alone, for `bench attention`: random q, k and v, a given share of KV heads
// in the sparse mode, checked against the double-precision reference
// before anything is timed. Torch-free.
//
//   const auto rows = bench_attention({.lengths = {4096}, .msr = {0, 0.5, 1}});

#include <cstdint>
#include <string>
#include <vector>

#include "engine/api/turns.h"

namespace elastic::engine {

struct AttentionBenchOptions {
  std::string mode = "fa-ssa";  // two modes; the heads are dealt out here, no router decides
  std::string shape;  // "llama-3.1-8b", ...: heads and head_dim of that model; else the three below
  std::int64_t heads_q = 8, heads_kv = 8, head_dim = 64;
  std::vector<std::int64_t> lengths;  // tokens, prefill of all of them
  std::vector<double> msr;  // shares of KV heads in the sparse mode, rounded to whole heads
  std::string device = "auto", dtype = "auto";  // auto: fp32 on the CPU, bf16 on a GPU
  Enough enough = repetitions(5);               // after one warm-up; shares take turns
  // Beside the one call for all heads, the same dispatched serially: heads of each kind gathered
  // into tensors of their own, attended one kind after the other, written back (elastic_attention
  // spec 2.7).
  bool serial = false;
};

struct AttentionBenchRow {
  std::string mode;           // with every option that changes results
  std::string device, dtype;  // what really ran
  std::int64_t heads_q = 0, heads_kv = 0, head_dim = 0;
  std::int64_t tokens = 0;
  double msr = 0;             // share really used
  double visited_blocks = 1;  // visited / causal tiles
  double max_error = 0;       // against the reference, over sampled rows
  double visible_flop = 0;    // two products over the visible pairs
  std::vector<double> milliseconds;
  std::vector<double> serial_milliseconds;  // of the same repetitions; empty unless asked for
  std::vector<double> select_milliseconds;  // what heads see: masks, estimates
};

/// Throws kInvalidArgument for options that make no sense, kMeasurement where a result is wrong.
std::vector<AttentionBenchRow> bench_attention(const AttentionBenchOptions& options);

}  // namespace elastic::engine
