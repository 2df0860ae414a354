#!/usr/bin/env python3
"""CPU prefill beside Hugging Face transformers with SDPA: one random model (4 layers, 8 heads of 64), the
same folder for both, in turns inside one script.

    python3 tests/bench/prefill_peer.py build/elastic-bench --work build/peer [--lengths 4096,16384] [--rounds 5]

needs `pip install torch==2.11.0 transformers safetensors`. Prints milliseconds (minimum, median, maximum) and
the ratios ours / peer, and checks first that both give the same logits.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import time

import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

torch.set_grad_enabled(False)


def make_model(folder, kv_heads):
    config = LlamaConfig(vocab_size=1024, hidden_size=512, intermediate_size=1408, num_hidden_layers=4,
                         num_attention_heads=8, num_key_value_heads=kv_heads, head_dim=64,
                         max_position_embeddings=131072, rope_theta=500000.0, tie_word_embeddings=False,
                         attn_implementation="sdpa")
    torch.manual_seed(7)
    model = LlamaForCausalLM(config).eval()
    model.save_pretrained(folder)
    return model


def ids_like_bench(tokens, vocab):
    """The ids that `bench prefill` feeds."""
    state, ids = 42, []
    for _ in range(tokens):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        ids.append((state >> 33) % vocab)
    return ids


def check_logits(binary, folder, model, work):
    ids = ids_like_bench(700, model.config.vocab_size)
    out = work / "logits.safetensors"
    subprocess.run([binary, "generate", "--model", folder, "--ids", ",".join(map(str, ids)), "--mode", "fa",
                    "--device", "cpu", "--max-new-tokens", "1", "--logits", out], check=True,
                   stdout=subprocess.DEVNULL)
    ours = load_file(out)["logits"]
    theirs = model(torch.tensor([ids])).logits[0]
    print(f"largest difference of logits over 700 tokens: {(ours - theirs).abs().max().item():.2e}")


def ours(binary, folder, tokens):
    text = subprocess.run([binary, "bench", "prefill", "--model", folder, "--device", "cpu", "--lengths",
                           str(tokens), "--modes", "fa,ssa", "-r", "1", "-o", "json"], check=True,
                          capture_output=True, text=True).stdout
    return {row["mode"].split(":")[0]: row for row in json.loads(text)["rows"]}


def theirs(model, ids):
    start = time.perf_counter()
    model(ids, use_cache=True, logits_to_keep=1)
    return (time.perf_counter() - start) * 1e3


def spread(values):
    return f"{min(values):.0f} / {statistics.median(values):.0f} / {max(values):.0f}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--lengths", default="4096,16384")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kv-heads", type=int, default=8)
    options = parser.parse_args()
    folder = options.work / f"model-8-{options.kv_heads}"
    model = make_model(folder, options.kv_heads)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, fp32, 8/{options.kv_heads} heads")
    check_logits(options.binary, folder, model, options.work)
    for tokens in map(int, options.lengths.split(",")):
        ids = torch.tensor([ids_like_bench(tokens, model.config.vocab_size)])
        theirs(model, ids)
        peer, full, streaming = [], [], []
        for number in range(1, options.rounds + 1):
            peer.append(theirs(model, ids))
            rows = ours(options.binary, folder, tokens)
            full.append(rows["fa"]["prefill_ms"])
            streaming.append(rows["ssa"]["prefill_ms"])
            visited = rows["ssa"]["visited_blocks"]
            print(f"  round {number}: peer {peer[-1]:.0f}, fa {full[-1]:.0f}, ssa {streaming[-1]:.0f} ms", flush=True)
        print(f"{tokens} tokens, ms (min / median / max over {options.rounds} rounds): peer {spread(peer)}, "
              f"fa {spread(full)}, ssa {spread(streaming)}")
        print(f"  fa / peer: {min(full) / min(peer):.3f} (minima), "
              f"{statistics.median(full) / statistics.median(peer):.3f} (medians); fa / ssa: "
              f"{min(full) / min(streaming):.2f} (minima); ssa visits {visited:.3f} of the blocks")


if __name__ == "__main__":
    main()
