#pragma once

// The 21 sets of LongBench and the 13 of LongBench-E (arXiv 2308.14508): one table, keyed by the
// name without "_e".
//
//   const LongbenchSet& set = longbench_set("hotpotqa");

#include <cstdint>
#include <span>
#include <string_view>

namespace elastic::tasks {

enum class LongbenchMetric {
  kQaF1,
  kQaF1Zh,
  kRouge,
  kRougeZh,
  kClassification,
  kRetrieval,
  kRetrievalZh,
  kCount,
  kCodeSimilarity,
};

/// "qa_f1", ...; code similarity without its mode.
std::string_view to_string(LongbenchMetric metric);

struct LongbenchSet {
  std::string_view name;
  std::string_view category;
  std::string_view language;  // "en", "zh", "code"
  LongbenchMetric metric = LongbenchMetric::kQaF1;
  std::int64_t answer_budget = 0;  // tokens, as the official configuration has it today
  bool in_e = false;
  bool chat = true;         // false: never wrapped in a chat template
  bool first_line = false;  // only the answer's first line is scored
  std::string_view summary;
};

/// In the order of the paper's table.
std::span<const LongbenchSet> longbench_sets();

/// Null where there is none of that name.
const LongbenchSet* find_longbench_set(std::string_view name);

/// Throws kInvalidArgument with suggestions.
const LongbenchSet& longbench_set(std::string_view name);

/// Whether scoring it needs Chinese segmentation.
bool needs_segmentation(const LongbenchSet& set);

}  // namespace elastic::tasks
