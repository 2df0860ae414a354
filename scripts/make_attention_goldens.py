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


def xattention_mass(q, k, stride, block):
    """[heads_q, query blocks, key blocks]: softmax over strips of antidiagonal sums, summed over block pairs."""
    heads, rows, dim = q.shape
    tokens = k.shape[1]
    offset, group = tokens - rows, heads // k.shape[0]
    first, strips, blocks = offset // stride, -(-tokens // stride), -(-tokens // block)
    mass = np.zeros((heads, blocks - offset // block, blocks))
    for h in range(heads):
        for a in range(first, strips):
            scores = []
            for b in range(a + 1):
                pairs = [(a * stride + stride - 1 - t, b * stride + t) for t in range(stride)]
                scores.append(sum(q[h, p - offset].astype(float) @ k[h // group, j].astype(float)
                                  for p, j in pairs if p < tokens and j < tokens))
            scores = np.array(scores) / (np.sqrt(dim) * stride)
            share = np.exp(scores - scores.max())
            for b, x in enumerate(share / share.sum()):
                mass[h, a * stride // block - offset // block, b * stride // block] += x
    return mass


def xattention_row(mass, tau, first_chunk):
    """(kept blocks, margin) of one row, whose last block is its own; by the published rule in its first chunk."""
    own, need, margin = len(mass) - 1, tau * mass.sum(), 1e6
    forced = [own] if first_chunk else sorted({0, own})
    order = sorted((j for j in range(own + 1) if j not in forced), key=lambda j: (-mass[j], j))
    gaps = [mass[a] - mass[b] for a, b in zip(order, order[1:])]
    kept = {0, own}
    for r, block in enumerate(order):
        gathered = mass[forced].sum() + mass[order[:max(r - 1, 0) if first_chunk else r]].sum()
        if first_chunk and r == 0 and need > 0:
            kept.add(block)
            continue
        margin = min(margin, abs(gathered - need), *([gaps[r - 1]] if r else []), *([gaps[r]] if r < len(gaps) else []))
        if gathered >= need:
            break
        kept.add(block)
    return kept, margin


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

    def xattention_case(name, shape, stride, block, taus, chunk):
        q, k, v = qkv(*shape)
        q = bf16_exact(3 * q)  # far from uniform, so that thresholds matter
        mass = xattention_mass(q, k, stride, block)
        heads, rows, columns = mass.shape
        first = columns - rows
        masks, margin = {}, np.full((heads, rows), 1e6)
        for rule in ("block_mask", "block_mask_exact"):
            masks[rule] = np.zeros(mass.shape, bool)
            for h in range(heads):
                for i in range(rows):
                    in_first = rule == "block_mask" and (first + i) * block < chunk
                    kept, near = xattention_row(mass[h, i, :first + i + 1], taus[h], in_first)
                    masks[rule][h, i, sorted(kept)] = True
                    margin[h, i] = min(margin[h, i], near)
        p, j = positions(shape[2], shape[3])
        visible = masks["block_mask"][:, p // block - first, j // block] & (j <= p)
        threshold = taus[0] if len(set(taus)) == 1 else taus
        add(name, "xattention", {"heads_q": heads, "stride": stride, "block": block, "threshold": threshold,
                                 "chunk_size_official": chunk},
            {"q": q, "k": k, "v": v, "block_sums": mass, "margin": margin, **masks, **attend(q, k, v, visible)})

    values = rng.random((3, 4)).astype(np.float32)
    shares = [0.0, 0.3, 0.5, 1.0]
    full = np.stack([np.ones((3, 4), bool) if s <= 0 else np.zeros((3, 4), bool) if s >= 1 else
                     values >= np.quantile(values, s) for s in shares])
    xattention_case("strips", (2, 1, 150, 150, 16), 4, 16, [0.7, 0.7], 64)
    xattention_case("strips_tail", (4, 2, 45, 109, 16), 8, 32, [0.4, 0.8, 0.95, 0.1], 64)
    add("heads", "duo_assignment", {"sparsities": shares}, {"values": values, "full_head": full})

    (folder / "manifest.json").write_text(json.dumps({"files": files}, indent=1) + "\n")


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    main(target)
