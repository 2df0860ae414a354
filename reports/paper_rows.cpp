#include "reports/paper_rows.h"

#include <algorithm>
#include <optional>

#include "base/registry.h"
#include "reports/published.h"

namespace elastic::reports {
namespace {

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

// The names that an experiment's numbers have in a field, each once and in order.
std::vector<std::string> names_of(std::string_view experiment, std::string PublishedNumber::*field,
                                  const std::optional<std::string_view>& model = std::nullopt) {
  std::vector<std::string> names;
  for (const PublishedNumber& number : published_numbers(experiment)) {
    const std::string& name = number.*field;
    if (model && number.model != *model) continue;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

}  // namespace

std::vector<std::string> paper_rows(std::string_view experiment, std::string_view model) {
  return names_of(experiment, &PublishedNumber::row, model);
}

std::vector<std::string> paper_columns_of(std::string_view experiment) {
  return names_of(experiment, &PublishedNumber::column);
}

std::vector<std::string> paper_models_of(std::string_view experiment) {
  return names_of(experiment, &PublishedNumber::model);
}

std::string paper_mode(std::string_view row) {
  return find_entry(std::span<const PaperMethod>(kMethods), "row of the paper", row).mode;
}

}  // namespace elastic::reports
