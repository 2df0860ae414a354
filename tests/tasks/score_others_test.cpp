// `score` of lm-evaluation-harness's logs, of LongBench-V2 files and of this program's own runs, as
// a library: every record, every table.

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "runs/run_store.h"
#include "tasks/scoring/lm_eval_samples.h"
#include "tasks/scoring/v2_scores.h"
#include "tests/tasks/scored.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

class ScoreOthers : public ScoreTest {};

constexpr std::string_view kTrec =
    R"({"doc_id": 5, "doc": {"answers": ["x"], "all_classes": ["x", "y"], "length": 4000}, "target": "y", "resps": [["y"]], "filtered_resps": ["x"], "filter": "strip", "metrics": ["acc", "f1"], "acc": true, "f1": 0.5}
{"doc_id": 6, "doc": {"outputs": ["x", 3, [["z"]]], "all_classes": ["x"], "length": "4"}, "resps": [["x"]], "metrics": ["f1", 3, "none"], "f1": 0.25}
)";

TEST_F(ScoreOthers, LogsOfTheHarnessAreScoredByTheOfficialRules) {
  write("org__m/samples_longbench_trec_2025-01-31T10-00-00.123.jsonl", std::string(kTrec));
  write(
      "org__m/samples_longbench_trec_e_2025-01-31T10.jsonl",
      R"({"doc_id": 1, "doc": {"answers": ["x"], "all_classes": ["x"], "length": 3999}, "resps": "x"})"
      "\n");
  write(
      "org__m/samples_gsm8k_cot.jsonl",
      R"({"doc_id": 1, "doc": {}, "target": 12, "resps": [["12"]], "metrics": ["acc"], "acc": false}
{"doc_id": 7, "doc": 3, "target": ["x", [["y"]], []], "filtered_resps": [], "resps": [[7]], "metrics": "f1", "f1": 1}
)");
  write("org__m/samples_longbench_odd_e_2025.jsonl", R"({"doc_id": 1, "resps": [["12"]]})"
                                                     "\n");
  write("org__m/samples_longbench_lsht.jsonl", R"({"doc_id": 1, "resps": [[]]})"
                                               "\n");
  write("org__m/results.jsonl", "{}\n");
  EXPECT_EQ(scored(score_lm_eval, {folder_.path()}), R"(
run ROOT
  tasks gsm8k_cot longbench_odd_e longbench/trec longbench_e/trec
  categories longbench/trec=Few-shot Learning longbench_e/trec=Few-shot Learning
  org/m/gsm8k_cot/none/1 | org/m |  | gsm8k_cot | 0 | 1 | 12 | [12] | [] | acc | 0 |
  org/m/gsm8k_cot/none/7 | org/m |  | gsm8k_cot | 0 | 7 | 7 | [x, y] | [] |  | none |
  org/m/longbench_odd_e/none/1 | org/m |  | longbench_odd_e | 0 | 1 | 12 | [] | [] |  | none |
  org/m/longbench_trec/strip/5 | org/m | strip | longbench/trec | 0 | 5 | x | [x] | [x, y] | classification | 1 | length=4-8k
  org/m/longbench_trec/none/6 | org/m |  | longbench/trec | 0 | 6 | x | [x, 3, z] | [x] | classification | 1 |
  org/m/longbench_trec_e/none/1 | org/m |  | longbench_e/trec | 0 | 1 | x | [x] | [x] | classification | 1 | length=0-4k
  old org/m/gsm8k_cot/none/1=0 org/m/longbench_trec/none/6=0.25 org/m/longbench_trec/strip/5=1
failure ROOT/org__m/samples_longbench_lsht.jsonl: ROOT/org__m/samples_longbench_lsht.jsonl, line 1: keys `filtered_resps` and `resps` hold no text
)");
  EXPECT_EQ(scored(score_lm_eval, {folder_.path()}, {"longbench"}), R"(
run ROOT
  tasks longbench/trec
  categories longbench/trec=Few-shot Learning
  org/m/longbench_trec/strip/5 | org/m | strip | longbench/trec | 0 | 5 | x | [x] | [x, y] | classification | 1 | length=4-8k
  org/m/longbench_trec/none/6 | org/m |  | longbench/trec | 0 | 6 | x | [x, 3, z] | [x] | classification | 1 |
  old org/m/longbench_trec/none/6=0.25 org/m/longbench_trec/strip/5=1
failure ROOT/org__m/samples_longbench_lsht.jsonl: ROOT/org__m/samples_longbench_lsht.jsonl, line 1: keys `filtered_resps` and `resps` hold no text
)");
  EXPECT_EQ(scored(score_lm_eval, {folder_.path()}, {"gsm8k_cot", "longbench_e/trec"}), R"(
run ROOT
  tasks gsm8k_cot longbench_e/trec
  categories longbench_e/trec=Few-shot Learning
  org/m/gsm8k_cot/none/1 | org/m |  | gsm8k_cot | 0 | 1 | 12 | [12] | [] | acc | 0 |
  org/m/gsm8k_cot/none/7 | org/m |  | gsm8k_cot | 0 | 7 | 7 | [x, y] | [] |  | none |
  org/m/longbench_trec_e/none/1 | org/m |  | longbench_e/trec | 0 | 1 | x | [x] | [x] | classification | 1 | length=0-4k
  old org/m/gsm8k_cot/none/1=0
)");
}

