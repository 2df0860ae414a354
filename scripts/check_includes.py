#!/usr/bin/env python3
"""Holds every #include to the table of who may include whom (docs/architecture.md). Exit 1 on a violation.

    scripts/check_includes.py [--table]     --table prints the table as Markdown
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

DRAWN = "docs/architecture.md"

# Room -> rooms it may include besides itself. A room is a folder, or one file of a folder without its ending; a file
# belongs to the longest that matches. Rows stand above each other as the rooms do: none may name a row below it, so
# that there is no circle.
API = ["base", "engine/api/mode_list", "engine/api"]
GGUF = "engine/io/gguf"  # metadata that configs, tokenizers, templates and names of models come from
MAY_INCLUDE = {
    "base": [],
    "datasets": ["base"],
    "engine/api/mode_list": ["base"],
    "runs": ["base", "engine/api/mode_list"],
    GGUF: ["base"],
    "engine/api": ["base", "engine/api/mode_list", GGUF],
    "engine/config": ["base", GGUF],
    "engine/io": [*API, GGUF, "engine/config"],
    "engine/tokenizer": [*API, GGUF],
    "engine/chat": [*API, GGUF],
    "engine/router": ["base"],
    "engine/kernels": ["base"],
    "engine/attention": [*API, "engine/io", "engine/router", "engine/kernels"],
    "engine/device": ["base", "engine/kernels", "engine/attention"],
    "engine/model": ["base", "engine/config", "engine/io", "engine/router", "engine/kernels", "engine/attention", "engine/device"],
    "engine/generate": [*API, "engine/config", "engine/io", "engine/router", "engine/attention", "engine/device", "engine/model"],
    "engine/distributed": API,
    "engine/train": [*API, "engine/config", "engine/io", "engine/router", "engine/kernels", "engine/attention", "engine/device",
                     "engine/model", "engine/distributed"],
    "engine/cuda": ["engine/router", "engine/kernels", "engine/attention", "engine/device"],
    "engine/no_engine": API,
    "tasks": [*API, "datasets"],
    "tasks/metrics": ["base", "datasets"],
    "tasks/ruler": [*API, "datasets", "tasks", "tasks/metrics"],
    "tasks/longbench": [*API, "datasets", "tasks", "tasks/metrics"],
    "tasks/training": [*API, "datasets", "tasks", "tasks/ruler", "tasks/longbench"],
    "tasks/registry": ["base", "tasks", "tasks/ruler", "tasks/longbench"],
    "tasks/scoring": ["base", "datasets", "runs", "tasks", "tasks/metrics", "tasks/longbench", "tasks/registry"],
    "reports": ["base", "engine/api/mode_list", "runs"],
    "reports/render": ["base", "engine/api/mode_list", "runs", "reports"],
    "harness/run": [*API, GGUF, "engine/config", "datasets", "runs", "tasks"],
    "harness/evaluate": [*API, "engine/config", "datasets", "tasks", "tasks/registry", "runs", "reports", "harness/run"],
    "harness/train": [*API, "datasets", "runs", "tasks/training", "tasks/registry", "reports", "reports/render", "harness/run",
                      "harness/evaluate"],
    "harness/doctor": [*API, "datasets", "harness/run"],
}
ADAPTERS = [room for room in MAY_INCLUDE if room.startswith(("tasks", "reports", "harness"))]
MAY_INCLUDE["harness/commands"] = [*API, "engine/config", "datasets", "runs", *ADAPTERS]
MAY_INCLUDE["harness/bench"] = [*MAY_INCLUDE["harness/commands"], "harness/commands"]
MAY_INCLUDE["harness/reproduce"] = [*MAY_INCLUDE["harness/bench"], "harness/bench"]
MAY_INCLUDE["harness/main"] = ["base", "harness/commands"]
# tests/<folder> looks into the rooms of that name and whatever these may include; the others see what users see.
TEST_ROOMS = {"base": ["base"], "datasets": ["datasets"], "runs": ["runs"],
              "tokenizer": ["engine/tokenizer", "engine/chat"], "io": ["engine/io", "engine/config", "engine/api", "engine/api/mode_list"],
              "tasks": [room for room in MAY_INCLUDE if room.startswith("tasks")],
              "engine": [room for room in MAY_INCLUDE if room.startswith("engine")],
              "reports": ["reports", "reports/render"], "harness": ["harness/run"], "commands": ["harness/commands"],
              "testing": ["harness/run"], "bench": [], "fuzz": list(MAY_INCLUDE)}
TORCH_ROOMS = ("engine/attention", "engine/router", "engine/device", "engine/model", "engine/generate", "engine/distributed", "engine/train",
               "engine/cuda")
TORCH_FILES = ("engine/precompiled.h", "engine/io/checkpoint.h", "engine/io/checkpoint.cpp")
TORCH_HEADER = re.compile(r"(ATen|torch|c10|caffe2)/")


def room_of(path):
    stem = path.rsplit(".", 1)[0]
    return max((room for room in MAY_INCLUDE if f"{stem}/".startswith(room + "/")), key=len, default=None)


def torch_allowed(path):
    return not path.endswith((".cu", ".cuh")) and (path in TORCH_FILES or path.startswith("tests/engine/") or room_of(path) in TORCH_ROOMS)


def violation(path, header, quoted):
    if TORCH_HEADER.match(header):
        return None if torch_allowed(path) else "LibTorch header outside its rooms"
    if not quoted:
        return None
    if path.startswith("tests/"):
        folder = path.split("/")[1]
        if header.startswith(("tests/testing/", f"tests/{folder}/")):
            return None
        rooms = TEST_ROOMS[folder]
        name, allowed = f"tests/{folder}", {*rooms, *(inner for room in rooms for inner in MAY_INCLUDE[room])}
    else:
        name = room_of(path)
        if name is None:
            return "belongs to no room"
        allowed = {name, *MAY_INCLUDE[name]}
    target = room_of(header)
    if target is None:
        return "not a path from the repository root"
    return None if target in allowed else f"{name} may not include {target}"


def check_table():
    """Every row names rows above it only, and an include that a row does not name is found, planted in each room."""
    rooms = list(MAY_INCLUDE)
    for at, room in enumerate(rooms):
        for below in set(MAY_INCLUDE[room]) - set(rooms[:at]):
            sys.exit(f"table: {room} names {below}, which stands below it or not at all")
        planted = [other for other in rooms if other != room and other not in MAY_INCLUDE[room]]
        for other in planted:
            if violation(f"{room}/x.cpp", f"{other}/x.h", True) is None:
                sys.exit(f"table: a planted include of {other} in {room} is not found")
    return len(rooms)


def table():
    rows = [f"| {room} | {', '.join(others) or '-'} |" for room, others in MAY_INCLUDE.items()]
    return "\n".join(["| room | may include |", "|---|---|", *rows])


def main():
    if "--table" in sys.argv:
        return print(table())
    rooms = check_table()
    listed = subprocess.run(["find", *sorted({room.split("/")[0] for room in MAY_INCLUDE}), "tests", "-name", "*.h", "-o", "-name",
                             "*.cpp", "-o", "-name", "*.cu", "-o", "-name", "*.cuh"], cwd=ROOT, text=True, capture_output=True, check=True)
    faults = checked = 0
    if table() not in (ROOT / DRAWN).read_text():
        faults += 1
        print(f"{DRAWN}: draws another table than `scripts/check_includes.py --table` prints")
    for path in sorted(listed.stdout.split()):
        for number, line in enumerate((ROOT / path).read_text(errors="replace").splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            checked += bool(match)
            why = match and violation(path, match[2], match[1] == '"')
            if why:
                faults += 1
                print(f"{path}:{number}: {why}: {match[2]}")
    print(f"include table: {rooms} rooms, {checked} includes checked, {faults} violations")
    return 1 if faults or not checked else 0


sys.exit(main())
