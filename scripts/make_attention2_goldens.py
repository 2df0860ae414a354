#!/usr/bin/env python3
"""Makes tests/data/attention2: small cases of skip-softmax in the layout of the stored expectations, computed in
float64 straight from the definition (pip install numpy).

    python3 scripts/make_attention2_goldens.py tests/data/attention2
"""

import json
import math
import pathlib
import sys

import numpy as np

from make_attention_goldens import TOLERANCE, bf16_exact, save


def loop(scores, values, key_tile, threshold, descending):
    """One query tile: scores [heads, rows, keys], -inf where hidden; values [keys, d]. (tile states, out, lse)."""
    heads, rows, keys = scores.shape
    tiles = -(-keys // key_tile)
    states = np.zeros(tiles, int)
    most, total = np.full((heads, rows), -np.inf), np.zeros((heads, rows))
    out = np.zeros((heads, rows, values.shape[1]))
    for visit, tile in enumerate(reversed(range(tiles)) if descending else range(tiles)):
        part = slice(tile * key_tile, min((tile + 1) * key_tile, keys))
        here = scores[:, :, part].max(2)
        low = [here[x] == -np.inf or here[x] - most[x] < math.log(threshold) for x in np.ndindex(heads, rows)]
        if visit > 0 and threshold < 1 and all(low):
            continue
        states[tile] = 1
        now = np.maximum(most, here)
        base = np.where(np.isinf(now), 0, now)
        weights, old = np.exp(scores[:, :, part] - base[..., None]), np.exp(most - base)
        total = total * old + weights.sum(2)
        out = out * old[..., None] + weights @ values[part]
        most = now
    return states, out / total[..., None], most + np.log(total)


def uneven(rng, heads, kv_heads, rows, keys, dim, tile, strong):
    """q, k, v whose key tiles but the strong ones are weak, so that some are skipped."""
    strength = np.where(np.isin(np.arange(keys) // tile, strong), 2.0, 0.1)[:, None]
    return [bf16_exact(x) for x in (2 * rng.normal(size=(heads, rows, dim)),
                                    strength * rng.normal(size=(kv_heads, keys, dim)),
                                    rng.normal(size=(kv_heads, keys, dim)))]


def prefill(q, k, v, tile, threshold, descending):
    heads, rows, dim = q.shape
    group, columns = heads // k.shape[0], -(-rows // tile[1])
    tiles, out, lse = np.full((heads, -(-rows // tile[0]), columns), -1), np.zeros(q.shape), np.zeros((heads, rows))
    for h in range(heads):
        for t in range(tiles.shape[1]):
            first, last = t * tile[0], min((t + 1) * tile[0], rows)
            scores = q[h, first:last].astype(float) @ k[h // group, :last].astype(float).T / math.sqrt(dim)
            scores[np.arange(last)[None, :] > np.arange(first, last)[:, None]] = -np.inf
            states, o, l = loop(scores[None], v[h // group, :last].astype(float), tile[1], threshold, descending)
            tiles[h, t, :len(states)], out[h, first:last], lse[h, first:last] = states, o[0], l[0]
    return {"tiles": tiles, "out": out, "lse": lse}


def decode(q, k, v, scale, descending):
    heads, steps, dim = q.shape
    kv_heads, keys = k.shape[:2]
    group = heads // kv_heads
    tiles, out, lse = np.full((kv_heads, steps, -(-keys // 128)), -1), np.zeros(q.shape), np.zeros((heads, steps))
    for kv in range(kv_heads):
        own = slice(kv * group, (kv + 1) * group)
        for i in range(steps):
            n = keys - steps + i + 1
            scores = q[own, i:i + 1].astype(float) @ k[kv, :n].astype(float).T / math.sqrt(dim)
            states, o, l = loop(scores, v[kv, :n].astype(float), 128, scale / n, descending)
            tiles[kv, i, :len(states)], out[own, i], lse[own, i] = states, o[:, 0], l[:, 0]
    return {"tiles": tiles, "out": out, "lse": lse}


def main(folder):
    rng = np.random.default_rng(3)
    files = []

    def add(name, method, params, inputs, compute):
        variants = {"_ascending": {"splits": 1, "order": "ascending"},
                    "_descending": {"splits": 1, "order": "descending"}}
        tensors = dict(zip("qkv", inputs))
        for suffix, variant in variants.items():
            result = compute(*inputs, variant["order"] == "descending")
            tensors |= {key + suffix: value for key, value in result.items()}
            print(name + suffix, (result["tiles"] == 0).sum(), "of", (result["tiles"] >= 0).sum(), "tiles skipped")
        save(folder / f"{name}.safetensors", tensors)
        files.append({"file": f"{name}.safetensors", "method": method, "params": params | {"variants": variants},
                      "tolerance": TOLERANCE})

    tokens, tile, scale = 150, (16, 32), 20
    add("skip_prefill", "skip_softmax", {"tile_q": tile[0], "tile_k": tile[1], "threshold_scale": scale},
        uneven(rng, 4, 2, tokens, tokens, 8, tile[1], [0, 2]),
        lambda q, k, v, descending: prefill(q, k, v, tile, scale / tokens, descending))
    add("skip_steps", "skip_softmax_decode", {"steps": 3, "threshold_scale": 60},
        uneven(rng, 4, 2, 3, 641, 8, 128, [1, 3]), lambda q, k, v, descending: decode(q, k, v, 60, descending))
    (folder / "manifest.json").write_text(json.dumps({"files": files}, indent=1) + "\n")


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    main(target)
