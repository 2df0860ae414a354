#!/usr/bin/env python3
"""Tiny random checkpoints of tests/data/models and tests/data/routed, with logits by Hugging Face transformers.

Needs torch, transformers and safetensors in a throw-away virtual environment; the program and its tests do not:
    python3 -m venv /tmp/hf && /tmp/hf/bin/pip install torch transformers safetensors
    /tmp/hf/bin/python scripts/make_model_goldens.py tests/data

Each NAME/ gets a NAME.golden.safetensors: prompt_N, logit_rows_N, logits_N, greedy_N, hidden_N_L for models; for the
routed checkpoint PROMPT.ids, .rows, .MODE.logits, .router_logits, .is_sparse, computed through an attention function
of this file (streaming in blocks of 128, router on the mean of the first and last 100 keys before RoPE).
"""

import json
import pathlib
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

BLOCK = 128
POOL = 100
NEW_TOKENS = 8
ROUTER = {
    "cls_feat_extractor.0": (2, 1), "cls_feat_extractor.2": (1, 2),
    "cls_router_head_agnostic.0": (2, 1), "cls_router_head_agnostic.2": (1, 2),
}


def llama(**extra):
    sizes = dict(vocab_size=96, hidden_size=48, intermediate_size=64, num_hidden_layers=2, num_attention_heads=6,
                 num_key_value_heads=2, max_position_embeddings=512, bos_token_id=0, eos_token_id=1, pad_token_id=None)
    return LlamaConfig(**{**sizes, **extra})


MODELS = {
    # linear scaling, biases everywhere, F16 storage
    "llama_linear_bias": (llama(attention_bias=True, mlp_bias=True, tie_word_embeddings=False,
                                rope_parameters={"rope_type": "linear", "factor": 2.5, "rope_theta": 1e4}),
                          torch.float16, None),
    # llama3 scaling, tied, three shards
    "llama_llama3_shards": (llama(head_dim=16, tie_word_embeddings=True,
                                  rope_parameters={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                                   "high_freq_factor": 4.0, "rope_theta": 5e5,
                                                   "original_max_position_embeddings": 64}),
                            torch.float32, "45KB"),
    # YaRN with its own attention factor and without rounding of the ramp, q/k norm, BF16 storage
    "qwen3_yarn_options": (Qwen3Config(vocab_size=96, hidden_size=40, intermediate_size=64, num_hidden_layers=3,
                                       num_attention_heads=4, num_key_value_heads=2, head_dim=24,
                                       max_position_embeddings=512, eos_token_id=1, tie_word_embeddings=False,
                                       rope_parameters={"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e4,
                                                        "original_max_position_embeddings": 64,
                                                        "attention_factor": 1.25, "truncate": False}),
                           torch.bfloat16, None),
    # biases on q, k and v alone, tied
    "qwen2_bias": (Qwen2Config(vocab_size=96, hidden_size=48, intermediate_size=64, num_hidden_layers=3,
                               num_attention_heads=6, num_key_value_heads=2, max_position_embeddings=512, eos_token_id=1,
                               tie_word_embeddings=True, use_sliding_window=False,
                               rope_parameters={"rope_type": "default", "rope_theta": 1e6}),
                   torch.bfloat16, None),
    # head_dim of its own, no window
    "mistral_head_dim": (MistralConfig(vocab_size=96, hidden_size=40, intermediate_size=64, num_hidden_layers=2,
                                       num_attention_heads=4, num_key_value_heads=1, head_dim=16, sliding_window=None,
                                       max_position_embeddings=512, eos_token_id=1, tie_word_embeddings=False,
                                       rope_parameters={"rope_type": "default", "rope_theta": 1e6}),
                         torch.float16, None),
}


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.data = 1 + 0.2 * torch.randn(parameter.shape, generator=generator)
        else:
            fan_in = parameter.shape[-1] if parameter.dim() > 1 else 40
            scale = 1.0 if "embed" in name else 1.5 / fan_in**0.5
            parameter.data = scale * torch.randn(parameter.shape, generator=generator)


def save_model(folder, config, dtype, shard, seed):
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config)
    randomise(model, seed)
    model.to(dtype).save_pretrained(folder, **({"max_shard_size": shard} if shard else {}))
    (folder / "generation_config.json").unlink(missing_ok=True)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def rows_of(tokens):
    return sorted(set(range(min(4, tokens))) | set(range(max(0, tokens - 4), tokens)))


@torch.no_grad()
def golden(model, vocab):
    out = {}
    for tokens in (1, 7, 150):
        generator = torch.Generator().manual_seed(tokens)
        prompt = torch.randint(2, vocab, (1, tokens), generator=generator)
        result = model(prompt, output_hidden_states=True)
        rows = rows_of(tokens)
        out[f"prompt_{tokens}"] = prompt[0].int()
        out[f"logit_rows_{tokens}"] = torch.tensor(rows, dtype=torch.int32)
        out[f"logits_{tokens}"] = result.logits[0, rows].clone()
        for layer, hidden in enumerate(result.hidden_states):
            out[f"hidden_{tokens}_{layer}"] = hidden[0, rows].clone()
        ids = prompt
        for _ in range(NEW_TOKENS):
            ids = torch.cat([ids, model(ids).logits[:, -1:].argmax(-1)], 1)
        out[f"greedy_{tokens}"] = ids[0, tokens:].int()
    return out


