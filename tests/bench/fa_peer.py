#!/usr/bin/env python3
"""`bench attention` beside FlashAttention on one GPU, each where it is installed: FA3 (flash_attn_interface) and FA4
(flash_attn.cute) dense, and FA4 over block lists per query head that hold what fa-ssa sees: all blocks of the heads
that stay full, sinks and window of the others. Every result is checked against float64 on some rows, then timed by
events around each call; lists are built beforehand, and hold as many blocks as ours visits.

    python3 tests/bench/fa_peer.py build/elastic-bench [--shape llama-3.1-8b] [--lengths 8192,32768,131072]
        [--msr 0,0.5,0.75,1] [--sink 128] [--local 2048] [--repetitions 7] [-o csv|jsonl]

needs torch for the GPU's CUDA, and `pip install flash-attn-4==4.0.0b36 nvidia-cutlass-dsl==4.8.1` for FA4; FA3 is
built from the folder hopper/ of its sources. Rows have the keys of `bench attention`; `ours_over_peer` is the ratio of
medians, ours from a call of the program right before.
"""
import argparse
import csv
import importlib
import json
import math
import statistics
import subprocess
import sys

import torch

BLOCK = 128  # rows and keys, of ours and of the lists


def ours(options, tokens):
    mode = f"fa-ssa:sink={options.sink},local={options.local}"
    result = subprocess.run([options.binary, "bench", "attention", "--mode", mode, "--shape", options.shape, "--device",
                             "cuda", "--dtype", "bf16", "--lengths", str(tokens), "--msr", options.msr, "-o", "json"],
                            capture_output=True, text=True)
    if result.returncode not in (0, 7):  # 7: INVALID, which it says itself
        sys.exit(result.stderr)
    sys.stderr.write(result.stderr)
    return json.loads(result.stdout)


def visible(queries, keys, streaming, options):
    """Whether block `keys` is seen by rows of block `queries` (tensors) of a head."""
    causal = keys <= queries
    if not streaming:
        return causal
    sink, local = (math.ceil(size / BLOCK) for size in (options.sink, options.local))
    return causal & ((keys < sink) | (keys > queries - local))


def block_lists(tokens, streaming, options):
    """FA4's lists of heads: the diagonal block, which is masked, and the blocks that are seen whole."""
    from flash_attn.cute.block_sparsity import BlockSparseTensorsTorch
    blocks = math.ceil(tokens / BLOCK)
    index = torch.arange(blocks, device="cuda", dtype=torch.int32)
    kinds = {}
    for kind in set(streaming):
        whole = visible(index[:, None], index[None, :], kind, options) & (index[None, :] < index[:, None])
        order = torch.where(whole, index[None, :], blocks).sort(dim=1).values.clamp(max=blocks - 1)
        kinds[kind] = whole.sum(1, dtype=torch.int32), order.to(torch.int32)
    counts, whole = (torch.stack([kinds[kind][part] for kind in streaming])[None].contiguous() for part in (0, 1))
    heads = len(streaming)
    return BlockSparseTensorsTorch(
        mask_block_cnt=torch.ones((1, heads, blocks), device="cuda", dtype=torch.int32),
        mask_block_idx=index[None, None, :, None].expand(1, heads, blocks, 1).contiguous(),
        full_block_cnt=counts, full_block_idx=whole, block_size=(BLOCK, BLOCK))


def causal_mask():
    import cutlass.cute as cute

    @cute.jit
    def causal(batch, head, q_index, kv_index, lengths, tensors):
        return kv_index <= q_index

    return causal


