#!/usr/bin/env python3
"""Breaks the files that the program reads, one at a time, and runs the command that reads them.

    scripts/broken_inputs.py [--count 3000] [--seed 1] [--jobs 2] [--only WORDS] [--program build/elastic-bench]

Every file of a small model, tokenizer, run, training, data folder or prediction folder is a target. A mutation cuts,
repeats, flips or puts in bytes, makes a number extreme or, in JSON, swaps a value for one of another kind. The command
must end within --seconds with an exit code that means something: any but 1 (a fault of the program itself). What breaks
it is kept, with the command, in build/broken_inputs/finds. Fuzz targets (scripts/fuzz.sh) look deeper into each parser;
this shows that the whole program stands where a parser lets something through.
"""

import argparse
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests/data"
FINDS = ROOT / "build/broken_inputs/finds"
MEMORY = 12 << 30  # bytes of address space: a length that a file claims must not be believed

EXTREMES = [b"-1", b"0", b"1e308", b"1e400", b"-9223372036854775808", b"18446744073709551616", b"0.5", b"NaN", b"null", b"\"7\""]
OTHERS = [None, True, -1, 0, 2 ** 63, 1e308, 0.5, "", "\x00\x1b[31m", "../../up", "x" * 5000, [], {}, [[]], ["a"], {"a": 1}]


# ---- mutations: bytes, random source -> bytes

def cut(data, chance):
    return data[:chance.randrange(len(data))]


def removed(data, chance):
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.choice([1, 2, 8, 64, 1024]):]


def repeated(data, chance):
    start = chance.randrange(len(data))
    part = data[start:start + chance.choice([1, 8, 64, 1024])]
    return data[:start] + part * chance.choice([2, 3, 200]) + data[start + len(part):]


