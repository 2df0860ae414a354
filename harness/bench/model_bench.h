#pragma once

// What `bench batch`, `decode` and `prefill` share: a model or the shape of one, the modes that
// take turns, prompts whose words do not matter.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/api/make_generator.h"
#include "harness/bench/bench_command.h"
#include "harness/bench/repetitions.h"

namespace elastic::harness {

struct ModelBenchOptions {
  std::string model, router, shape;
  bool random_weights = false;
  int layers = 0;  // of the shape; 0: all
  std::string lengths;
  std::string modes;  // empty: fa, ssa and, where there are routers, routed
  std::string device = "auto", dtype = "auto";
  BenchFlags flags;
};

void add_model_bench_flags(CLI::App& sub, ModelBenchOptions& options);

/// Throws kInvalidArgument for a shape without --random-weights, and the other way round.
std::unique_ptr<engine::Generator> open_engine(const ModelBenchOptions& options);

/// With fa, the dense baseline of the same run, always among them.
std::vector<std::string> bench_modes(const ModelBenchOptions& options, bool has_router);

/// Prompt tokens of each length; kInvalidArgument where there is none.
std::vector<std::int64_t> bench_lengths(const ModelBenchOptions& options);

/// Sequences at once, of a flag's comma-separated list; kInvalidArgument naming the flag.
std::vector<std::int64_t> bench_sizes(std::string_view flag, const std::string& list);

/// Ids that repeat nowhere near, the same for every run: time does not depend on what they say.
std::vector<std::int32_t> prompt_ids(std::int64_t tokens, std::int64_t vocab);

/// run(i, keep) for every mode i in turn, which gives the time it took: a first turn warms up and
/// is not kept, then as many as the flags ask for. `what` begins the lines that tell how far it is.
void take_turns(const std::string& what, const std::vector<std::string>& modes,
                const BenchFlags& flags,
                const std::function<double(std::size_t mode, bool keep)>& run);

/// Model, device, dtype and repetitions of a result, without rows.
Json result_header(const engine::Generator& engine, const BenchFlags& flags);
std::string header_line(const Json& result);

}  // namespace elastic::harness
