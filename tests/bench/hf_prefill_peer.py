#!/usr/bin/env python3
"""The peer of `bench prefill --shape llama-3.1-8b --random-weights`: Hugging Face transformers with cuDNN attention on
the same machine. One JSON line a length: minimum and median over repetitions, peak memory.

    python3 tests/bench/hf_prefill_peer.py 8192 32768 131072 [--repetitions 3]
"""
import argparse
import json
import statistics
import time

import torch
import transformers
from torch.nn.attention import SDPBackend, sdpa_kernel

LLAMA_8B = dict(vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
                num_attention_heads=32, num_key_value_heads=8, max_position_embeddings=131072, rms_norm_eps=1e-5,
                rope_theta=500000.0, tie_word_embeddings=False)


def prefill_seconds(model, ids):
    torch.cuda.synchronize()
    start = time.perf_counter()
    with torch.inference_mode(), sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
        model(ids, use_cache=True, logits_to_keep=1)
    torch.cuda.synchronize()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lengths", type=int, nargs="+")
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    config = transformers.LlamaConfig(**LLAMA_8B, attn_implementation="sdpa", dtype="bfloat16")
    with torch.device("cuda"):
        previous = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16)
        model = transformers.LlamaForCausalLM(config).eval()
        torch.set_default_dtype(previous)
    for length in arguments.lengths:
        ids = torch.randint(0, config.vocab_size, (1, length), device="cuda")
        prefill_seconds(model, ids)  # warm-up: cuDNN plans, allocator
        torch.cuda.reset_peak_memory_stats()
        times = [prefill_seconds(model, ids) for _ in range(arguments.repetitions)]
        print(json.dumps({"peer": f"transformers {transformers.__version__}, torch {torch.__version__}, cuDNN",
                          "device": torch.cuda.get_device_name(), "tokens": length,
                          "min_ms": round(min(times) * 1e3, 1), "median_ms": round(statistics.median(times) * 1e3, 1),
                          "repetitions": len(times), "peak_bytes": torch.cuda.max_memory_allocated()}), flush=True)
        torch.cuda.empty_cache()


main()