def add_router(folder, layers, d, kv_heads, seed):
    generator = torch.Generator().manual_seed(seed)
    tensors = load_file(folder / "model.safetensors")
    for layer in range(layers):
        prefix = f"model.layers.{layer}.self_attn.mask_allocator."
        for name, (rows, columns) in ROUTER.items():
            tensors[f"{prefix}{name}.weight"] = torch.randn(rows * d, columns * d, generator=generator) / d**0.5
            tensors[f"{prefix}{name}.bias"] = 0.3 * torch.randn(rows * d, generator=generator)
        tensors[prefix + "cls_router_head_agnostic.4.weight"] = 2 * torch.randn(2, d, generator=generator) / d**0.5
        tensors[prefix + "cls_router_head_agnostic.4.bias"] = 0.05 * torch.randn(2, generator=generator)
        tensors[prefix + "log_temp"] = torch.zeros(())
        tensors[f"model.layers.{layer}.self_attn.attn_mask_log_alphas"] = torch.zeros(kv_heads)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config.update(architectures=["PawLlamaForCausalLM"], toggle_type="streaming", retrieval_mode="full", sink_size=100,
                  local_window_size=128, pooling_mode="ctx_q", use_softmax=True, enable_ada_sparsity=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return tensors


class Routed:
    """Attention function of a routed model; keys before RoPE arrive through hooks on k_proj."""

    def __init__(self, tensors, sink, local):
        self.tensors, self.blocks = tensors, (-(-sink // BLOCK), -(-local // BLOCK))
        self.mode, self.keys, self.logits = "fa", {}, {}

    def decide(self, layer, heads, d):
        keys = self.keys[layer].view(-1, heads, d)
        x = torch.cat([keys[:POOL], keys[-POOL:]]).mean(0)
        prefix = f"model.layers.{layer}.self_attn.mask_allocator."
        linear = lambda v, name: F.linear(v, self.tensors[f"{prefix}{name}.weight"], self.tensors[f"{prefix}{name}.bias"])
        x = linear(F.silu(linear(x, "cls_feat_extractor.0")), "cls_feat_extractor.2")
        x = F.silu(linear(x, "cls_router_head_agnostic.0"))
        return linear(F.silu(linear(x, "cls_router_head_agnostic.2")), "cls_router_head_agnostic.4")

    def __call__(self, module, query, key, value, attention_mask, scaling, **_):
        heads, d, tokens = key.shape[1], key.shape[3], key.shape[2]
        logits = self.decide(module.layer_idx, heads, d)
        self.logits[module.layer_idx] = logits
        sparse = {"fa": torch.zeros(heads), "ssa": torch.ones(heads), "fa-ssa": (logits[:, 1] <= logits[:, 0]).float()}
        row, column = torch.arange(tokens)[:, None], torch.arange(tokens)[None]
        causal = column <= row
        sink, local = self.blocks
        streaming = causal & ((column // BLOCK < sink) | (row // BLOCK - column // BLOCK < local))
        visible = torch.where(sparse[self.mode][:, None, None] > 0, streaming, causal)
        group = query.shape[1] // heads
        scores = query @ key.repeat_interleave(group, 1).transpose(2, 3) * scaling
        scores = scores.masked_fill(~visible.repeat_interleave(group, 0)[None], float("-inf"))
        return (scores.softmax(-1) @ value.repeat_interleave(group, 1)).transpose(1, 2).contiguous(), None


@torch.no_grad()
def routed_golden(folder, config, tensors):
    config_json = folder / "config.json"
    text = config_json.read_text()
    config_json.write_text(text.replace("PawLlama", "Llama"))
    routed = Routed(tensors, 100, 128)
    ALL_ATTENTION_FUNCTIONS.register("routed_golden", routed)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="routed_golden").eval()
    config_json.write_text(text)
    for layer, block in enumerate(model.model.layers):
        block.self_attn.k_proj.register_forward_hook(
            lambda module, args, output, layer=layer: routed.keys.__setitem__(layer, output[0]))
    out = {}
    for index, tokens in enumerate((60, 170, 500)):
        name = f"p{index}_{tokens}"
        ids = torch.randint(2, config.vocab_size, (1, tokens), generator=torch.Generator().manual_seed(tokens))
        rows = rows_of(tokens)
        out[f"{name}.ids"], out[f"{name}.rows"] = ids[0].int(), torch.tensor(rows, dtype=torch.int32)
        for mode in ("fa", "ssa", "fa-ssa"):
            routed.mode = mode
            out[f"{name}.{mode}.logits"] = model(ids, use_cache=False).logits[0, rows].clone()
        logits = torch.stack([routed.logits[layer] for layer in range(config.num_hidden_layers)])
        out[f"{name}.router_logits"] = logits
        out[f"{name}.is_sparse"] = (logits[..., 1] <= logits[..., 0]).to(torch.uint8)
        gap = (logits[..., 1] - logits[..., 0]).abs().min().item()
        print(name, out[f"{name}.is_sparse"].tolist(), f"gap {gap:.3f}")
    return out


def main():
    target = pathlib.Path(sys.argv[1])
    for seed, (name, (config, dtype, shard)) in enumerate(MODELS.items()):
        folder = target / "models" / name
        model = save_model(folder, config, dtype, shard, seed)
        save_file(golden(model, config.vocab_size), f"{folder}.golden.safetensors")
    folder = target / "routed" / "paw_llama_small"
    config = llama(tie_word_embeddings=True, num_key_value_heads=3, num_hidden_layers=3)
    save_model(folder, config, torch.float32, None, 7)
    tensors = add_router(folder, config.num_hidden_layers, 8, 3, 14)
    save_file(routed_golden(folder, config, tensors), f"{folder}.golden.safetensors")


if __name__ == "__main__":
    main()
