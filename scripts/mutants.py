#!/usr/bin/env python3
"""Plants one-line faults and says which of them the plain tests find.

    scripts/mutants.py [--folders base,tasks,...] [--count 8] [--seed 1] [--own] [--only FILE:LINE] [--list]

A mutant is one operator (FAULTS below) applied to one place of one .cpp file, drawn by seed, folder by folder. It is
built in build/ (one source, its library, one test binary), and the tests of its folder are run until one fails; where
none does, the whole-program tests follow. A mutant that no test finds is printed as ALIVE with its line: write the test
that finds it, or see that it changes nothing (an equal value, a reserve()). Stored goldens take no part.

It edits the checkout that it lies in, one file at a time, and puts it back: run it in a clone of its own whose build/ is
there, best configured with -DCMAKE_UNITY_BUILD=OFF. A checkout with uncommitted changes is refused.
"""

import argparse
import contextlib
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
MEMORY = 12 << 30  # bytes of address space that a test may take: mutants loop

# Folder of sources -> the test binaries that are to find its mutants, the nearest first.
FOLDERS = {
    "base": ["base_tests", "tokenizer_tests", "tasks_tests", "runs_tests", "commands_tests"],
    "datasets": ["datasets_tests", "tasks_tests", "commands_tests"],
    "engine/api": ["io_tests", "tokenizer_tests", "commands_tests"],
    "engine/config": ["io_tests", "harness_tests", "engine_tests", "commands_tests"],
    "engine/tokenizer": ["tokenizer_tests", "commands_tests"],
    "engine/chat": ["tokenizer_tests", "commands_tests"],
    "engine/io": ["io_tests", "engine_tests", "commands_tests"],
    "engine/device": ["engine_tests", "commands_tests"],
    "engine/model": ["engine_tests", "io_tests", "commands_tests"],
    "engine/attention": ["engine_tests", "commands_tests"],
    "engine/kernels": ["engine_tests", "commands_tests"],
    "engine/router": ["engine_tests", "commands_tests"],
    "engine/generate": ["engine_tests", "commands_tests"],
    "engine/train": ["engine_tests", "commands_tests"],
    "tasks": ["tasks_tests", "commands_tests"],
    "runs": ["runs_tests", "reports_tests", "commands_tests"],
    "harness/run": ["harness_tests", "commands_tests"],
    "harness/evaluate": ["commands_tests"],
    "harness/train": ["commands_tests"],
    "harness/doctor": ["commands_tests"],
    "harness/bench": ["commands_tests"],
    "harness/commands": ["commands_tests"],
    "reports": ["reports_tests", "commands_tests"],
}


def swap(*pairs):
    """Both directions of each pair of spellings."""
    return [(re.escape(a), b) for x, y in pairs for a, b in ((x, y), (y, x))]


def other_number(match):
    value = int(match[0])
    return str(value - 1 if value > 1 and value % 2 else value + 1)


# Name -> [(pattern, replacement)]. clang-format puts blanks around binary operators and none inside <...>.
FAULTS = {
    "boundary": swap((" < ", " <= "), (" > ", " >= ")),
    "equality": swap((" == ", " != ")),
    "clause": swap((" && ", " || ")),
    "negation": [(r"(?<=[(&| ])!(?=[\w(])", "")],
    "arithmetic": swap((" + ", " - "), (" * ", " / "), (" += ", " -= ")),
    "number": [(r"(?<![\w.\"'])\d{1,4}(?![\w.\"'])", other_number)],
    "constant": swap(("true", "false"), ("std::min", "std::max"), ("std::floor", "std::ceil"), ("front()", "back()")),
    "dropped": [(r"^ +(?!return|break|throw|using|case|default|goto|delete|static|const|else|std::move)"
                 r"[\w.:>\-\[\]*]+(\(.*\)| [+\-*/|]?= .*|\+\+);$", ";"), (r"^ +(continue|break);$", ";")],
}
SKIPPED_LINES = re.compile(r"^\s*(//|#|using |namespace |static_assert|template|class |struct |enum )|reserve\(|constexpr char")
STRING = re.compile(r'R"\w*\(.*?\)\w*"|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'|//.*')


@dataclass(frozen=True)
class Mutant:
    path: str
    line: int  # from 0
    fault: str
    before: str
    after: str

    def __str__(self):
        return f"{self.path}:{self.line + 1} {self.fault}\n    - {self.before.strip()}\n    + {self.after.strip() or ';'}"


def mutants_of_line(path, number, line):
    if SKIPPED_LINES.search(line):
        return
    code = STRING.sub(lambda m: '"' * len(m[0]), line)  # same length, nothing to mutate
    for fault, rules in FAULTS.items():
        for pattern, replacement in rules:
            for match in re.finditer(pattern, code):
                if fault == "constant" and code[match.end():match.end() + 1].isalnum():
                    continue
                text = replacement(match) if callable(replacement) else replacement
                yield Mutant(path, number, fault, line, line[:match.start()] + text + line[match.end():])


def mutants_of_folder(folder):
    """fault -> mutants, over the .cpp files below the folder. Raw strings of several lines are passed over."""
    found = {}
    for file in sorted((ROOT / folder).rglob("*.cpp")):
        path, raw = str(file.relative_to(ROOT)), False
        for number, line in enumerate(file.read_text().split("\n")):
            if not raw:
                for mutant in mutants_of_line(path, number, line):
                    found.setdefault(mutant.fault, []).append(mutant)
            if raw:
                raw = not re.search(r'\)\w*"', line)
            else:
                raw = re.search(r'R"\w*\((?!.*\)\w*")', line) is not None
    return found


def drawn(folder, seed):
    """An endless order of the folder's mutants: the kind of fault first, then the place."""
    pools, chance = mutants_of_folder(folder), random.Random(f"{seed} {folder}")
    for fault in sorted(pools):
        chance.shuffle(pools[fault])
    while any(pools.values()):
        yield pools[chance.choice(sorted(f for f in pools if pools[f]))].pop()


def build(target):
    return subprocess.run(["ninja", "-C", BUILD, target], capture_output=True, text=True)


def run_tests(binary, limit):
    """The output of the first shard that fails, "no end" past the limit; None where every test passes."""
    shards, deadline = len(os.sched_getaffinity(0)), time.monotonic() + limit
    environment = {**os.environ, "ELASTIC_DATA_DIR": str(BUILD / "data"), "ELASTIC_GOLDEN_DIR": "/nonexistent",
                   "OMP_WAIT_POLICY": "passive", "GTEST_TOTAL_SHARDS": str(shards)}
    command = [BUILD / binary, "--gtest_filter=-Golden_*", "--gtest_fail_fast", "--gtest_brief=1"]
    logs = [tempfile.TemporaryFile("w+") for _ in range(shards)]
    running = [subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=ROOT,
                                env={**environment, "GTEST_SHARD_INDEX": str(i)}) for i, log in enumerate(logs)]
    failed = None
    while failed is None and any(p.poll() is None for p in running):
        time.sleep(0.05)
        failed = next((i for i, p in enumerate(running) if p.poll()), None)
        if time.monotonic() > deadline:
            failed = -1
    failed = next((i for i, p in enumerate(running) if p.poll()), failed)
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()
    if failed is None:
        return None
    if failed == -1:
        return "no end"
    logs[failed].seek(0)
    test = re.search(r"\[  FAILED  \] ([\w./]+)", logs[failed].read())
    return test[1] if test else f"{binary} crashed"


