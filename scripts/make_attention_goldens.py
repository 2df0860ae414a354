#!/usr/bin/env python3
"""Makes tests/data/attention: small attention cases in the layout of the stored expectations, computed in
float64 straight from the definitions (pip install numpy).

    python3 scripts/make_attention_goldens.py tests/data/attention
"""

import json
import pathlib
import sys

import numpy as np

TOLERANCE = {"fp32_abs": 2e-05, "bf16_abs": 0.02}


def bf16_exact(x):
    """The nearest smaller float32 whose low 16 bits are zero."""
    return (x.astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32)


def save(path, tensors):
    """tensors: name -> array; q, k, v as BF16, other floats as F32, integers as I32, bool as U8."""
    header, blobs, offset = {}, [], 0
    for name, array in tensors.items():
        if name in ("q", "k", "v", "q_rows"):
            kind, data = "BF16", (array.astype(np.float32).view(np.uint32) >> 16).astype("<u2")
        elif array.dtype == bool:
            kind, data = "U8", array.astype("u1")
        elif array.dtype.kind == "i":
            kind, data = "I32", array.astype("<i4")
        else:
            kind, data = "F32", array.astype("<f4")
        blob = data.tobytes()
        header[name] = {"dtype": kind, "shape": list(array.shape),
                        "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))


def attend(q, k, v, visible):
    """visible [heads_q, N_q, N_k] booleans, causality included."""
    group = q.shape[0] // k.shape[0]
    out, lse = np.zeros(q.shape), np.full(q.shape[:2], -np.inf)
    for h in range(q.shape[0]):
        scores = q[h].astype(float) @ k[h // group].astype(float).T / np.sqrt(q.shape[2])
        for i in range(q.shape[1]):
            row = scores[i][visible[h, i]]
            if row.size == 0:
                continue
            p = np.exp(row - row.max())
            lse[h, i] = row.max() + np.log(p.sum())
            out[h, i] = p / p.sum() @ v[h // group].astype(float)[visible[h, i]]
    return {"out": out, "lse": lse}


def main(folder):
    rng = np.random.default_rng(7)
    files = []

    def qkv(heads_q, heads_kv, n_q, n_k, dim):
        return [bf16_exact(rng.normal(size=s))
                for s in ((heads_q, n_q, dim), (heads_kv, n_k, dim), (heads_kv, n_k, dim))]

    def add(name, method, params, tensors):
        save(folder / f"{name}.safetensors", tensors)
        files.append({"file": f"{name}.safetensors", "method": method, "params": params,
                      "tolerance": TOLERANCE})

    def positions(n_q, n_k):
        return np.arange(n_k - n_q, n_k)[:, None], np.arange(n_k)[None, :]

    def attention_case(name, method, shape, params, rule):
        """rule(p, j) -> booleans, one plane or one per query head; causality is added here."""
        q, k, v = qkv(*shape)
        p, j = positions(shape[2], shape[3])
        visible = np.broadcast_to(rule(p, j) & (j <= p), (shape[0], shape[2], shape[3]))
        add(name, method, params, {"q": q, "k": k, "v": v, **attend(q, k, v, visible)})

    always = lambda p, j: j >= 0
    attention_case("dense_gqa", "dense_causal", (4, 2, 70, 70, 16), {}, always)
    attention_case("dense_tail", "dense_causal", (2, 1, 9, 50, 24), {}, always)
    attention_case("dense_step", "dense_causal", (6, 2, 1, 140, 16), {}, always)
    attention_case("tokens", "ssa_token", (2, 1, 90, 90, 16), {"sink": 5, "local": 17},
                   lambda p, j: (j < 5) | (p - j < 17))
    attention_case("tokens_step", "ssa_token", (4, 2, 1, 90, 16), {"sink": 5, "local": 17},
                   lambda p, j: (j < 5) | (p - j < 17))
    attention_case("blocks", "ssa_block", (2, 1, 75, 75, 16),
                   {"block": 16, "sink_blocks": 1, "local_blocks": 2},
                   lambda p, j: (j // 16 < 1) | (p // 16 - j // 16 < 2))

    q, k, v = qkv(2, 1, 60, 60, 16)
    mask = rng.random((2, 4, 4)) < 0.6
    mask[0, 2] = False  # rows that see nothing
    p, j = positions(60, 60)
    visible = mask[:, p // 16, j // 16] & (j <= p)
    add("table", "block_sparse", {"block": 16},
        {"q": q, "k": k, "v": v, "block_mask": mask, **attend(q, k, v, visible)})

    q, k, v = qkv(3, 1, 60, 60, 16)
    mask = rng.random((1, 4, 4)) < 0.6
    planes = [j >= 0, (j // 16 < 1) | (p // 16 - j // 16 < 2), mask[0][p // 16, j // 16]]
    visible = np.stack([np.broadcast_to(plane, (60, 60)) & (j <= p) for plane in planes])
    add("mixed", "mixed", {"block": 16, "sink_blocks": 1, "local_blocks": 2},
        {"q": q, "k": k, "v": v, "head_type": np.array([0, -1, 1]), "block_mask": mask,
         **attend(q, k, v, visible)})

    values = rng.random((3, 4)).astype(np.float32)
    shares = [0.0, 0.3, 0.5, 1.0]
    full = np.stack([np.ones((3, 4), bool) if s <= 0 else np.zeros((3, 4), bool) if s >= 1 else
                     values >= np.quantile(values, s) for s in shares])
    add("heads", "duo_assignment", {"sparsities": shares}, {"values": values, "full_head": full})

    (folder / "manifest.json").write_text(json.dumps({"files": files}, indent=1) + "\n")


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    main(target)