TEST_F(ScoreOthers, LogsAreNamedByTaskAndTime) {
  const std::pair<const char*, const char*> rows[] = {
      {"samples_a_2025.jsonl", "a"},          {"samples_a_202.jsonl", "a_202"},
      {"samples_a_2025-.jsonl", "a"},         {"samples_a_b.jsonl", "a_b"},
      {"samples_a_20x5-1.jsonl", "a_20x5-1"}, {"samples_a_2025-1_2.jsonl", "a_2025-1_2"},
      {"samples_2025-1.jsonl", "2025-1"}};
  for (const auto& [name, task] : rows) {
    EXPECT_EQ(find_lm_eval_samples(write(name, "x")).front().task, task) << name;
  }
  EXPECT_EQ(refusal([&] { find_lm_eval_samples(folder_ / "absent"); }),
            "ROOT/absent: no samples_TASK_TIME.jsonl here or below (lm_eval writes them with "
            "--log_samples)");
  EXPECT_EQ(refusal([&] { read_lm_eval_samples(write("samples_a.jsonl", "\n")); }),
            "ROOT/samples_a.jsonl: holds no samples");
  EXPECT_EQ(refusal([&] {
              read_lm_eval_samples(write("samples_a.jsonl", "{\"doc_id\": 1, \"resps\": [[]]}\n"));
            }),
            "ROOT/samples_a.jsonl, line 1: keys `filtered_resps` and `resps` hold no text");
  std::string deep(9, '['), deeper(10, '[');
  deep = "{\"doc_id\": 1, \"resps\": " + deep + "\"a\"" + std::string(9, ']') + "}\n";
  deeper = "{\"doc_id\": 1, \"resps\": " + deeper + "\"a\"" + std::string(10, ']') + "}\n";
  EXPECT_EQ(read_lm_eval_samples(write("samples_a.jsonl", deep)).front().prediction, "a");
  EXPECT_THROW(read_lm_eval_samples(write("samples_a.jsonl", deeper)), Error);
}

std::string v2_row(const std::string& more) {
  return R"({"difficulty": "easy", "length": "short", )" + more + "}\n";
}

