#!/usr/bin/env python3
"""Scoring of LongBench predictions against Python: the benchmark's formulas over the packages that its official
requirements name (rouge, jieba, fuzzywuzzy), on the same folder, in turns. Python's seconds hold reading and scoring,
not imports and not jieba's dictionary; the program's are the whole process, with intervals and files written. Scores
must agree in every set.

  python3 -m venv build/longbench-peer
  build/longbench-peer/bin/pip install rouge==1.0.1 jieba==0.42.1 fuzzywuzzy==0.18.0
  build/longbench-peer/bin/python tests/bench/longbench_peer.py --program build/elastic-bench PRED_FOLDER [-o FILE.json]
"""
import argparse
import collections
import json
import pathlib
import re
import string
import subprocess
import sys
import tempfile
import time
import warnings

warnings.filterwarnings("ignore")
import jieba  # noqa: E402
from fuzzywuzzy import fuzz  # noqa: E402
from rouge import Rouge  # noqa: E402

FIRST_LINE = {"trec", "triviaqa", "samsum", "lsht"}
ZH_RANGES = [(0x2013, 0x2014), (0x2018, 0x2019), (0x201B, 0x201F), (0x2026, 0x2027), (0x3001, 0x3003), (0x300B, 0x3011),
             (0x3014, 0x301F), (0x3030, 0x3030), (0x303E, 0x303F), (0xFE4F, 0xFE4F), (0xFF01, 0xFF0D), (0xFF0F, 0xFF0F),
             (0xFF1A, 0xFF20), (0xFF3B, 0xFF40), (0xFF5B, 0xFF64)]
ASCII = set(string.punctuation)
CHINESE = ASCII | {chr(c) for first, last in ZH_RANGES for c in range(first, last + 1)}
SCORER = Rouge()


def f1(prediction, truth):
    same = sum((collections.Counter(prediction) & collections.Counter(truth)).values())
    if same == 0:
        return 0
    precision, recall = same / len(prediction), same / len(truth)
    return 2 * precision * recall / (precision + recall)


def words(text):
    text = "".join(c for c in text.lower() if c not in ASCII)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def words_zh(text):
    tokens = ("".join("".join(c for c in t.lower() if c not in CHINESE).split()) for t in jieba.cut(text))
    return [token for token in tokens if token]


def rouge(prediction, truth):
    try:
        return SCORER.get_scores([prediction], [truth], avg=True)["rouge-l"]["f"]
    except Exception:  # the package raises on texts without words and on deep recursion
        return 0.0


def rouge_zh(prediction, truth):
    return rouge(" ".join(jieba.cut(prediction)), " ".join(jieba.cut(truth)))


def classification(prediction, truth, classes):
    found = [c for c in classes if c in prediction]
    for label in found:  # shrinks while it is walked, as the official one does
        if label in truth and label != truth:
            found.remove(label)
    return 1.0 / len(found) if truth in found else 0.0


def share(prediction, target):
    numbers = re.findall(r"\d+", prediction)
    return numbers.count(target) / len(numbers) if numbers else 0.0


def code(prediction, truth):
    lines = prediction.lstrip("\n").split("\n")
    line = next((x for x in lines if "`" not in x and "#" not in x and "//" not in x), "")
    return fuzz.ratio(line, truth) / 100


METRICS = {
    "qa_f1": lambda p, t, _: f1(words(p), words(t)),
    "qa_f1_zh": lambda p, t, _: f1(words_zh(p), words_zh(t)),
    "rouge": lambda p, t, _: rouge(p, t),
    "rouge_zh": lambda p, t, _: rouge_zh(p, t),
    "classification": classification,
    "retrieval": lambda p, t, _: share(p, re.findall(r"Paragraph (\d+)", t)[0]),
    "retrieval_zh": lambda p, t, _: share(p, re.findall("\u6bb5\u843d(\\d+)", t)[0]),
    "count": lambda p, t, _: share(p, t),
    "code": lambda p, t, _: code(p, t),
}
SETS = {
    "qa_f1": "narrativeqa qasper multifieldqa_en hotpotqa 2wikimqa musique triviaqa", "qa_f1_zh": "multifieldqa_zh",
    "rouge": "gov_report qmsum multi_news samsum", "rouge_zh": "dureader vcsum", "classification": "trec lsht",
    "retrieval": "passage_retrieval_en", "retrieval_zh": "passage_retrieval_zh", "count": "passage_count",
    "code": "lcc repobench-p",
}
METRIC_OF = {name: metric for metric, names in SETS.items() for name in names.split()}


def score_file(path):
    rows = [json.loads(line) for line in path.open(encoding="utf-8")]
    name, classes, total = path.stem, rows[-1]["all_classes"], 0.0
    metric = METRICS[METRIC_OF[name]]
    for row in rows:
        prediction = row["pred"]
        if name in FIRST_LINE:
            prediction = prediction.lstrip("\n").split("\n")[0]
        best = 0.0
        for truth in row["answers"]:
            best = max(best, metric(prediction, truth, classes))
        total += best
    return name, round(100 * total / len(rows), 2), len(rows)


def run_python(folder):
    start = time.perf_counter()
    results = [score_file(path) for path in sorted(folder.glob("*.jsonl"))]
    return time.perf_counter() - start, {n: s for n, s, _ in results}, sum(n for _, _, n in results)


def run_program(program, folder):
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        subprocess.run([program, "score", folder, "--format", "longbench", "--task", "longbench", "--output", out],
                       check=True, capture_output=True)
        seconds = time.perf_counter() - start
        return seconds, json.loads((pathlib.Path(out) / "result.json").read_text())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--program", default="build/elastic-bench")
    parser.add_argument("-r", "--repetitions", type=int, default=3)
    parser.add_argument("-o", "--output")
    options = parser.parse_args()
    jieba.initialize()
    ours = []
    theirs, expected, count = run_python(options.folder)
    for _ in range(options.repetitions):
        seconds, scores = run_program(options.program, options.folder)
        ours.append(seconds)
    unequal = {name: (scores[name], expected[name]) for name in expected if scores[name] != expected[name]}
    ours.sort()
    median = ours[len(ours) // 2]
    result = {"predictions": count, "python_s": theirs, "program_s": ours, "ratio": theirs / median, "unequal": unequal}
    print(f"{count} predictions: Python {theirs:.2f} s, elastic-bench {median:.3f} s (median of {len(ours)}), "
          f"{theirs / median:.0f} x; sets unequal: {unequal or 'none'}")
    if options.output:
        pathlib.Path(options.output).write_text(json.dumps(result, indent=1))
    return 1 if unequal else 0


if __name__ == "__main__":
    sys.exit(main())
