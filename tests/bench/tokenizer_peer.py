#!/usr/bin/env python3
"""Encoding speed of elastic-bench beside the PyPI packages `tokenizers` and `tiktoken`: same text,
one thread each, in turns, ids compared. Makes a virtual environment for the peers under build/.

    python3 tests/bench/tokenizer_peer.py --model DIR --file TEXT [--program build/elastic-bench]
"""

import argparse
import hashlib
import json
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import time

PACKAGES = ["tokenizers==0.23.3", "tiktoken==0.14.0"]
ROOT = pathlib.Path(__file__).resolve().parents[2]


def in_environment():
    """Runs this script again inside the peers' environment."""
    folder = ROOT / "build" / "peer-venv"
    python = folder / "bin" / "python"
    if pathlib.Path(sys.prefix) == folder:
        return
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PACKAGES], check=True)
    environment = dict(os.environ, TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="1")
    sys.exit(subprocess.run([str(python), *sys.argv], env=environment).returncode)


def byte_of_character():
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return {chr(b): b for b in plain} | {chr(256 + i): b for i, b in enumerate(others)}


def tiktoken_peer(folder):
    """The same vocabulary as ranks, where the merges follow the ids (Llama 3.x, Qwen, GPT-2)."""
    import tiktoken

    spec = json.loads((folder / "tokenizer.json").read_text())
    table = byte_of_character()
    ranks = {bytes(table[c] for c in piece): id for piece, id in spec["model"]["vocab"].items()
             if all(c in table for c in piece)}
    special = {t["content"]: t["id"] for t in spec["added_tokens"]}
    ranks = {piece: id for piece, id in ranks.items() if id not in special.values()}
    steps = spec["pre_tokenizer"].get("pretokenizers", [])
    patterns = [s["pattern"]["Regex"] for s in steps if s["type"] == "Split"]
    pattern = patterns[0] if patterns else (
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
    encoding = tiktoken.Encoding("peer", pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)
    return f"tiktoken {tiktoken.__version__}", encoding.encode_ordinary


def huggingface_peer(folder):
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    return (f"tokenizers {tokenizers.__version__}",
            lambda text: tokenizer.encode(text, add_special_tokens=False).ids)


def sha256_of(ids):
    return hashlib.sha256(struct.pack(f"<{len(ids)}i", *ids)).hexdigest()


def run_ours(arguments, peers):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"peers": peers}, file)
        file.flush()
        command = [arguments.program, "bench", "tokenizer", "--model", arguments.model, "--file",
                   arguments.file, "-r", "3", "-o", "json", "--peers", file.name]
        result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(result.stderr)
    return json.loads(result.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--file", required=True)
    parser.add_argument("--program", default=str(ROOT / "build" / "elastic-bench"))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    in_environment()
    folder = pathlib.Path(arguments.model)
    data = pathlib.Path(arguments.file).read_bytes()
    text = data.decode()
    peers = {name: {"encode": encode, "rates": []}
             for name, encode in (huggingface_peer(folder), tiktoken_peer(folder))}
    ours = {"encode": [], "encode, first call": []}
    for _ in range(arguments.rounds):
        for peer in peers.values():
            start = time.perf_counter()
            ids = peer["encode"](text)
            peer["rates"].append(len(data) / 1e6 / (time.perf_counter() - start))
            peer["sha256"] = sha256_of(ids)
        # Other ids than a peer's end the run here.
        result = run_ours(arguments, [{"name": name, "mb_per_s": peer["rates"][-1],
                                       "ids_sha256": peer["sha256"]} for name, peer in peers.items()])
        for row in result["rows"]:
            if row["operation"] in ours:
                ours[row["operation"]].append(row["mb_per_s"])
    print(f"{arguments.model}, {arguments.file}: {len(data)} bytes, {result['tokens']} tokens, same ids;"
          f" median MB/s of {arguments.rounds} rounds (min-max)")
    rows = [(f"elastic-bench, {name}", rates) for name, rates in ours.items()]
    rows += [(name, peer["rates"]) for name, peer in peers.items()]
    reference = statistics.median(ours["encode"])
    for name, rates in rows:
        median = statistics.median(rates)
        print(f"  {name:36} {median:8.2f} ({min(rates):.2f}-{max(rates):.2f})"
              f"   elastic-bench encode is {reference / median:.2f} x")


main()
