#!/usr/bin/env python3
"""RULER generation against the Python one: the `ruler` tasks of lm-evaluation-harness, whose logic is
that of ruler@gen-a. Both generate the same number of samples at the same length, with the same
tokenizer and sources, on one core, task by task in turns; seconds do not hold imports.

  python3 -m venv build/ruler-peer
  build/ruler-peer/bin/pip install lm_eval transformers wonderwords nltk scipy
  build/ruler-peer/bin/python tests/bench/ruler_peer.py --program build/elastic-bench \\
      --model DIR --data DIR [--length 32768] [--samples 50] [--tasks vt,cwe] [-o FILE.json]
"""
import argparse
import contextlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

NIAH = {  # haystack, key kind, value kind, keys, values, keys asked
    "niah_single_1": ("repeat", "words", "numbers", 1, 1, 1),
    "niah_single_2": ("essay", "words", "numbers", 1, 1, 1),
    "niah_single_3": ("essay", "words", "uuids", 1, 1, 1),
    "niah_multikey_1": ("essay", "words", "numbers", 4, 1, 1),
    "niah_multikey_2": ("needle", "words", "numbers", 1, 1, 1),
    "niah_multikey_3": ("needle", "uuids", "uuids", 1, 1, 1),
    "niah_multivalue": ("essay", "words", "numbers", 1, 4, 1),
    "niah_multiquery": ("essay", "words", "numbers", 1, 1, 4),
}
TASKS = [*NIAH, "vt", "cwe", "fwe", "qa_1", "qa_2"]


def nltk_folder(data):
    """The sentence splitter's parameters as NLTK looks for them."""
    root = tempfile.mkdtemp(prefix="elastic-ruler-peer-")
    # A copy: NLTK opens nothing outside its own folder.
    shutil.copytree(os.path.join(data, "ruler", "punkt_tab_english"),
                    os.path.join(root, "tokenizers", "punkt_tab", "english"))
    return root


class Peer:
    def __init__(self, model, data):
        os.environ["NLTK_DATA"] = nltk_folder(data)
        from transformers import AutoTokenizer
        from lm_eval.tasks.ruler import cwe_utils, fwe_utils, niah_utils, prepare_niah, qa_utils, vt_utils
        self.cwe, self.fwe, self.vt, self.qa = cwe_utils, fwe_utils, vt_utils, qa_utils
        self.niah, self.template = prepare_niah, niah_utils.TEMPLATE
        self.tokenizer = AutoTokenizer.from_pretrained(model)
        with open(os.path.join(data, "ruler", "PaulGrahamEssays.json"), encoding="utf-8") as file:
            self.essays = " ".join(json.load(file)["text"].split()).split(" ")
        names = sorted(os.listdir(os.path.join(data, "ruler")))
        self.squad = self.path(data, names, "squad_dev")
        self.hotpot = self.path(data, names, "hotpot")
        qa_utils.download_json = lambda path: json.load(open(path, encoding="utf-8"))

    @staticmethod
    def path(data, names, start):
        return os.path.join(data, "ruler", next(n for n in names if n.startswith(start)))

    def generate(self, task, length, samples):
        if task in NIAH:
            haystack, key, value, keys, values, asked = NIAH[task]
            text = self.essays if haystack == "essay" else self.niah.get_haystack(type_haystack=haystack)
            return self.niah.generate_samples(
                text, TOKENIZER=self.tokenizer, max_seq_length=length, type_haystack=haystack,
                type_needle_k=key, type_needle_v=value, template=self.template, num_samples=samples,
                num_needle_k=keys, num_needle_v=values, num_needle_q=asked)
        if task == "vt":
            example = self.vt.sys_vartrack_w_noise_random(
                tokenizer=self.tokenizer, num_samples=1, max_seq_length=500, incremental=5)[0]
            return self.vt.sys_vartrack_w_noise_random(
                tokenizer=self.tokenizer, num_samples=samples, max_seq_length=length, icl_example=example)
        if task == "cwe":
            return self.cwe.sys_word_pair_random(
                num_samples=samples, max_seq_length=length, tokenizer=self.tokenizer)
        if task == "fwe":
            return self.fwe.sys_kwext(tokenizer=self.tokenizer, max_seq_length=length, num_samples=samples)
        read = self.qa.read_squad if task == "qa_1" else self.qa.read_hotpotqa
        questions, documents = read(self.squad if task == "qa_1" else self.hotpot)
        return self.qa.generate_samples(self.tokenizer, docs=documents, qas=questions,
                                        max_seq_length=length, num_samples=samples)


def peer_seconds(peer, task, length, samples):
    random.seed(0)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        start = time.process_time()
        made = peer.generate(task, length, samples)
        seconds = time.process_time() - start
    assert len(made) == samples, f"{task}: the peer made {len(made)} samples"
    return seconds


def our_seconds(options, task):
    command = [options.program, "bench", "ruler", "--model", options.model, "--data-dir", options.data,
               "--tasks", "ruler/" + task, "--lengths", str(options.length),
               "--num-samples", str(options.samples), "--profile", "ruler@gen-a", "-o", "json"]
    rows = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["rows"]
    return rows[0]["cpu_seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--model", required=True, help="folder with tokenizer.json")
    parser.add_argument("--data", required=True, help="data folder")
    parser.add_argument("--length", type=int, default=32768)
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("-o", "--output")
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
    peer = Peer(options.model, options.data)
    rows, ours, theirs = [], 0.0, 0.0
    print(f"{'task':<18}{'peer s':>10}{'ours s':>10}{'ratio':>9}")
    for task in options.tasks.split(","):
        mine, other = our_seconds(options, task), peer_seconds(peer, task, options.length, options.samples)
        ours, theirs = ours + mine, theirs + other
        rows.append({"task": task, "peer_cpu_seconds": other, "cpu_seconds": mine})
        print(f"{task:<18}{other:>10.2f}{mine:>10.3f}{other / mine:>9.1f}", flush=True)
    print(f"{'all':<18}{theirs:>10.2f}{ours:>10.3f}{theirs / ours:>9.1f}")
    if options.output:
        with open(options.output, "w", encoding="utf-8") as file:
            json.dump({"length": options.length, "samples": options.samples, "rows": rows,
                       "ratio": theirs / ours}, file, indent=2)


if __name__ == "__main__":
    sys.exit(main())
