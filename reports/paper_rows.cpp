#include "reports/paper_rows.h"

#include <algorithm>

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

// Without repetition, in order.
void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

}  // namespace

std::vector<std::string> paper_rows(std::string_view experiment, std::string_view model) {
  std::vector<std::string> rows;
  for (const PublishedNumber& number : published_numbers(experiment)) {
    if (number.model == model) add_once(rows, number.row);
  }
  return rows;
}

std::vector<std::string> paper_columns_of(std::string_view experiment) {
  std::vector<std::string> columns;
  for (const PublishedNumber& number : published_numbers(experiment)) {
    add_once(columns, number.column);
  }
  return columns;
}

std::vector<std::string> paper_models_of(std::string_view experiment) {
  std::vector<std::string> models;
  for (const PublishedNumber& number : published_numbers(experiment)) {
    add_once(models, number.model);
  }
  return models;
}

std::string paper_mode(std::string_view row) {
  return find_entry(std::span<const PaperMethod>(kMethods), "row of the paper", row).mode;
}

}  // namespace elastic::reports
