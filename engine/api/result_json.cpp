#include "engine/api/result_json.h"

#include <nlohmann/json.hpp>

namespace elastic::engine {

Json result_json(const Result& result, std::size_t prompt_tokens, bool has_text) {
  constexpr const char* kFinish[] = {"eos", "stop", "length"};
  const Timing& timing = result.timing;
  return {{"ids", result.ids},
          {"text", has_text ? Json(result.text) : Json(nullptr)},
          {"prompt_tokens", prompt_tokens},
          {"finish", kFinish[static_cast<int>(result.finish)]},
          {"msr", result.trace.msr},
          {"routing", result.trace.routing},
          {"timing",
           {{"prefill_ms", timing.prefill_ms},
            {"router_ms", timing.router_ms},
            {"select_ms", timing.select_ms},
            {"attention_ms", timing.attention_ms},
            {"ttft_ms", timing.ttft_ms},
            {"decode_ms", timing.decode_ms}}},
          {"peak_bytes", result.peak_bytes},
          {"kv_bytes", result.kv_bytes},
          {"kv_bytes_full", result.kv_bytes_full},
          {"joules", result.joules ? Json(*result.joules) : Json(nullptr)}};
}

Json trace_json(const Trace& trace) {
  Json layers = Json::array();
  for (std::size_t layer = 0; layer < trace.routing.size(); ++layer) {
    Json sparse = Json::array();
    for (const char decision : trace.routing[layer]) sparse.push_back(decision == '1' ? 1 : 0);
    Json logits = nullptr;
    if (layer < trace.router_logits.size()) logits = trace.router_logits[layer];
    layers.push_back({{"router_logits", logits}, {"is_sparse", sparse}});
  }
  return {{"layers", layers},
          {"msr", trace.msr},
          {"esr",
           {{"last_query", trace.esr.last_query},
            {"last_layer", trace.esr.last_layer},
            {"all_layers", trace.esr.all_layers}}},
          {"block_density", trace.block_density},
          {"pv_density", trace.pv_density ? Json(*trace.pv_density) : Json(nullptr)},
          {"read_share", trace.read_share ? Json(*trace.read_share) : Json(nullptr)},
          {"fallback_share", trace.fallback_share}};
}

}  // namespace elastic::engine
