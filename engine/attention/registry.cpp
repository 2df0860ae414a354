#include "engine/attention/registry.h"

#include <fmt/format.h>

#include <iterator>

#include "base/error.h"
#include "base/registry.h"

namespace elastic::engine {

std::unique_ptr<HeadMode> make_full(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadMode> make_flex_prefill(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadMode> make_flash_prefill(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadMode> make_streaming(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadMode> make_skip_softmax(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadMode> make_quest(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadMode> make_oracle_topk(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadMode> make_oracle_topp(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadMode> make_snapkv(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadMode> make_tova(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadMode> make_streaming_llm(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadMode> make_expected_attention(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadMode> make_xattention(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadMode> make_moba(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadMode> make_infllm2(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadMode> make_nsa(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadPolicy> make_random_heads(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadPolicy> make_static_pattern(ModeOptions& options, const PlanContext& context);
std::unique_ptr<HeadPolicy> make_routed(ModeOptions& options, const PlanContext& context);

namespace {

// Those that read more keys first: A-B is listed where A stands before B. A method of all heads
// does not mix; `mixes` is the third entry.
constexpr ModeEntry kModes[] = {
    {"fa", "full", true, "full causal attention", make_full},
    {"skip", nullptr, true,
     "skip-softmax, passes over tiles that the softmax would all but lose; options scale, "
     "decode_scale, tile, order",
     make_skip_softmax},
    {"xa", "xattn", true,
     "XAttention, blocks chosen by antidiagonal sums; options stride, tau, block, rule",
     make_xattention},
    {"flexprefill", nullptr, false,
     "FlexPrefill, blocks chosen by what the last queries see; options gamma, tau, block, min, max",
     make_flex_prefill},
    {"flashprefill", nullptr, false,
     "FlashPrefill, blocks chosen by mean keys; options alpha, block, sink, window, last, min",
     make_flash_prefill},
    {"ssa", "streaming", true,
     "streaming, attention sinks and a local window; options sink, local, block, prefill, "
     "prefill_chunk, last, decode",
     make_streaming},
    {"quest", nullptr, true,
     "Quest, decode reads the pages of keys that may matter most; options page, budget, rule, "
     "share, dense",
     make_quest},
    {"oracle-topk", nullptr, false,
     "oracle, decode attends to the keys of the largest scores; options k, sink, local",
     make_oracle_topk},
    {"oracle-topp", nullptr, false,
     "oracle, decode attends to the fewest keys that hold a share of the mass; options p, sink, "
     "local",
     make_oracle_topp},
    {"snapkv", nullptr, false,
     "SnapKV, the cache keeps the keys that the last queries of the prompt attend to; options "
     "budget, ratio, window, kernel, pool, adakv",
     make_snapkv},
    {"tova", nullptr, false,
     "TOVA, the cache keeps the keys that the last query of the prompt attends to; options budget, "
     "ratio, adakv",
     make_tova},
    {"streamingllm", nullptr, false,
     "StreamingLLM, the cache keeps the first and the last keys of the prompt; options budget, "
     "ratio, sink",
     make_streaming_llm},
    {"expected-attention", nullptr, false,
     "ExpectedAttention, the cache keeps the keys that queries to come would attend to; options "
     "budget, ratio, future, sink, eps, adakv",
     make_expected_attention},
    {"moba", nullptr, false,
     "MoBA, rows read the chunks whose mean key they match best; options chunk, topk, decode, "
     "weights",
     make_moba},
    {"infllm2", nullptr, false,
     "InfLLM-V2, rows read the blocks that means of key windows name; options kernel, stride, "
     "coarse, coarse_stride, block, init, local, topk, dense_len, rounding, weights",
     make_infllm2},
    {"nsa", nullptr, false,
     "NSA, gates mix compressed, selected and sliding attention; options compress, kernel, stride, "
     "block, topk, init, local, window, weights",
     make_nsa},
};

constexpr PolicyEntry kMixedPolicies[] = {
    {"random", "heads drawn at random", make_random_heads},
    {"static_pattern", "heads fixed by a pattern file", make_static_pattern},
    {"routed", "the checkpoint's routers decide per prompt", make_routed},
};

constexpr PresetEntry kPresets[] = {
    {"duo",
     "fa",
     "ssa",
     "sink=64,local=256,block=1,prefill=dense,decode=sparse",
     {"patterns/duo/full_attention_heads.tsv", 0.5, {}},
     "DuoAttention, fa and ssa by a pattern file; options pattern, sparsity, threshold, those of "
     "ssa"},
    {"prulong",
     "fa",
     "ssa",
     "sink=128,local=1024,block=1,prefill=chunked,last=step,decode=sparse",
     {"patterns/prulong/masks.tsv", {}, 0.5, sparse_by_kept},
     "PruLong, fa and ssa by learned masks; options pattern, sparsity, threshold, those of ssa"},
};

// What the checkpoint's routers were trained to choose between.
constexpr const char* kRouted = "routed";

// Names of head modes: of all heads where `sparse` is empty, else of retrieval and sparse heads.
struct ModePair {
  std::string retrieval, sparse;

  std::string name() const { return sparse.empty() ? retrieval : retrieval + "-" + sparse; }
};

std::string mode_of_config(const char* key, const std::optional<std::string>& value,
                           const char* otherwise) {
  if (!value) return otherwise;
  for (const ModeEntry& entry : kModes) {
    if (entry.config_name != nullptr && *value == entry.config_name) return entry.name;
  }
  throw Error(ErrorKind::kUnsupported,
              fmt::format("config.json: `{}` is `{}`, which no mode computes; name the mode "
                          "yourself, as in fa-ssa",
                          key, *value));
}

ModePair trained_pair(const PlanContext& context) {
  ModePair pair{mode_of_config("retrieval_mode", context.retrieval_mode, "fa"),
                mode_of_config("toggle_type", context.toggle_type, "ssa")};
  if (pair.sparse == pair.retrieval) pair.sparse.clear();
  return pair;
}

const ModeEntry* find_mode(const std::string& name) {
  for (const ModeEntry& entry : head_modes()) {
    if (name == entry.name) return &entry;
  }
  return nullptr;
}

const PresetEntry* find_preset(const std::string& name) {
  for (const PresetEntry& entry : presets()) {
    if (name == entry.name) return &entry;
  }
  return nullptr;
}

// Names may hold a dash of their own; A-B is what is left.
ModePair parse_name(const std::string& name, const PlanContext& context) {
  if (name == kRouted) return trained_pair(context);
  if (const PresetEntry* preset = find_preset(name)) return {preset->retrieval, preset->sparse};
  if (find_mode(name) != nullptr) return {name, ""};
  for (std::size_t dash = name.find('-'); dash != std::string::npos;
       dash = name.find('-', dash + 1)) {
    const ModePair pair{name.substr(0, dash), name.substr(dash + 1)};
    const ModeEntry *retrieval = find_mode(pair.retrieval), *sparse = find_mode(pair.sparse);
    if (retrieval == nullptr || sparse == nullptr || retrieval == sparse) continue;
    if (retrieval->mixes && sparse->mixes) return pair;
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: {} is a method for all heads of a model; name it alone",
                            name, retrieval->mixes ? pair.sparse : pair.retrieval));
  }
  std::vector<std::string> names;
  for (const PlanName& plan : list_plans()) names.push_back(plan.name);
  throw_unknown_name("mode", name, names);
}

std::unique_ptr<HeadMode> make_mode(const std::string& name, ModeOptions& options,
                                    const PlanContext& context) {
  return find_entry(head_modes(), "head mode", name).make(options, context);
}

std::unique_ptr<HeadPolicy> make_mixed_policy(const std::string& name, ModeOptions& options,
                                              const PlanContext& context) {
  for (const PolicyEntry& policy : mixed_policies()) {
    if (auto made = policy.make(options, context)) return made;
  }
  options.finish();  // an option that nobody knows is the nearer fault
  throw Error(ErrorKind::kUnsupported,
              fmt::format("mode `{}` needs routers, which this checkpoint does not have: give "
                          "--router DIR with routers trained for it (elastic-bench train router, "
                          "docs/training.md), use a routed checkpoint, or fix the heads with "
                          "{}:pattern=FILE.tsv",
                          options.text(), name));
}

// The heads' modes and who gives them out.
void fill_plan(const ModePair& pair, ModeOptions& options, const PlanContext& context,
               AttentionPlan& plan) {
  std::unique_ptr<HeadMode> first = make_mode(pair.retrieval, options, context);
  if (pair.sparse.empty()) {
    const std::int64_t dense =
        first->dense_layers() > 0 ? options.integer("dense", first->dense_layers(), 0) : 0;
    plan.policy = make_uniform(first->is_sparse(), context.heads_kv, dense);
    if (dense > 0) plan.retrieval = make_full(options, context);
    (first->is_sparse() ? plan.sparse : plan.retrieval) = std::move(first);
    return;
  }
  plan.retrieval = std::move(first);
  plan.sparse = make_mode(pair.sparse, options, context);
  if (!plan.sparse->is_sparse()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: sparse heads would be in mode {}, which leaves out no keys",
                            options.text(), pair.sparse));
  }
  if (plan.retrieval->places().kernel_loop) {
    options.note(fmt::format("retrieval heads are not full either, {} passes over tiles of theirs",
                             pair.retrieval));
  }
}

// Whether steps read a cut cache. What is left out nowhere else has to be left out there.
bool cuts_caches(const AttentionPlan& plan, ModeOptions& options) {
  const bool cuts = options.either("decode", "sparse", "full");
  if (cuts && plan.selects_in_decode()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: decode=sparse cuts caches that {} would read whole; leave "
                            "decode out",
                            options.text(), plan.retrieval->name()));
  }
  if (!cuts && !plan.sparse->places().prefill_mask) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: prefill=dense and decode=full leave out no keys; add "
                            "decode=sparse",
                            options.text()));
  }
  return cuts;
}

// Routers that decide between other modes than those they were trained with.
void note_other_modes(const ModePair& pair, const PlanContext& context, ModeOptions& options) {
  if (!context.retrieval_mode && !context.toggle_type) return;
  const ModePair trained = trained_pair(context);
  if (trained.name() == pair.name()) return;
  options.note(
      fmt::format("the routers of this checkpoint were trained for {} (config.json); `{}` takes "
                  "what they were trained for",
                  trained.name(), kRouted));
}

}  // namespace

std::span<const ModeEntry> head_modes() { return kModes; }

std::span<const PolicyEntry> mixed_policies() { return kMixedPolicies; }

std::span<const PresetEntry> presets() { return kPresets; }

bool trained_for(ModeOptions& options, const PlanContext& context) {
  const bool configured =
      context.sparse_mode && ModeOptions(*context.sparse_mode).name() == options.name();
  const bool trained = configured ? !options.either("weights", "untrained", "trained")
                                  : options.either("weights", "trained", "untrained");
  if (!trained) {
    options.note(fmt::format(
        "untrained {}: nothing says that this checkpoint was trained for it (`sparse_mode` of "
        "config.json, or weights=trained)",
        options.name()));
  }
  return trained;
}

AttentionPlan make_attention_plan(std::string_view mode, const PlanContext& context) {
  ModeOptions options(mode);
  const ModePair pair = parse_name(options.name(), context);
  const PresetEntry* preset = find_preset(options.name());
  if (preset != nullptr) {
    const std::string window = window_beside_pattern(options, context, preset->rule);
    if (!window.empty()) options.fall_back_on(ModeOptions("ssa:" + window));
    options.fall_back_on(ModeOptions(fmt::format("ssa:{}", preset->options)));
  }
  if (context.sparse_mode) {
    const ModeOptions trained(*context.sparse_mode);
    if (trained.name() == (pair.sparse.empty() ? pair.retrieval : pair.sparse)) {
      options.fall_back_on(trained);
    }
  }
  AttentionPlan plan{.name = preset != nullptr ? preset->name : pair.name()};
  fill_plan(pair, options, context, plan);
  if (plan.sparse != nullptr && plan.sparse->decode_window().local > 0) {
    plan.sparse_decode = cuts_caches(plan, options);
  }
  if (preset != nullptr) {
    plan.policy = make_pattern_policy(options, context, preset->rule);
  } else if (plan.policy == nullptr) {
    plan.policy = make_mixed_policy(plan.name, options, context);
    if (plan.policy->needs_keys()) note_other_modes(pair, context, options);
  }
  options.finish();
  plan.note = options.note();
  return plan;
}

std::vector<PlanName> list_plans() {
  std::vector<PlanName> names;
  for (const ModeEntry& entry : kModes) names.push_back({entry.name, entry.summary});
  for (std::size_t b = 1; b < std::size(kModes); ++b) {
    for (std::size_t a = 0; a < b; ++a) {
      if (!kModes[a].mixes || !kModes[b].mixes) continue;
      names.push_back(
          {fmt::format("{}-{}", kModes[a].name, kModes[b].name),
           fmt::format("{} on retrieval heads, {} on sparse heads, as the routers "
                       "decide, or a pattern file (pattern, sparsity, threshold), or at "
                       "random (heads=random, sparsity, seed)",
                       kModes[a].name, kModes[b].name)});
    }
  }
  for (const PresetEntry& preset : kPresets) names.push_back({preset.name, preset.summary});
  names.push_back({kRouted, "what the checkpoint's routers were trained for (config.json)"});
  return names;
}

}  // namespace elastic::engine
