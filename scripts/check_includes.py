#!/usr/bin/env python3
"""Holds every #include to the table of who may include whom (docs/architecture.md). Exit 1 on a violation."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Area -> areas it may include besides itself. An area is the longest matching path prefix.
MAY_INCLUDE = {
    "base": [],
    "datasets": ["base"],
    "engine/api": ["base"],
    "engine": ["base", "engine/api"],
    "tasks": ["base", "datasets", "engine/api"],
    "harness/store": ["base", "engine/api"],
    "reports": ["base", "harness/store"],
    "harness/run": ["base", "engine/api", "tasks", "harness/store"],
    "harness/commands": ["base", "datasets", "engine/api", "tasks", "harness/store", "harness/run", "reports"],
}
MAY_INCLUDE["harness"] = [*MAY_INCLUDE["harness/commands"], "harness/commands"]  # main.cpp
# What commands may know of the engine: its factories, headers without LibTorch.
FACTORIES = {"engine/generate/make_generator.h", "engine/generate/attention_bench.h", "engine/train/train_router.h"}
TORCH_FOLDERS = ("attention", "cuda", "demo", "distributed", "generate", "model", "router", "train")
TORCH_HEADER = re.compile(r"(ATen|torch|c10|caffe2)/")
# tests/<folder> mirrors an area and may include what that area may.
TEST_AREAS = {"tokenizer": "engine", "io": "engine", "store": "harness/store", "harness": "harness/run",
              "commands": "harness/commands", "fuzz": "harness/commands", "bench": "harness/commands"}
TEST_ENGINE = ("fuzz", "bench")  # these may look into the engine as well


def area_of(path):
    return max((a for a in MAY_INCLUDE if path.startswith(a + "/")), key=len, default=None)


def torch_allowed(path):
    if path.startswith("tests/engine/"):
        return True
    parts = path.split("/")
    in_folder = parts[0] == "engine" and (parts[1] in TORCH_FOLDERS or path == "engine/precompiled.h")
    return not path.endswith(".cu") and (in_folder or path.startswith("engine/io/checkpoint"))


def violation(path, header, quoted):
    if TORCH_HEADER.match(header):
        return None if torch_allowed(path) else "LibTorch header outside its folders"
    if not quoted:
        return None
    folder = path.split("/")[1] if path.startswith("tests/") else None
    area = TEST_AREAS.get(folder, folder) if folder else area_of(path)
    target = area_of(header)
    if folder and header.startswith(("tests/testing/", f"tests/{folder}/")) or folder == "testing":
        return None
    if target is None:
        return "not a path from the repository root"
    allowed = [area, *MAY_INCLUDE.get(area, [])] + (["engine"] if folder in TEST_ENGINE else [])
    if area in ("harness", "harness/commands") and header in FACTORIES:
        return None
    return None if target in allowed else f"{area} may not include {target}"


def main():
    listed = subprocess.run(["find", *{a.split("/")[0] for a in MAY_INCLUDE}, "tests", "-name", "*.h", "-o", "-name",
                             "*.cpp", "-o", "-name", "*.cu"], cwd=ROOT, text=True, capture_output=True, check=True)
    faults = checked = 0
    for path in sorted(listed.stdout.split()):
        for number, line in enumerate((ROOT / path).read_text(errors="replace").splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            checked += bool(match)
            why = match and violation(path, match[2], match[1] == '"')
            if why:
                faults += 1
                print(f"{path}:{number}: {why}: {match[2]}")
    print(f"include table: {checked} includes checked, {faults} violations")
    return 1 if faults or not checked else 0


sys.exit(main())
