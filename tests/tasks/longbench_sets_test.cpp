// The table of sets against the benchmark's own facts (arXiv 2308.14508 and its evaluation code).

#include "tasks/longbench/sets.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

namespace elastic::tasks {
namespace {

// name | category | language | metric | answer tokens, then: in LongBench-E, wrapped in a chat
// template, scored by its first line.
constexpr std::string_view kTable =
    R"(narrativeqa | Single-Doc QA | en | qa_f1 | 128 | chat
qasper | Single-Doc QA | en | qa_f1 | 128 | E | chat
multifieldqa_en | Single-Doc QA | en | qa_f1 | 64 | E | chat
multifieldqa_zh | Single-Doc QA | zh | qa_f1_zh | 64 | chat
hotpotqa | Multi-Doc QA | en | qa_f1 | 32 | E | chat
2wikimqa | Multi-Doc QA | en | qa_f1 | 32 | E | chat
musique | Multi-Doc QA | en | qa_f1 | 32 | chat
dureader | Multi-Doc QA | zh | rouge_zh | 128 | chat
gov_report | Summarization | en | rouge | 512 | E | chat
qmsum | Summarization | en | rouge | 512 | chat
multi_news | Summarization | en | rouge | 512 | E | chat
vcsum | Summarization | zh | rouge_zh | 512 | chat
trec | Few-shot Learning | en | classification | 64 | E | first line
triviaqa | Few-shot Learning | en | qa_f1 | 32 | E | first line
samsum | Few-shot Learning | en | rouge | 128 | E | first line
lsht | Few-shot Learning | zh | classification | 64 | first line
passage_count | Synthetic | en | count | 32 | E | chat
passage_retrieval_en | Synthetic | en | retrieval | 32 | E | chat
passage_retrieval_zh | Synthetic | zh | retrieval_zh | 32 | chat
lcc | Code | code | code_sim | 64 | E
repobench-p | Code | code | code_sim | 64 | E
)";

TEST(longbench_sets, table) {
  std::string table;
  for (const LongbenchSet& set : longbench_sets()) {
    table += fmt::format("{} | {} | {} | {} | {}{}{}{}\n", set.name, set.category, set.language,
                         to_string(set.metric), set.answer_budget, set.in_e ? " | E" : "",
                         set.chat ? " | chat" : "", set.first_line ? " | first line" : "");
  }
  EXPECT_EQ(table, kTable);
}

TEST(longbench_sets, chinese_words_are_needed_where_words_are_scored) {
  for (const LongbenchSet& set : longbench_sets()) {
    EXPECT_EQ(needs_segmentation(set),
              set.metric == LongbenchMetric::kQaF1Zh || set.metric == LongbenchMetric::kRougeZh)
        << set.name;
    EXPECT_EQ(find_longbench_set(set.name), &set);
  }
  EXPECT_EQ(find_longbench_set("trec_e"), nullptr);
}

}  // namespace
}  // namespace elastic::tasks