def check(name, out, q, k, v, streaming, options):
    """Rows at both ends and around a block border, in float64."""
    tokens, heads = q.shape[1:3]
    keys = torch.arange(tokens, device="cuda")
    for row in {0, tokens // 256 * BLOCK, tokens - 1}:
        for head in {0, heads - 1}:
            seen = (keys <= row) & visible(torch.tensor(row // BLOCK), keys // BLOCK, streaming[head], options)
            kv = head // (heads // k.shape[2])
            scores = k[0, seen, kv].double() @ q[0, row, head].double() / math.sqrt(q.shape[3])
            truth = scores.softmax(0) @ v[0, seen, kv].double()
            error = (out[0, row, head].double() - truth).abs().max().item()
            if not error <= 2e-2:
                sys.exit(f"{name}, {tokens} tokens: row {row} of head {head} is off by {error:.2e}")


def check_lists(lists, visited):
    """That they hold as many blocks as ours visits."""
    heads, blocks = lists.full_block_cnt.shape[1:]
    held = (lists.full_block_cnt.sum().item() + heads * blocks) / (heads * blocks * (blocks + 1) / 2)
    if abs(held - visited) > 1e-6:
        sys.exit(f"block lists hold {held:.6f} of the causal blocks, bench attention visits {visited:.6f}")


def attempts(q, k, v, visited, options):
    """(peer, MSR, heads that stream, call) of what is installed."""
    heads, heads_kv = q.shape[2], k.shape[2]
    for name, module in (("FA3", "flash_attn_interface"), ("FA4", "flash_attn.cute")):
        try:
            attend = importlib.import_module(module).flash_attn_func
        except ImportError as error:
            print(f"{name} is not here: {error}", file=sys.stderr)
            continue

        def run(attend=attend, **arguments):
            out = attend(q, k, v, **arguments)
            return out[0] if isinstance(out, tuple) else out

        yield name, 0.0, [False] * heads, lambda run=run: run(causal=True)
        if name == "FA3":
            continue
        mask = causal_mask()
        for share in visited:
            sparse = round(share * heads_kv) * (heads // heads_kv)
            streaming = [head < sparse for head in range(heads)]
            lists = block_lists(q.shape[1], streaming, options)
            check_lists(lists, visited[share])
            yield ("FA4, block lists", share, streaming,
                   lambda run=run, lists=lists: run(mask_mod=mask, block_sparse_tensors=lists))


def milliseconds(call, repetitions):
    times = []
    for _ in range(repetitions):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        call()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return times


def rows_of(tokens, options):
    measured = ours(options, tokens)
    medians = {round(row["msr"], 6): row["ms"] for row in measured["rows"]}
    visited = {round(row["msr"], 6): row["visited_blocks"] for row in measured["rows"]}
    heads, heads_kv, dim = (measured[key] for key in ("heads_q", "heads_kv", "head_dim"))
    q, k, v = (torch.randn((1, tokens, count, dim), device="cuda", dtype=torch.bfloat16)
               for count in (heads, heads_kv, heads_kv))
    for row in measured["rows"]:
        yield {"peer": "elastic-bench", "tokens": tokens, "msr": row["msr"], "ms": row["ms"], "ms_min": row["ms_min"],
               "ms_max": row["ms_max"], "repetitions": row["repetitions"], "ours_over_peer": 1.0}
    for name, share, streaming, call in attempts(q, k, v, visited, options):
        check(name, call(), q, k, v, streaming, options)  # warms up as well
        times = milliseconds(call, options.repetitions)
        middle = statistics.median(times)
        yield {"peer": name, "tokens": tokens, "msr": share, "ms": middle, "ms_min": min(times), "ms_max": max(times),
               "repetitions": len(times), "ours_over_peer": medians[round(share, 6)] / middle}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--shape", default="llama-3.1-8b")
    parser.add_argument("--lengths", default="8192,32768,131072")
    parser.add_argument("--msr", default="0,0.5,0.75,1")
    parser.add_argument("--sink", type=int, default=128)
    parser.add_argument("--local", type=int, default=2048)
    parser.add_argument("-r", "--repetitions", type=int, default=7)
    parser.add_argument("-o", "--output", choices=("csv", "jsonl"), default="csv")
    options = parser.parse_args()
    table = None
    for tokens in map(int, options.lengths.split(",")):
        for row in rows_of(tokens, options):
            if options.output == "jsonl":
                print(json.dumps(row), flush=True)
                continue
            if table is None:
                table = csv.DictWriter(sys.stdout, row)
                table.writeheader()
            table.writerow(row)
            sys.stdout.flush()
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
