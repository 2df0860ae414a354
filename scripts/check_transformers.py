#!/usr/bin/env python3
"""Loads a checkpoint of ours in Hugging Face transformers and computes it there: same keys, logits and decisions.

Not part of the build or its tests. In a virtual environment outside the repository:
    python3 -m venv /tmp/hf && /tmp/hf/bin/pip install torch transformers
    /tmp/hf/bin/python scripts/check_transformers.py MODEL [--router DIR] [--program build/elastic-bench]

MODEL is a folder with config.json and model.safetensors (models/demo, or what `train router` wrote); --router puts an
adapter's routers in the place of its own. Shown, and else exit code 1:
  - transformers' stock LlamaForCausalLM finds every tensor it wants; what it does not know is the routers', all of them;
  - a `mask_allocator` of the released names and shapes at every `self_attn` loads with strict=True, and then the model's
    keys are the file's;
  - logits under fa, ssa and fa-ssa equal `elastic-bench generate --logits`, the routers' decisions `--trace`.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
    import transformers
    from safetensors.torch import load_file
    from torch import nn
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
except ImportError as missing:
    sys.exit(f"{missing}\ncure: python3 -m venv /tmp/hf && /tmp/hf/bin/pip install torch transformers, "
             "then /tmp/hf/bin/python scripts/check_transformers.py ...")

BLOCK = 128        # tokens of a block of the window
TOLERANCE = 2e-3   # of logits: two orders of summation in fp32
LENGTHS = (60, 300, 1500)


class MaskAllocator(nn.Module):
    """One layer's router under the released names; keys before RoPE [tokens, kv_heads, d] -> logits [kv_heads, 2]."""

    def __init__(self, d, expansion, pool_rows):
        super().__init__()
        self.pool_rows = pool_rows
        self.cls_feat_extractor = nn.Sequential(nn.Linear(d, expansion * d), nn.SiLU(), nn.Linear(expansion * d, d))
        self.cls_router_head_agnostic = nn.Sequential(nn.Linear(d, expansion * d), nn.SiLU(),
                                                      nn.Linear(expansion * d, d), nn.SiLU(), nn.Linear(d, 2))

    def forward(self, keys):
        pooled = torch.cat([keys[:self.pool_rows], keys[-self.pool_rows:]]).mean(0)
        return self.cls_router_head_agnostic(self.cls_feat_extractor(pooled))


def is_router(name):
    return ".self_attn.mask_allocator." in name


def llama_config(values):
    """transformers 5 refuses heads that do not divide the hidden size, though its model takes head_dim's word for it."""
    heads = {key: values[key] for key in ("num_attention_heads", "num_key_value_heads")}
    config = LlamaConfig(**{**values, **dict.fromkeys(heads, 1)})
    for key, value in heads.items():
        setattr(config, key, value)
    return config