def flipped(data, chance):
    changed = bytearray(data)
    # Lengths and headers stand in front: half of the flips go there.
    reach = len(data) if chance.random() < 0.5 else min(len(data), 256)
    for _ in range(chance.choice([1, 1, 4, 32])):
        changed[chance.randrange(reach)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def put_in(data, chance):
    start = chance.randrange(len(data) + 1)
    return data[:start] + chance.choice([b"\x00", b"\xff\xfe", b"{", b"]" * 3, b"[" * 3000, b"\"", b"\n", b"\\u d800", b"{{", b"-"]) + data[start:]


def extreme(data, chance):
    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", data))
    if not numbers:
        return cut(data, chance)
    number = chance.choice(numbers)
    return data[:number.start()] + chance.choice(EXTREMES) + data[number.end():]


def swapped_value(data, chance):
    """One value of a JSON file, or of a line of JSON lines, becomes another, goes, or is nested."""
    lines, at = [data], 0
    try:
        value = json.loads(data)
    except ValueError:
        lines = data.splitlines(keepends=True)
        at = chance.randrange(len(lines))
        try:
            value = json.loads(lines[at])
        except ValueError:
            return flipped(data, chance)
    holder = {"": value}
    places = []
    waiting = [holder]
    while waiting:
        inner = waiting.pop()
        for key in inner if isinstance(inner, dict) else range(len(inner)):
            places.append((inner, key))
            if isinstance(inner[key], (dict, list)):
                waiting.append(inner[key])
    inner, key = chance.choice(places)
    if chance.random() < 0.2 and inner is not holder:
        del inner[key]
    else:
        inner[key] = chance.choice(OTHERS)
    lines[at] = json.dumps(holder[""]).encode() + b"\n"
    return b"".join(lines)


MUTATIONS = [cut, removed, repeated, flipped, put_in, extreme, swapped_value, swapped_value]


# ---- targets: folders with what the program reads, and the command that reads it

class Sandbox:
    """One worker's folders. targets: (file, command) pairs; {new} in a command is a folder that is made anew."""

    def __init__(self, program, folder):
        self.program, self.folder, self.targets = program, Path(folder), []
        self.environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "HF_HOME": str(self.folder / "hub"),
                            "ELASTIC_CACHE_DIR": str(self.folder / "cache"), "ELASTIC_DATA_DIR": str(self.folder / "data"),
                            "ELASTIC_GOLDEN_DIR": "/nonexistent"}
        for build in (self.models, self.tokenizers, self.data, self.runs, self.predictions, self.training):
            build()

    def run(self, command, seconds=600):
        new = self.folder / "new"
        shutil.rmtree(new, ignore_errors=True)
        words = [str(self.program)] + [str(new) if w == "{new}" else w for w in command]
        return subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, timeout=seconds, stdin=subprocess.DEVNULL,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)))

    def must(self, *command):
        if (ran := self.run(command)).returncode != 0:
            sys.exit(f"not broken, yet exit {ran.returncode}: {' '.join(command)}\n{ran.stderr.decode()[-2000:]}")

    def write(self, name, *lines):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
        return file

    def add(self, files, *command):
        self.must(*command)
        self.targets += [(file, command) for file in ([files] if isinstance(files, Path) else sorted(files))]

    def copy(self, source, name):
        return Path(shutil.copytree(source, self.folder / name))

    def models(self):
        prompt = ["--ids", "1,2,3,4,5,6,7,8", "--max-new-tokens", "2", "--device", "cpu"]
        for source, modes in (("models/llama_linear_bias", ["fa"]), ("models/llama_llama3_shards", ["ssa"]),
                              ("models/qwen3_yarn_options", ["fa"]), ("routed/paw_llama_small", ["fa-ssa"])):
            folder = self.copy(DATA / source, Path(source).name)
            self.add(folder.iterdir(), "generate", "-m", str(folder), "--mode", *modes, *prompt)
        for name in ("llama_linear_bias.gguf", "qwen3_plain.gguf"):
            file = Path(shutil.copy(DATA / "gguf" / name, self.folder))
            self.add(file, "generate", "-m", str(file), "--prompt", "the river", *prompt[2:])
        ids = self.write("ids.txt", "1,2,3", "4 5")
        self.add(ids, "generate", "-m", str(self.folder / "llama_linear_bias"), "--ids-file", str(ids), *prompt[2:])

    def tokenizers(self):
        texts = self.write("texts.jsonl", {"id": 1, "text": "One text, 2 numbers."}, {"id": 2, "text": "Noch 1 é 文."})
        for source in sorted((DATA / "tokenizers").iterdir()) + [DATA / "pre_tokenizers"]:
            folder = self.copy(source, "tokenizer-" + source.name)
            files = [file for file in folder.iterdir() if file.name != "cases.jsonl"]
            self.add(files, "tokenize", "-m", str(folder), str(texts))
        self.add(texts, "tokenize", "-m", "demo", str(texts))
        chat = self.copy(ROOT / "models/demo", "chat")
        settings = json.loads((chat / "tokenizer_config.json").read_text())
        settings["chat_template"] = ("{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + loop.index0 %}"
                                     "{{ '<' + m.role | upper + '>' + m['content'][0:40] | trim }}{% endfor %}"
                                     "{% if add_generation_prompt %}{{ bos_token ~ ns.n }}{% endif %}")
        (chat / "tokenizer_config.json").write_text(json.dumps(settings))
        self.add([chat / "tokenizer_config.json", chat / "config.json"], "generate", "-m", str(chat), "--chat", "--prompt", "Hello", "--max-new-tokens", "1",
                 "--device", "cpu")

    def data(self):
        ruler = self.copy(DATA / "ruler/data/ruler", "data/ruler")
        for task, names in (("niah_single_2", ["PaulGrahamEssays.json", "prompts-gen-b.json"]), ("cwe", ["english_words.json"]),
                            ("niah_multikey_1", [f"wonderwords-3.0.1/{n}list.txt" for n in ("adjective", "noun", "verb")]),
                            ("qa_1", ["squad_dev-v2.0_small.json"]), ("qa_2", ["hotpot_small.json"])):
            files = [ruler / name for name in names] + (list((ruler / "punkt_tab_english").iterdir()) if task == "niah_single_2" else [])
            self.add(files, "data", "generate", f"ruler/{task}", "--length", "1k", "--num-samples", "1", "--profile", "ruler@gen-b",
                     "--token-counter", "ws", "--output", "-")
        question = {"input": "Which?", "context": "Text one. Text two.", "answers": ["one"], "length": 4, "dataset": "trec", "language": "en",
                    "all_classes": ["one", "two"], "_id": "a"}
        rows = self.write("data/longbench/derived_rows/trec.jsonl", question, {**question, "_id": "b"})
        row_command = ("preview", "-m", "demo", "--profile", "longbench@builtin", "--index", "1", "--task")
        self.add(rows, *row_command, "longbench/trec")
        archive = self.folder / "data/longbench/data.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("data/trec.jsonl", rows.read_text())
            packed.writestr("data/trec_e.jsonl", rows.read_text())
        self.add(archive, *row_command, "longbench/trec")
        choice = {"_id": "1", "domain": "d", "sub_domain": "s", "difficulty": "easy", "length": "short", "question": "Q?", "choice_A": "a",
                  "choice_B": "b", "choice_C": "c", "choice_D": "d", "answer": "A", "context": "Long text."}
        second = self.folder / "data/longbench_v2/data.json"
        second.parent.mkdir(parents=True)
        second.write_text(json.dumps([choice, {**choice, "_id": "2"}]))
        self.add(second, "preview", "-m", "demo", "--profile", "longbench-v2@builtin", "--index", "1", "--task", "longbench_v2")
        flags = self.write("flags.json", {"model": "demo", "tasks": ["ruler/vt"], "lengths": ["1k", 2048], "limit": 2, "modes": "fa,ssa"})
        self.add(flags, "plan", "--config", str(flags))
        bundle = self.folder / "bundle.zip"
        self.must("data", "bundle", "ruler/wonderwords-3.0.1", "--data-dir", str(ROOT / "build/data"), "--output", str(bundle))
        self.add(bundle, "data", "import", str(bundle), "--data-dir", "{new}")

    def runs(self):
        run = self.folder / "run"
        command = ("run", "-m", "demo", "--tasks", "ruler/vt,ruler/niah_single_1", "--lengths", "1k", "--limit", "2", "--modes", "fa,fa-ssa",
                   "--device", "cpu", "--profile", "ruler@builtin", "--log-prompts", "--output", str(run))
        self.must(*command)
        files = [file for file in run.iterdir() if file.is_file()]
        self.copy(run, "run-b")
        self.add(files, "report", str(run), "--output", "{new}")
        self.add(files, "compare", str(run), str(self.folder / "run-b"), "--output", "{new}")
        self.add(files, "score", str(run), "--format", "elastic", "--output", "{new}")
        self.add(files, *command)
        cached = [file for file in (self.folder / "cache").rglob("*") if file.is_file()]
        self.add(cached, "preview", "-m", "demo", "--task", "ruler/vt", "--length", "1k", "--profile", "ruler@builtin")

    def predictions(self):
        out = ("--output", "{new}")
        self.add(self.copy(DATA / "ruler_scorer/pred", "ruler_pred").glob("[nqv]*_*.jsonl"), "score", str(self.folder / "ruler_pred/vt.jsonl"), "--format", "ruler", *out)
        answer = {"pred": "Paris", "answers": ["paris"], "all_classes": None, "length": 10}
        for name in ("hotpotqa", "lcc", "gov_report", "dureader", "passage_count"):
            self.add(self.write(f"pred/m/{name}.jsonl", answer, {**answer, "pred": "x y"}), "score", str(self.folder / "pred"), "--format", "longbench", *out)
        second = self.write("m.v1.jsonl", {"_id": "a", "difficulty": "easy", "length": "short", "pred": "A", "judge": True},
                            {"_id": "b", "difficulty": "hard", "length": "long", "pred": None, "judge": False})
        self.add(second, "score", str(second), "--format", "longbench-v2", *out)
        log = self.write("org__m/samples_longbench_trec_2025-01-31T10-00-00.1.jsonl",
                         {"doc_id": 0, "doc": {"answers": ["sea"], "all_classes": ["sea", "lake"]}, "target": "sea", "filtered_resps": ["sea or lake"],
                          "filter": "none", "metrics": ["classification_score"], "classification_score": 1.0})
        self.add(log, "score", str(self.folder / "org__m"), "--format", "lm-eval", *out)

    def training(self):
        words = " ".join(f"word{i * i % 90}" for i in range(120))
        documents = self.write("documents.jsonl", *({"context": words, "question": "Which word?", "answer": f"word{i}", "task": ["Single QA", "Code"][i % 2]}
                                                    for i in range(12)))
        config = {"tokenizer": str(ROOT / "models/demo"), "steps": 2, "log_every": 1, "checkpoint_every": 1, "feed_threads": 1,
                  "data": {"kind": "files", "files": [str(documents)], "tokens_per_batch": 1024},
                  "model": {"architectures": ["LlamaForCausalLM"], "vocab_size": 6144, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
                            "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 4096,
                            "tie_word_embeddings": True, "torch_dtype": "bfloat16"}}
        settings = self.write("backbone.json", config)
        trained = self.folder / "trained"
        train = ("train", "backbone", "--config", str(settings), "--device", "cpu", "--max-minutes", "0.2", "--output")
        self.add([settings, documents], *train, "{new}")
        self.must(*train, str(trained))
        self.add([file for file in trained.rglob("*") if file.is_file() and file.stat().st_size], *train, str(trained), "--resume")
        self.add(trained / "curves.csv", "report", str(self.folder / "run"), "--training", str(trained), "--output", "{new}")


