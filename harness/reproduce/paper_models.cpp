#include "harness/reproduce/paper_models.h"

#include <algorithm>

#include "base/registry.h"
#include "engine/config/shapes.h"
#include "reports/paper_rows.h"

namespace elastic::harness {
namespace {

struct PaperModel {
  const char* name;
  const char* shape;
};
constexpr PaperModel kModels[] = {
    {kQwen4B, "qwen3-4b"}, {kQwen8B, "qwen3-8b"}, {kLlama, "llama-3.1-8b"}};

}  // namespace

std::string paper_model_of_shape(const engine::ModelConfig& config) {
  for (const PaperModel& model : kModels) {
    const engine::ModelConfig shape = engine::shape_config(model.shape);
    if (config.family == shape.family && config.layers == shape.layers &&
        config.hidden == shape.hidden && config.intermediate == shape.intermediate &&
        config.heads_kv == shape.heads_kv && config.vocab == shape.vocab) {
      return model.name;
    }
  }
  return "";
}

std::string choose_paper_model(std::string_view experiment, const std::string& asked,
                               const std::string& same) {
  const std::vector<std::string> printed = reports::paper_models_of(experiment);
  const auto has = [&printed](const std::string& name) {
    return std::find(printed.begin(), printed.end(), name) != printed.end();
  };
  if (!asked.empty() && !has(asked)) throw_unknown_name("model of the paper", asked, printed);
  if (!asked.empty()) return asked;
  return has(same) ? same : printed.front();
}

}  // namespace elastic::harness