TEST_F(ScoreOthers, SecondVersionIsTabledAndJudged) {
  write(
      "v2/model.a.jsonl",
      v2_row(
          R"("_id": "q1", "pred": "A", "judge": true, "answer": "A", "domain": "d", "response": "The correct answer is (A).")") +
          v2_row(R"("pred": null, "judge": false, "response": "The correct answer is (B).")") +
          R"({"difficulty": "hard", "length": "long", "pred": "C", "judge": false, "error": null})"
          "\n" +
          R"({"difficulty": "hard", "length": "medium", "pred": null, "judge": false})"
          "\n" +
          v2_row(R"("error": "late")"));
  write("v2/array.json", " [" + v2_row(R"("pred": "A", "judge": true)") + "]");
  write("v2/one.jsonl", v2_row(R"("pred": "A", "judge": true)"));
  write("v2/bad.json", "[{\"difficulty\": 3}]");
  write("v2/notes.txt", "x");
  EXPECT_EQ(scored(score_longbench_v2, {folder_ / "v2"}), R"(
run ROOT/v2/array.json
  tasks longbench_v2
  planned |longbench_v2|0=1
  array/0 | array |  | longbench_v2 | 0 | 0 | A | [] | [] | accuracy | 1 | difficulty=easy length=short
run ROOT/v2/model.a.jsonl
  tasks longbench_v2
  planned |longbench_v2|0=5
  model.a/q1 | model.a |  | longbench_v2 | 0 | 0 | The correct answer is (A). | [A] | [] | accuracy | 1 | difficulty=easy domain=d length=short
  model.a/1 | model.a |  | longbench_v2 | 0 | 1 | The correct answer is (B). | [] | [] | accuracy | 0 | difficulty=easy length=short
  model.a/2 | model.a |  | longbench_v2 | 0 | 2 | C | [] | [] | accuracy | 0 | difficulty=hard length=long
  model.a/3 | model.a |  | longbench_v2 | 0 | 3 |  | [] | [] | accuracy | 0 | difficulty=hard length=medium
run ROOT/v2/one.jsonl
  tasks longbench_v2
  planned |longbench_v2|0=1
  one/0 | one |  | longbench_v2 | 0 | 0 | A | [] | [] | accuracy | 1 | difficulty=easy length=short
file result.txt
Model	Overall	Easy	Hard	Short	Medium	Long	Errors
array	100.0	100.0	none	100.0	none	none	0
model.a	25.0	50.0	0.0	50.0	0.0	0.0	1
one	100.0	100.0	none	100.0	none	none	0
file result_compensated.txt
Model	Overall	Easy	Hard	Short	Medium	Long	Errors
array	100.0	100.0	none	100.0	none	none	0
model.a	37.5	62.5	12.5	62.5	25.0	0.0	1
one	100.0	100.0	none	100.0	none	none	0
text
array: 1 of 503 questions answered
model.a: 4 of 503 questions answered, 1 rows with an error left out, 1 stored letters are not those of their responses
one: 1 of 503 questions answered, one object: the official script cannot read such a file
Model	Overall	Easy	Hard	Short	Medium	Long	Errors
array	100.0	100.0	none	100.0	none	none	0
model.a	25.0	50.0	0.0	50.0	0.0	0.0	1
one	100.0	100.0	none	100.0	none	none	0
failure ROOT/v2/bad.json, row 0: key `difficulty` is 3, expected a string
)");
  EXPECT_EQ(scored(score_longbench_v2, {folder_ / "v2/array.json"}), R"(
run ROOT/v2/array.json
  tasks longbench_v2
  planned |longbench_v2|0=1
  array/0 | array |  | longbench_v2 | 0 | 0 | A | [] | [] | accuracy | 1 | difficulty=easy length=short
file result.txt, result_compensated.txt
Model	Overall	Easy	Hard	Short	Medium	Long
array	100.0	100.0	none	100.0	none	none
text
array: 1 of 503 questions answered
Model	Overall	Easy	Hard	Short	Medium	Long
array	100.0	100.0	none	100.0	none	none
)");
  EXPECT_EQ(refusal([&] { find_v2_predictions(write("none/a.txt", "").parent_path()); }),
            "ROOT/none: no LongBench-V2 predictions (.jsonl, .json) here or below");
  EXPECT_EQ(refusal([&] {
              read_v2_predictions(write("v2/bad.jsonl", v2_row(R"("pred": 3, "judge": true)")));
            }),
            "ROOT/v2/bad.jsonl, line 1: key `pred` must be a letter or null");
}

runs::SampleRecord record(const std::string& key, const std::string& mode, const std::string& task,
                          std::int64_t index, const std::string& prediction) {
  runs::SampleRecord r;
  r.key = key;
  r.model = "m";
  r.mode = mode;
  r.task = task;
  r.index = index;
  r.prediction = prediction;
  r.references = {"b"};
  r.score = 0.125;
  return r;
}

std::vector<runs::SampleRecord> own_records() {
  std::vector<runs::SampleRecord> records = {
      record("k1", "fa", "longbench/qasper", 1, "b"),
      record("k2", "fa", "longbench/qasper", 0, "a"),
      record("k3", "xa", "longbench/qasper", 0, "b"),
      record("k4", "fa", "longbench/2wikimqa", 0, "b"),
      record("k5", "fa", "longbench_e/qasper", 0, "b"),
      record("k6", "fa", "longbench_e/qasper", 1, "c"),
      record("k7", "fa", "longbench_e/qasper", 2, "b"),
      record("k8", "fa", "longbench_v2", 0, "The correct answer is (A)"),
      record("k9", "fa", "longbench_v2", 1, "none"),
      record("k10", "xa", "ruler/vt", 0, "b")};
  records[4].strata["length"] = "4-8k";
  records[5].strata["length"] = "8k+";
  records[6].strata["length"] = "unknown";
  records[7].references = {"A"};
  records[7].strata = {{"difficulty", "easy"}, {"length", "medium"}};
  records[8].outcome = runs::Outcome::kError;
  records[8].score = std::nullopt;
  return records;
}