class Checkpoint:
    def __init__(self, folder, router):
        self.config = json.loads((folder / "config.json").read_text())
        self.tensors = load_file(folder / "model.safetensors")
        self.model, self.info = LlamaForCausalLM.from_pretrained(
            folder, config=llama_config(self.config), dtype=torch.float32, attn_implementation="eager",
            output_loading_info=True)
        if router:
            self.tensors = {name: t for name, t in self.tensors.items() if not is_router(name)}
            self.tensors.update(load_file(router / "router.safetensors"))
            self.config.update(json.loads((router / "router.json").read_text())["routing"])
        self.in_file = {name for name in load_file(folder / "model.safetensors") if is_router(name)}

    def window(self):
        return [-(-self.config[key] // BLOCK) for key in ("sink_size", "local_window_size")]


def check(what, passed):
    print(f"{'ok  ' if passed else 'FAIL'}  {what}")
    return bool(passed)


def check_keys(checkpoint):
    """Keys of the backbone by transformers, keys of the routers strictly; leaves both in checkpoint.model."""
    info, model = checkpoint.info, checkpoint.model
    passed = check(f"backbone: {len(model.state_dict())} tensors, missing {sorted(info['missing_keys'])}, "
                   f"of another shape {sorted(info['mismatched_keys'])}",
                   not info["missing_keys"] and not info["mismatched_keys"])
    passed &= check(f"unexpected to the stock class: {len(info['unexpected_keys'])} tensors, the file's "
                    f"{len(checkpoint.in_file)} of mask_allocator", set(info["unexpected_keys"]) == checkpoint.in_file)
    for index, layer in enumerate(model.model.layers):
        prefix = f"model.layers.{index}.self_attn.mask_allocator."
        own = {name.removeprefix(prefix): t.float() for name, t in checkpoint.tensors.items() if name.startswith(prefix)}
        rows, d = own["cls_feat_extractor.0.weight"].shape
        layer.self_attn.mask_allocator = MaskAllocator(d, rows // d, checkpoint.config.get("pooling_rows", 100))
        layer.self_attn.mask_allocator.load_state_dict(own, strict=True)
    print(f"ok    load_state_dict(strict=True) of {index + 1} routers")
    keys = set(model.state_dict())
    if checkpoint.config["tie_word_embeddings"]:
        keys.discard("lm_head.weight")
    return passed & check(f"keys of the model with routers = keys of the file: {len(keys)}",
                          keys == set(checkpoint.tensors))


class RoutedAttention:
    """An attention function of transformers; keys before RoPE arrive through hooks on k_proj."""

    def __init__(self, checkpoint):
        self.sink, self.local = checkpoint.window()
        self.mode, self.keys, self.logits = "fa", {}, {}
        for index, layer in enumerate(checkpoint.model.model.layers):
            layer.self_attn.k_proj.register_forward_hook(
                lambda module, args, output, index=index: self.keys.__setitem__(index, output[0]))
        ALL_ATTENTION_FUNCTIONS.register("routed_check", self)
        checkpoint.model.config._attn_implementation = "routed_check"

    def sparse_heads(self, module, heads, d):  # [kv_heads]; class 1 keeps full attention, a tie does not
        logits = module.mask_allocator(self.keys[module.layer_idx].view(-1, heads, d))
        self.logits[module.layer_idx] = logits
        return {"fa": torch.zeros(heads, dtype=torch.bool), "ssa": torch.ones(heads, dtype=torch.bool),
                "fa-ssa": logits[:, 1] <= logits[:, 0]}[self.mode]

    def __call__(self, module, query, key, value, attention_mask, scaling, **_):
        heads, tokens, d = key.shape[1:]
        sparse = self.sparse_heads(module, heads, d)
        row, column = torch.arange(tokens)[:, None], torch.arange(tokens)[None]
        causal = column <= row
        streaming = causal & ((column // BLOCK < self.sink) | (row // BLOCK - column // BLOCK < self.local))
        visible = torch.where(sparse[:, None, None], streaming, causal)
        group = query.shape[1] // heads
        scores = query @ key.repeat_interleave(group, 1).transpose(2, 3) * scaling
        scores = scores.masked_fill(~visible.repeat_interleave(group, 0)[None], float("-inf"))
        return (scores.softmax(-1) @ value.repeat_interleave(group, 1)).transpose(1, 2).contiguous(), None


def ours(args, ids, mode, scratch):
    """Logits [tokens, vocabulary] and the trace of the program."""
    command = [args.program, "generate", "--model", args.model, "--mode", mode, "--max-new-tokens", "1", "--dtype",
               "fp32", "--device", "cpu", "--ids-file", scratch / "ids", "--logits", scratch / "logits", "--trace",
               scratch / "trace", *(["--router", args.router] if args.router else [])]
    (scratch / "ids").write_text(",".join(map(str, ids.tolist())))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return load_file(scratch / "logits")["logits"], json.loads((scratch / "trace").read_text())


@torch.no_grad()
def check_numbers(args, checkpoint, scratch):
    passed, routed, dense = True, RoutedAttention(checkpoint), None
    for tokens in LENGTHS:
        ids = torch.randint(3, checkpoint.config["vocab_size"], (tokens,), generator=torch.Generator().manual_seed(tokens))
        for routed.mode in ("fa", "ssa", "fa-ssa"):
            theirs = checkpoint.model(ids[None], use_cache=False).logits[0]
            mine, trace = ours(args, ids, routed.mode, scratch)
            difference = (theirs - mine).abs().max().item()
            dense = mine if routed.mode == "fa" else dense
            passed &= check(f"{tokens} tokens, {routed.mode}: logits {list(mine.shape)} differ by {difference:.1e} at "
                            f"most; from fa's by {(mine - dense).abs().max().item():.1e}", difference < TOLERANCE)
        # the last mode routes
        logits = torch.stack([routed.logits[layer] for layer in range(len(trace["layers"]))])
        decisions = [layer["is_sparse"] for layer in trace["layers"]]
        gap = (logits[..., 1] - logits[..., 0]).abs().min().item()
        difference = (logits - torch.tensor([layer["router_logits"] for layer in trace["layers"]])).abs().max().item()
        passed &= check(f"{tokens} tokens: router logits differ by {difference:.1e} at most (smallest gap of two classes "
                        f"{gap:.1e}), {sum(map(sum, decisions))} of {logits[..., 0].numel()} heads sparse",
                        (logits[..., 1] <= logits[..., 0]).int().tolist() == decisions)
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--router", type=pathlib.Path)
    parser.add_argument("--program", type=pathlib.Path, default=pathlib.Path("build/elastic-bench"))
    args = parser.parse_args()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    print(f"transformers {transformers.__version__}, torch {torch.__version__}, {args.model}, routers of "
          f"{args.router or 'its own'}")
    checkpoint = Checkpoint(args.model, args.router)
    passed = check_keys(checkpoint)
    with tempfile.TemporaryDirectory() as scratch:
        passed &= check_numbers(args, checkpoint, pathlib.Path(scratch))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
