#include "reports/paper_columns.h"

#include <algorithm>
#include <numeric>

#include "base/text.h"

namespace elastic::reports {
namespace {

using Columns = std::vector<PaperColumn>;

struct PaperSet {
  const char* name;      // of table 7
  const char* task;      // of the suite longbench_e
  const char* category;  // of tables 1 and 8
  std::int64_t samples;
};

constexpr PaperSet kSets[] = {
    {"MF-en", "multifieldqa_en", "S-Doc QA", 150},
    {"Qasper", "qasper", "S-Doc QA", 224},
    {"HotpotQA", "hotpotqa", "M-Doc QA", 300},
    {"2WikiMQA", "2wikimqa", "M-Doc QA", 300},
    {"GovReport", "gov_report", "Summ", 300},
    {"MultiNews", "multi_news", "Summ", 294},
    {"TREC", "trec", "In-Context", 300},
    {"TriviaQA", "triviaqa", "In-Context", 300},
    {"SAMSum", "samsum", "In-Context", 300},
    {"PCount", "passage_count", "Synthetic", 300},
    {"PRe", "passage_retrieval_en", "Synthetic", 300},
    {"Lcc", "lcc", "Code", 300},
    {"RB-P", "repobench-p", "Code", 300},
};

constexpr const char* kRulerTasks[] = {"niah_single_1",
                                       "niah_single_2",
                                       "niah_single_3",
                                       "niah_multikey_1",
                                       "niah_multikey_2",
                                       "niah_multikey_3",
                                       "niah_multiquery",
                                       "niah_multivalue",
                                       "qa_1",
                                       "qa_2",
                                       "fwe"};
constexpr std::int64_t kRulerSamples = 50;  // of a task at a length
constexpr std::int64_t kRulerLengths[] = {8192, 16384, 32768, 65536, 131072, 262144};

constexpr std::int64_t kEasy = 150, kHard = 266;  // questions

std::string task_of(const PaperSet& set) { return std::string("longbench_e/") + set.task; }

Columns categories() {
  Columns columns;
  for (const PaperSet& set : kSets) {
    if (columns.empty() || columns.back().name != set.category) {
      columns.push_back({.name = set.category, .tasks = {}});
    }
    columns.back().tasks.push_back(task_of(set));
    columns.back().samples += set.samples;
  }
  return columns;
}

Columns sets() {
  Columns columns;
  for (const PaperSet& set : kSets) {
    columns.push_back({.name = set.name, .tasks = {task_of(set)}, .samples = set.samples});
  }
  return columns;
}

// Over all samples of the columns.
PaperColumn overall(std::string name, const Columns& columns) {
  PaperColumn all{.name = std::move(name), .tasks = tasks_of(columns), .pooled = true};
  for (const PaperColumn& column : columns) {
    all.mean_of.push_back(column.name);
    all.samples += column.samples;
  }
  return all;
}

Columns with_average(Columns columns) {
  columns.push_back(overall("avg", columns));
  return columns;
}

Columns ruler_lengths() {
  Columns columns;
  for (const std::int64_t length : kRulerLengths) columns.push_back(ruler_column(length));
  return columns;
}

PaperColumn ruler() {
  PaperColumn all = ruler_column(0);
  all.name = "RULER";
  all.samples *= std::ssize(kRulerLengths);
  all.lengths.assign(std::begin(kRulerLengths), std::end(kRulerLengths));
  return all;
}

PaperColumn v2(std::string name, std::string difficulty, std::int64_t samples) {
  return {.name = std::move(name),
          .tasks = {"longbench_v2"},
          .difficulty = std::move(difficulty),
          .samples = samples};
}

PaperColumn all_of_v2() { return v2("LongBench-v2", "", kEasy + kHard); }

Columns long_contexts() {
  Columns columns = ruler_lengths();
  columns.insert(columns.end(),
                 {ruler(), v2("easy", "easy", kEasy), v2("hard", "hard", kHard), all_of_v2()});
  return columns;
}

Columns benchmarks() {
  PaperColumn longbench_e = overall("LongBench-E", categories());
  longbench_e.mean_of.clear();  // no MSR is printed
  Columns columns{longbench_e, ruler(), all_of_v2()};
  PaperColumn mean{.name = "avg", .tasks = {}};
  for (const PaperColumn& column : columns) {
    mean.mean_of.push_back(column.name);
    mean.samples += column.samples;
  }
  columns.push_back(std::move(mean));
  return columns;
}

}  // namespace

PaperColumn ruler_column(std::int64_t length) {
  std::string name = format_length(length);
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c == 'k' ? 'K' : c == 'm' ? 'M' : c;
  });
  PaperColumn column{.name = std::move(name), .tasks = {}, .length = length};
  for (const char* task : kRulerTasks) column.tasks.push_back(std::string("ruler/") + task);
  column.samples = std::ssize(column.tasks) * kRulerSamples;
  return column;
}

std::vector<PaperColumn> paper_columns(std::string_view experiment) {
  struct Entry {
    std::string_view experiment;
    Columns (*make)();
  };
  constexpr auto by_category = [] { return with_average(categories()); };
  constexpr auto by_set = [] { return with_average(sets()); };
  constexpr auto questions = [] { return Columns{all_of_v2()}; };
  static constexpr Entry kEntries[] = {
      {"table1", by_category},    {"table2", long_contexts}, {"table3", benchmarks},
      {"table4", benchmarks},     {"table7", by_set},        {"table8", by_category},
      {"table10", long_contexts}, {"fig1", questions},       {"fig7", by_category},
      {"fig8", ruler_lengths},    {"fig12", ruler_lengths},  {"fig14", by_category}};
  const auto* found = std::find_if(std::begin(kEntries), std::end(kEntries),
                                   [&](const Entry& e) { return e.experiment == experiment; });
  return found == std::end(kEntries) ? Columns() : found->make();
}

std::vector<std::string> tasks_of(const std::vector<PaperColumn>& columns) {
  std::vector<std::string> tasks;
  for (const PaperColumn& column : columns) {
    for (const std::string& task : column.tasks) {
      if (std::find(tasks.begin(), tasks.end(), task) == tasks.end()) tasks.push_back(task);
    }
  }
  return tasks;
}

}  // namespace elastic::reports
