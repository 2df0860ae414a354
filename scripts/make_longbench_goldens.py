#!/usr/bin/env python3
"""Writes tests/data/longbench: scores, segmentations, cuts and letters of texts of our own, by the Python peer of the
scorer (tests/bench/longbench_peer.py) and the packages that LongBench's official requirements name.

  build/longbench-peer/bin/python scripts/make_longbench_goldens.py     (environment: see the peer)
"""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "bench"))
import longbench_peer as peer  # noqa: E402

OUT = ROOT / "tests" / "data" / "longbench"
CLASSES = ["river", "river mouth", "mouth", "lake", "sea"]
PAIRS = {
    "hotpotqa": [("The old mill, by the river.", ["an old mill", "river"]), ("", ["x"]), ("a an the", ["the"]),
                 ("well-known; a-b", ["wellknown ab"]), ("\u0130stanbul \u03a3\u0391\u03a3", ["i\u0307stanbul \u03c3\u03b1\u03c2"]),
                 ("cat cat dog", ["cat dog dog", "cat"])],
    "multifieldqa_zh": [("\u5341\u4e8c\u6708\u7684\u4e0a\u6d77\u5f88\u51b7\u3002", ["\u4e0a\u6d77\u5341\u4e8c\u6708\u51b7"]),
                        ("3.5% of \u5317\u4eac\u5927\u5b66", ["\u5317\u4eac\u5927\u5b66 3.5%"]), ("\u3002\uff0c", ["\u3002"])],
    "qmsum": [("The mill stands. It is old.", ["An old mill stands there."]), ("a b c d", ["b a d c"]), (" ", [" "]),
              ("...", ["a."]), ("x.\n", ["y.\n"]), ("3.14 is pi", ["pi is 3.14"])],
    "vcsum": [("\u4f1a\u8bae\u8ba8\u8bba\u4e86\u9884\u7b97\u3002", ["\u4f1a\u8bae\u8ba8\u8bba\u9884\u7b97\u95ee\u9898\u3002"])],
    "trec": [("river mouth", ["river mouth"]), ("river or lake\nsea", ["lake"]), ("\n\nsea", ["sea"]), ("none", ["sea"])],
    "passage_count": [("5", ["5"]), ("there are 5, or 05 or \uff15", ["5"]), ("many", ["5"])],
    "passage_retrieval_en": [("Paragraph 7 or 8", ["Paragraph 7"]), ("seven", ["Paragraph 7"])],
    "passage_retrieval_zh": [("\u6bb5\u843d3", ["\u6bb5\u843d3"]), ("3\u30013\u30014", ["\u6bb5\u843d3"])],
    "lcc": [("# note\nreturn a + b", ["return a+b"]), ("x = 1", ["x = 1"]), ("`", ["y"]), ("for i in range(n):", ["for j in range(m):"]),
            ("ab" * 120, ["ba" * 110])],
}
FILES = {"hotpotqa": "qa_f1", "multifieldqa_zh": "qa_f1_zh", "qmsum": "rouge", "vcsum": "rouge_zh", "trec": "classification",
         "passage_count": "count", "passage_retrieval_en": "retrieval", "passage_retrieval_zh": "retrieval_zh", "lcc": "code_sim"}
CUTS = ["", "\u6211\u6765\u5230\u5317\u4eac\u6e05\u534e\u5927\u5b66", "\u674e\u5c0f\u798f\u662f\u521b\u65b0\u529e\u4e3b\u4efb\u4e5f\u662f\u4e91\u8ba1\u7b97\u65b9\u9762\u7684\u4e13\u5bb6",
        "c++ 3.14% \u4e86\r\n\u3000\u54c8", "\u4e18\u4e39\u864e\u5728\u8d75\u5bb6\u6cb3\u5403\u996d", "e-mail_1.5.2%x\u00e9"]
REPLIES = ["The correct answer is (B).", "The correct answer is **C**", "It is A", "The correct answer is E", "The correct answer is D, no (A)"]


def indel(prediction, truth):
    lines = prediction.lstrip("\n").split("\n")
    line = next((x for x in lines if not re.search("`|#|//", x)), "")
    if line == truth:
        return 1.0
    if not line or not truth:
        return 0.0
    row = [0] * (len(truth) + 1)
    for a in line:
        above = row[:]
        for j, b in enumerate(truth):
            row[j + 1] = above[j] + 1 if a == b else max(above[j + 1], row[j])
    total = len(line) + len(truth)
    return int(round(100 * (1.0 - (total - 2 * row[-1]) / total))) / 100


def metric_row(dataset, index, prediction, answers):
    scored = prediction.lstrip("\n").split("\n")[0] if dataset in peer.FIRST_LINE else prediction
    metric = peer.METRICS[peer.METRIC_OF[dataset]]
    each = [float(metric(scored, answer, CLASSES)) for answer in answers]
    row = {"id": f"own-{FILES[dataset]}-{index}", "dataset": dataset, "prediction": prediction, "answers": answers,
           "all_classes": CLASSES if dataset == "trec" else None, "per_answer": each, "expected": max(each)}
    if dataset == "lcc":
        row["per_answer_levenshtein"] = [indel(prediction, answer) for answer in answers]
        row["expected_levenshtein"] = max(row["per_answer_levenshtein"])
    return row


def write(name, rows):
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (OUT / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for dataset, pairs in PAIRS.items():
        write(FILES[dataset], [metric_row(dataset, i, *pair) for i, pair in enumerate(pairs)])
    write("jieba_cut", [{"id": f"own-cut-{i}", "text": t, "tokens": list(peer.jieba.cut(t))} for i, t in enumerate(CUTS)])
    letter = re.compile(r"The correct answer is \(([A-D])\)"), re.compile(r"The correct answer is ([A-D])")
    found = [[m.group(1) for m in (p.search(r.replace("*", "")) for p in letter) if m] for r in REPLIES]
    write("v2_extract", [{"id": f"own-letter-{i}", "response": r, "expected": f[0] if f else None}
                         for i, (r, f) in enumerate(zip(REPLIES, found))])
    ids = list(range(1, 8))
    cuts = [{"id": f"own-v1-{n}", "rule": "v1", "ids": ids, "max_length": n, "head": None if n >= 7 else ids[:n // 2],
             "tail": None if n >= 7 else ids[-(n // 2):]} for n in (0, 1, 4, 5, 7)]
    cuts += [{"id": f"own-v2-{n}", "rule": "v2", "ids": ids, "max_length": n,
              "joined": None if n >= 7 else ids[:n // 2] + ids[(-n) // 2:]} for n in (1, 4, 5, 7)]
    write("truncation", cuts)
    record = {"input": "{x}", "context": "c", "length": 3}
    formats = [("{context}: {input} {{}} {length}", "c: {x} {} 3"), ("{", None), ("{no}", None), ("{}", None)]
    write("format", [{"id": f"own-format-{i}", "format": f, "record": record, **({"expected": e} if e else {"error": "yes"})}
                     for i, (f, e) in enumerate(formats)])


if __name__ == "__main__":
    main()