@contextlib.contextmanager
def planted(mutant):
    file = ROOT / mutant.path
    original = file.read_text()
    lines = original.split("\n")
    assert lines[mutant.line] == mutant.before
    lines[mutant.line] = mutant.after
    file.write_text("\n".join(lines))
    try:
        yield
    finally:
        file.write_text(original)


def measure(binary):
    """Seconds that the tests may take with a mutant: far more than they do without one."""
    if (made := build(binary)).returncode != 0:
        sys.exit(made.stdout[-3000:])
    start = time.monotonic()
    if failed := run_tests(binary, 1800):
        sys.exit(f"{binary} fails without any mutant: {failed}")
    return 30 + 5 * (time.monotonic() - start)


def verdict(mutant, binaries, limits):
    """Which test finds it; "" where none does; None where it does not compile."""
    for binary in binaries:
        if binary not in limits:
            limits[binary] = measure(binary)
        with planted(mutant):
            if build(binary).returncode != 0:
                return None
            if found := run_tests(binary, limits[binary]):
                return found
    return ""


def judge(folder, arguments, limits):
    """Prints each mutant's end; counts of found, alive and not compiled."""
    ends, near = Counter(), [binary for binary in FOLDERS[folder] if binary != "commands_tests"]
    for mutant in drawn(folder, arguments.seed):
        if arguments.only and arguments.only != f"{mutant.path}:{mutant.line + 1}":
            continue
        if ends["found"] + ends["ALIVE"] == arguments.count:
            break
        found = verdict(mutant, near if arguments.own and near else FOLDERS[folder], limits)
        end = "not compiled" if found is None else "found" if found else "ALIVE"
        ends[end] += 1
        if found is not None:
            print(f"{end}{' by ' + found if found else ''}: {mutant}", flush=True)
    return ends


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folders", default=",".join(FOLDERS), help="of: " + " ".join(FOLDERS))
    parser.add_argument("--count", type=int, default=8, help="mutants a folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--own", action="store_true", help="not by tests of the whole program, which take minutes")
    parser.add_argument("--only", metavar="FILE:LINE", help="every mutant of that line")
    parser.add_argument("--list", action="store_true", help="print what would be planted")
    arguments = parser.parse_args()
    folders = arguments.folders.split(",")
    if unknown := [f for f in folders if f not in FOLDERS]:
        parser.error(f"unknown folder {unknown[0]}; known: {' '.join(FOLDERS)}")
    if arguments.list:
        for folder in folders:
            for _, mutant in zip(range(arguments.count), drawn(folder, arguments.seed)):
                print(mutant)
        return
    if subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=ROOT).returncode != 0:
        sys.exit("uncommitted changes: run it in a clone of its own")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the file in hand is put back
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    limits, total = {}, Counter()
    for folder in folders:
        ends = judge(folder, arguments, limits)
        total += ends
        print(f"== {folder}: {ends['found']} found, {ends['ALIVE']} alive, {ends['not compiled']} not compiled", flush=True)
    print(f"== all: {total['found']} of {total['found'] + total['ALIVE']} found")
    sys.exit(total["ALIVE"] > 0)


if __name__ == "__main__":
    main()
