#include "harness/reproduce/experiments.h"

#include "base/registry.h"

namespace elastic::harness {
namespace {

constexpr const char* kTimed = "one sample at a time, so that times are latencies";
constexpr const char* kTraining = "with --training FILE";
constexpr const char* kNoNumbers = "no numbers of it are known to this program";
constexpr const char* kShapes = "without --model: a shape with random weights, times and ESR alone";

constexpr Experiment kExperiments[] = {
    {"table1", "LongBench-E by category: score and MSR", "weights, LongBench-E", reproduce_samples,
     ""},
    {"table2", "RULER by length, LongBench-v2 by difficulty", "weights, RULER, LongBench-v2",
     reproduce_samples, ""},
    {"table3", "hidden width of the router", "router trainings", reproduce_ablation, kTraining},
    {"table4", "XA-SSA against dense attention on three benchmarks",
     "weights, LongBench-E, RULER, LongBench-v2", reproduce_samples, ""},
    {"table5", "score kept as heads turn sparse", "weights, LongBench, RULER", reproduce_sparsified,
     "heads are ranked on needle prompts first"},
    {"table6", "settings of methods and training", "nothing", reproduce_method_settings,
     "with --model: defaults of its modes"},
    {"table7", "LongBench-E by set", "weights, LongBench-E", reproduce_samples, ""},
    {"table8", "LongBench-E by category, more methods", "weights, LongBench-E", reproduce_samples,
     ""},
    {"table9", "settings of RULER", "nothing", reproduce_ruler_settings, ""},
    {"table10", "RULER and LongBench-v2, more methods", "weights, RULER, LongBench-v2",
     reproduce_samples, ""},
    {"fig1", "LongBench-v2 against prefill speed-up", "weights, LongBench-v2", reproduce_samples,
     kTimed},
    {"fig2", "score kept as heads turn sparse: columns of table 5", "weights, LongBench, RULER",
     reproduce_sparsified, "made as table 5"},
    {"fig3", "-", "-", nullptr, kNoNumbers},
    {"fig4", "one launch against serial dispatch, by MSR and length", "a GPU", reproduce_fused, ""},
    {"fig5", "similarity of three tasks to the router", "routers, LongBench-E",
     reproduce_similarity, ""},
    {"fig6", "-", "-", nullptr, kNoNumbers},
    {"fig7", "target sparsity of the router: score and MSR", "router trainings", reproduce_ablation,
     kTraining},
    {"fig8", "score, speed-up and ESR by length", "a GPU; scores: weights, RULER",
     reproduce_prefill, kShapes},
    {"fig9", "similarity of five tasks to the router", "routers, LongBench-E", reproduce_similarity,
     ""},
    {"fig10", "router latency by length", "a GPU", reproduce_router, ""},
    {"fig11", "which heads are sparse, by task", "routers", nullptr,
     "maps without printed numbers, and of 36 layers for a model that has 32; `report` draws those "
     "of any routed run"},
    {"fig12", "score, speed-up and ESR by length, XA variants", "a GPU; scores: weights, RULER",
     reproduce_prefill, kShapes},
    {"fig13", "curves of a router training", "a router training", reproduce_curves, kTraining},
    {"fig14", "keys pooled by the router: score and MSR", "router trainings", reproduce_ablation,
     kTraining},
};

}  // namespace

std::span<const Experiment> experiments() { return kExperiments; }

const Experiment& find_experiment(std::string_view name) {
  if (name == "router-latency") name = "fig10";
  return find_entry(experiments(), "experiment", name);
}

}  // namespace elastic::harness