def is_broken(end):
    return end == "no end" or end == 1 or end < 0


def attempt(sandbox, number, seed, seconds):
    """Breaks one file and runs its command: (exit code or what went wrong, words about it)."""
    chance = random.Random(f"{seed} {number}")
    file, command = sandbox.targets[number % len(sandbox.targets)]
    original = file.read_bytes()
    mutation = chance.choice(MUTATIONS) if original.strip() else put_in
    broken = mutation(original, chance)
    spare = sandbox.folder / "spare"
    if "--resume" in command or command[0] == "run":  # it writes where the broken file lies
        shutil.copytree(file.parent, spare)
    file.write_bytes(broken)
    try:
        ran = sandbox.run(command, seconds)
        end, words = ran.returncode, ran.stderr.decode(errors="replace")[-1500:]
    except subprocess.TimeoutExpired:
        end, words = "no end", ""
    if spare.exists():
        shutil.rmtree(file.parent)
        spare.rename(file.parent)
    else:
        file.write_bytes(original)
    if is_broken(end):
        FINDS.mkdir(parents=True, exist_ok=True)
        (FINDS / f"{number}-{file.name}").write_bytes(broken)
        return end, f"{number} {mutation.__name__} of {file.relative_to(sandbox.folder)}: exit {end}\n  {' '.join(command)}\n{words}"
    return end, f"{file.relative_to(sandbox.folder)} ({command[0]})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60, help="longest that one command may take")
    parser.add_argument("--only", default="", help="targets whose file or command holds this text")
    parser.add_argument("--program", type=Path, default=ROOT / "build/elastic-bench")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="broken-") as top:
        folders = [Path(top) / str(job) for job in range(arguments.jobs)]
        for folder in folders:
            folder.mkdir()
        with ThreadPoolExecutor(arguments.jobs) as workers:
            sandboxes = list(workers.map(lambda folder: Sandbox(arguments.program.resolve(), folder), folders))
            for sandbox in sandboxes:
                sandbox.targets = [t for t in sandbox.targets if arguments.only in f"{t[0]} {' '.join(t[1])}"]
            print(f"{len(sandboxes[0].targets)} files and commands", flush=True)

            def share(job):
                ends = Counter()
                for number in range(job, arguments.count, arguments.jobs):
                    end, words = attempt(sandboxes[job], number, arguments.seed, arguments.seconds)
                    ends[end] += 1
                    if is_broken(end):
                        print(f"BROKEN {words}", flush=True)
                return ends

            ends = sum(workers.map(share, range(arguments.jobs)), Counter())
        strangers = {path.name for path in Path(top).iterdir()} - {folder.name for folder in folders}
    print(f"{sum(ends.values())} mutations; exit codes: " + ", ".join(f"{end}: {count}" for end, count in sorted(ends.items(), key=str)))
    if strangers:
        print(f"BROKEN written outside its folder: {sorted(strangers)}")
    sys.exit(bool(strangers) or any(map(is_broken, ends)))


if __name__ == "__main__":
    main()