fs::path own_run(const fs::path& folder) {
  runs::RunSpec spec;
  spec.modes = {"fa", "xa"};
  spec.tasks = {"longbench/qasper", "longbench/2wikimqa", "longbench_e/qasper", "longbench_v2",
                "ruler/vt"};
  for (const runs::SampleRecord& r : own_records()) {
    ++spec.planned[{r.mode, r.task, 0}];
  }
  runs::RunStore store({.folder = folder}, spec);
  for (const runs::SampleRecord& r : own_records()) store.append(r);
  return folder;
}

TEST_F(ScoreOthers, OwnRunsAreScoredAgain) {
  const fs::path run = own_run(folder_ / "run");
  EXPECT_EQ(scored(score_elastic, {run}), R"(
run ROOT/run
  tasks longbench/qasper longbench/2wikimqa longbench_e/qasper longbench_v2 ruler/vt
  planned fa|longbench/2wikimqa|0=1 fa|longbench/qasper|0=2 fa|longbench_e/qasper|0=3 fa|longbench_v2|0=2 xa|longbench/qasper|0=1 xa|ruler/vt|0=1
  k1 | m | fa | longbench/qasper | 0 | 1 | b | [b] | [] | qa_f1 | 1 |
  k2 | m | fa | longbench/qasper | 0 | 0 | a | [b] | [] | qa_f1 | 0 |
  k3 | m | xa | longbench/qasper | 0 | 0 | b | [b] | [] | qa_f1 | 1 |
  k4 | m | fa | longbench/2wikimqa | 0 | 0 | b | [b] | [] | qa_f1 | 1 |
  k5 | m | fa | longbench_e/qasper | 0 | 0 | b | [b] | [] | qa_f1 | 1 | length=4-8k
  k6 | m | fa | longbench_e/qasper | 0 | 1 | c | [b] | [] | qa_f1 | 0 | length=8k+
  k7 | m | fa | longbench_e/qasper | 0 | 2 | b | [b] | [] | qa_f1 | 1 | length=unknown
  k8 | m | fa | longbench_v2 | 0 | 0 | The correct answer is (A) | [A] | [] | accuracy | 1 | difficulty=easy length=medium
  k9 | m | fa | longbench_v2 | 0 | 1 | none | [b] | [] |  | none |
  k10 | m | xa | ruler/vt | 0 | 0 | b | [b] | [] | string_match_all | 1 |
  old k1=0.125 k10=0.125 k2=0.125 k3=0.125 k4=0.125 k5=0.125 k6=0.125 k7=0.125 k8=0.125
file longbench/fa/profiles.json
longbench-official, difflib
  set | 2wikimqa |  | 100 * sum / n, rounded to two decimals as Python does | 100.0 | 1
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 50.0 | 2
  category | Single-Doc QA |  | ours: unweighted mean of the category's unrounded set scores | 50.0 | 2
  category | Multi-Doc QA |  | ours: unweighted mean of the category's unrounded set scores | 100.0 | 1
  overall |  |  | ours: unweighted mean of 2 sets | 75.0 | 3
  overall |  |  | ours: unweighted mean of 2 category means | 75.0 | 3
loom, difflib
  set | 2wikimqa |  | 100 * sum / n, rounded to two decimals as Python does | 100.0 | 1
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 50.0 | 2
  overall |  |  | sample-weighted mean of the rounded set scores, numpy rounding | 66.67 | 3
file longbench/fa/result.json
{
    "2wikimqa": 100.0,
    "qasper": 50.0
}
file longbench/xa/profiles.json
longbench-official, difflib
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 100.0 | 1
  category | Single-Doc QA |  | ours: unweighted mean of the category's unrounded set scores | 100.0 | 1
  overall |  |  | ours: unweighted mean of 1 sets | 100.0 | 1
  overall |  |  | ours: unweighted mean of 1 category means | 100.0 | 1
loom, difflib
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 100.0 | 1
  overall |  |  | sample-weighted mean of the rounded set scores, numpy rounding | 100.0 | 1
file longbench/xa/result.json
{
    "qasper": 100.0
}
file longbench_e/fa/profiles.json
longbench-e-official, difflib
  set | qasper | 0-4k | numpy mean of the bucket, numpy rounding | null | 0
  set | qasper | 4-8k | numpy mean of the bucket, numpy rounding | 100.0 | 1
  set | qasper | 8k+ | numpy mean of the bucket, numpy rounding | 0.0 | 1
elastic-paper, difflib
  set | qasper |  | mean of samples | 66.66666666666667 | 3
  category | Single-Doc QA |  | unweighted mean of the category's sets | 66.66666666666667 | 3
  overall |  |  | mean over all samples of 1 sets | 66.66666666666667 | 3
loom, difflib
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 66.67 | 3
  overall |  |  | sample-weighted mean of the rounded set scores, numpy rounding | 66.67 | 3
file longbench_e/fa/result.json
{
    "qasper": {
        "0-4k": NaN,
        "4-8k": 100.0,
        "8k+": 0.0
    }
}
file longbench_v2/result.txt
Model	Overall	Easy	Hard	Short	Medium	Long	Errors
fa	100.0	100.0	none	none	100.0	none	1
text
fa, longbench-official: category Single-Doc QA 50.00 (n = 2; ours: unweighted mean of the category's unrounded set scores)
fa, longbench-official: category Multi-Doc QA 100.00 (n = 1; ours: unweighted mean of the category's unrounded set scores)
fa, longbench-official: overall 75.00 (n = 3; ours: unweighted mean of 2 sets)
fa, longbench-official: overall 75.00 (n = 3; ours: unweighted mean of 2 category means)
fa, loom: overall 66.67 (n = 3; sample-weighted mean of the rounded set scores, numpy rounding)
fa, elastic-paper: category Single-Doc QA 66.67 (n = 3; unweighted mean of the category's sets)
fa, elastic-paper: overall 66.67 (n = 3; mean over all samples of 1 sets)
fa, loom: overall 66.67 (n = 3; sample-weighted mean of the rounded set scores, numpy rounding)
xa, longbench-official: category Single-Doc QA 100.00 (n = 1; ours: unweighted mean of the category's unrounded set scores)
xa, longbench-official: overall 100.00 (n = 1; ours: unweighted mean of 1 sets)
xa, longbench-official: overall 100.00 (n = 1; ours: unweighted mean of 1 category means)
xa, loom: overall 100.00 (n = 1; sample-weighted mean of the rounded set scores, numpy rounding)
Model	Overall	Easy	Hard	Short	Medium	Long	Errors
fa	100.0	100.0	none	none	100.0	none	1
)");
  EXPECT_EQ(scored(score_elastic, {run, own_run(folder_ / "again")}, {"longbench_v2", "ruler/vt"}),
            R"(
run ROOT/run
  tasks longbench_v2 ruler/vt
  planned fa|longbench_v2|0=2 xa|ruler/vt|0=1
  k8 | m | fa | longbench_v2 | 0 | 0 | The correct answer is (A) | [A] | [] | accuracy | 1 | difficulty=easy length=medium
  k9 | m | fa | longbench_v2 | 0 | 1 | none | [b] | [] |  | none |
  k10 | m | xa | ruler/vt | 0 | 0 | b | [b] | [] | string_match_all | 1 |
run ROOT/again
  tasks longbench_v2 ruler/vt
  planned fa|longbench_v2|0=2 xa|ruler/vt|0=1
  k8 | m | fa | longbench_v2 | 0 | 0 | The correct answer is (A) | [A] | [] | accuracy | 1 | difficulty=easy length=medium
  k9 | m | fa | longbench_v2 | 0 | 1 | none | [b] | [] |  | none |
  k10 | m | xa | ruler/vt | 0 | 0 | b | [b] | [] | string_match_all | 1 |
  old k10=0.125 k8=0.125
file ROOT/again/longbench_v2/result.txt, ROOT/run/longbench_v2/result.txt
Model	Overall	Easy	Hard	Short	Medium	Long	Errors
fa	100.0	100.0	none	none	100.0	none	1
text
Model	Overall	Easy	Hard	Short	Medium	Long	Errors
fa	100.0	100.0	none	none	100.0	none	1
Model	Overall	Easy	Hard	Short	Medium	Long	Errors
fa	100.0	100.0	none	none	100.0	none	1
)");
}

TEST_F(ScoreOthers, FormatsAndPathsHaveNames) {
  EXPECT_EQ(score_formats().size(), 5u);
  for (const ScoreFormat& format : score_formats())
    EXPECT_EQ(&find_score_format(format.name), &format);
  EXPECT_THROW(find_score_format("lm_eval"), Error);
  EXPECT_EQ(path_inside("/a/../b/./c"), "b/c");
  EXPECT_EQ(path_inside("../../a"), "a");
}

}  // namespace
}  // namespace elastic::tasks
