#include "tasks/longbench/sets.h"

#include <algorithm>
#include <array>

#include "base/registry.h"

namespace elastic::tasks {
namespace {

using M = LongbenchMetric;

constexpr std::string_view kSingle = "Single-Doc QA", kMulti = "Multi-Doc QA",
                           kSummary = "Summarization", kFewShot = "Few-shot Learning",
                           kSynthetic = "Synthetic", kCode = "Code";

// name, category, language, metric, budget, in E, chat, first line, summary
constexpr std::array<LongbenchSet, 21> kSets = {{
    {"narrativeqa", kSingle, "en", M::kQaF1, 128, false, true, false, "questions on a story"},
    {"qasper", kSingle, "en", M::kQaF1, 128, true, true, false, "questions on a paper"},
    {"multifieldqa_en", kSingle, "en", M::kQaF1, 64, true, true, false,
     "questions on one document of many fields"},
    {"multifieldqa_zh", kSingle, "zh", M::kQaF1Zh, 64, false, true, false, "the same in Chinese"},
    {"hotpotqa", kMulti, "en", M::kQaF1, 32, true, true, false, "two-step questions"},
    {"2wikimqa", kMulti, "en", M::kQaF1, 32, true, true, false, "questions of up to five steps"},
    {"musique", kMulti, "en", M::kQaF1, 32, false, true, false, "questions of up to four steps"},
    {"dureader", kMulti, "zh", M::kRougeZh, 128, false, true, false,
     "Chinese search questions over web pages"},
    {"gov_report", kSummary, "en", M::kRouge, 512, true, true, false,
     "summary of a government report"},
    {"qmsum", kSummary, "en", M::kRouge, 512, false, true, false,
     "summary of a meeting that answers a query"},
    {"multi_news", kSummary, "en", M::kRouge, 512, true, true, false,
     "summary of several articles"},
    {"vcsum", kSummary, "zh", M::kRougeZh, 512, false, true, false, "summary of a Chinese meeting"},
    {"trec", kFewShot, "en", M::kClassification, 64, true, false, true,
     "type of a question, by examples"},
    {"triviaqa", kFewShot, "en", M::kQaF1, 32, true, false, true,
     "trivia with a passage, by examples"},
    {"samsum", kFewShot, "en", M::kRouge, 128, true, false, true,
     "summary of a dialogue, by examples"},
    {"lsht", kFewShot, "zh", M::kClassification, 64, false, false, true,
     "class of a Chinese news text, by examples"},
    {"passage_count", kSynthetic, "en", M::kCount, 32, true, true, false,
     "how many passages are unlike each other"},
    {"passage_retrieval_en", kSynthetic, "en", M::kRetrieval, 32, true, true, false,
     "which passage an abstract is of"},
    {"passage_retrieval_zh", kSynthetic, "zh", M::kRetrievalZh, 32, false, true, false,
     "the same in Chinese"},
    {"lcc", kCode, "code", M::kCodeSimilarity, 64, true, false, false, "next line of a file"},
    {"repobench-p", kCode, "code", M::kCodeSimilarity, 64, true, false, false,
     "next line, with other files of the repository"},
}};

}  // namespace

std::string_view to_string(LongbenchMetric metric) {
  constexpr std::string_view kNames[] = {"qa_f1",        "qa_f1_zh",       "rouge",
                                         "rouge_zh",     "classification", "retrieval",
                                         "retrieval_zh", "count",          "code_sim"};
  return kNames[static_cast<std::size_t>(metric)];
}

std::span<const LongbenchSet> longbench_sets() { return kSets; }

const LongbenchSet* find_longbench_set(std::string_view name) {
  const auto* it = std::find_if(kSets.begin(), kSets.end(),
                                [name](const LongbenchSet& set) { return set.name == name; });
  return it == kSets.end() ? nullptr : it;
}

const LongbenchSet& longbench_set(std::string_view name) {
  return find_entry(std::span<const LongbenchSet>(kSets), "LongBench set", name);
}

bool needs_segmentation(const LongbenchSet& set) {
  return set.metric == M::kQaF1Zh || set.metric == M::kRougeZh;
}

}  // namespace elastic::tasks
