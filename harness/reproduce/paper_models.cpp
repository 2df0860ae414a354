#include "harness/reproduce/paper_models.h"

#include <algorithm>

#include "base/registry.h"
#include "engine/config/shapes.h"
#include "reports/published.h"

namespace elastic::harness {
namespace {

struct PaperModel {
  const char* name;
  const char* shape;
};
constexpr PaperModel kModels[] = {
    {kQwen4B, "qwen3-4b"}, {kQwen8B, "qwen3-8b"}, {kLlama, "llama-3.1-8b"}};

struct PaperMethod {
  const char* name;
  const char* mode;
};
// DuoAttention and PruLong: 70 % of the heads stream, in prefill too, over 128 + 1024 tokens
// (elastic_attention spec 5.2, 7.2).
constexpr PaperMethod kMethods[] = {
    {"FA", "fa"},
    {"FA-SSA", "fa-ssa"},
    {"FA-XA", "fa-xa"},
    {"XA-SSA", "xa-ssa"},
    {"XAttention", "xa"},
    {"XAttention 0.9", "xa:tau=0.9"},
    {"XAttention 0.7", "xa:tau=0.7"},
    {"DuoAttention", "duo:sparsity=0.7,sink=128,local=1024,prefill=streaming"},
    {"PruLong", "prulong:sparsity=0.7,sink=128,local=1024,prefill=streaming"},
    {"InfLLM-V2", "infllm2"},
    {"MoBA", "moba"},
    {"NSA", "nsa"}};

// Without repetition, in order.
void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

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
  std::vector<std::string> printed;
  for (const auto& number : reports::published_numbers(experiment)) add_once(printed, number.model);
  const auto has = [&printed](const std::string& name) {
    return std::find(printed.begin(), printed.end(), name) != printed.end();
  };
  if (!asked.empty() && !has(asked)) throw_unknown_name("model of the paper", asked, printed);
  if (!asked.empty()) return asked;
  return has(same) ? same : printed.front();
}

std::vector<std::string> paper_rows(std::string_view experiment, std::string_view model) {
  std::vector<std::string> rows;
  for (const auto& number : reports::published_numbers(experiment)) {
    if (number.model == model) add_once(rows, number.row);
  }
  return rows;
}

std::vector<std::string> paper_columns_of(std::string_view experiment) {
  std::vector<std::string> columns;
  for (const auto& number : reports::published_numbers(experiment)) {
    add_once(columns, number.column);
  }
  return columns;
}

std::string paper_mode(std::string_view row) {
  return find_entry(std::span<const PaperMethod>(kMethods), "row of the paper", row).mode;
}

}  // namespace elastic::harness
