#include "harness/bench/prefill_times.h"

#include <algorithm>

#include "harness/bench/model_bench.h"

namespace elastic::harness {

double run_prefill(engine::Generator& engine, const std::string& mode, PrefillTimes& times,
                   bool keep) {
  engine.set_mode(mode);
  times.mode = engine.mode();
  const engine::Request request{.ids = prompt_ids(times.tokens, engine.model().vocab),
                                .max_new_tokens = 1};
  engine::Result result = engine.generate(request);
  times.trace = std::move(result.trace);
  times.peak_bytes = std::max(times.peak_bytes, result.peak_bytes);
  const engine::Timing& t = result.timing;
  if (keep) times.runs.push_back({t.prefill_ms, t.router_ms, t.select_ms, t.attention_ms});
  return t.prefill_ms;
}

std::vector<double> part_of(const PrefillTimes& times, double PrefillSplit::*part) {
  std::vector<double> values;
  for (const PrefillSplit& run : times.runs) values.push_back(run.*part);
  return values;
}

}  // namespace elastic::harness
