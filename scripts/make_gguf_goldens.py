#!/usr/bin/env python3
"""Makes tests/data/gguf, small GGUF files, written and dequantised by the PyPI package `gguf`, and still smaller ones
as seeds of tests/fuzz/gguf_fuzz.cpp.

Needs gguf, numpy and safetensors in a throw-away virtual environment; the program and its tests do not:
    python3 -m venv /tmp/gguf && /tmp/gguf/bin/pip install gguf==0.19.0 numpy safetensors
    /tmp/gguf/bin/python scripts/make_gguf_goldens.py tests

types.gguf                    blocks of every type that is read, random but for scales at the ends of their range
types.golden.safetensors      the same as fp32
llama_linear_bias.gguf        models/llama_linear_bias: rows of q and k interleaved, a sentencepiece-like tokenizer
qwen3_plain.gguf              models/qwen3_yarn_options without its RoPE scaling, a byte-level tokenizer
"""

import json
import pathlib
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type, GGUFWriter, RopeScalingType, TokenType, dequantize, quantize
from safetensors.numpy import save_file

BLOCKS = {32: 48, 256: 12}
# Where the halves of a block lie that scale it.
SCALES = {Type.Q8_0: [0], Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q4_K: [0, 2],
          Type.Q5_K: [0, 2], Type.Q6_K: [208]}
# Zeros, subnormals, smallest normal, one, largest: of both signs.
EXTREMES = np.array([0x0000, 0x0001, 0x03FF, 0x0400, 0x3C00, 0x7BFF], np.uint16)
EXTREMES = np.concatenate([EXTREMES, EXTREMES | 0x8000])


def random_blocks(kind, random):
    """Bytes [rows, row bytes] of two rows."""
    elements, size = GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (BLOCKS[elements], size), np.uint8)
    for order, at in enumerate(SCALES[kind]):
        scales = random.normal(0, 0.1, len(blocks)).astype(np.float16).view(np.uint16)
        first = np.roll(EXTREMES, 5 * order)[:len(blocks)]
        scales[:len(first)] = first
        blocks[:, at:at + 2] = scales[:, None].view(np.uint8)
    return blocks.reshape(2, -1)


def plain_values(random):
    """F32, F16 and BF16 as they are stored, [4, 64] each: any finite bits, both infinities, a quiet NaN."""
    def finite(bits, exponent):
        return np.where((bits & exponent) == exponent, bits & ~exponent, bits)
    wide = finite(random.integers(0, 1 << 32, (4, 64), np.uint32), np.uint32(0x7F800000))
    wide[0, :4] = [0x7F800000, 0xFF800000, 0x7FC00001, 0x80000000]
    half = finite(random.integers(0, 1 << 16, (4, 64), np.uint16), np.uint16(0x7C00))
    half[0, :5] = [0x7C00, 0xFC00, 0x7E01, 0x8000, 0x8001]
    brain = finite(random.integers(0, 1 << 16, (4, 64), np.uint16), np.uint16(0x7F80))
    brain[0, :5] = [0x7F80, 0xFF80, 0x7FC1, 0x8000, 0x8001]
    return {Type.F32: wide.view(np.float32), Type.F16: half.view(np.float16), Type.BF16: brain.view(np.uint8)}


def make_types(folder):
    random = np.random.default_rng(7)
    stored = plain_values(random) | {kind: random_blocks(kind, random) for kind in SCALES}
    writer = GGUFWriter(folder / "types.gguf", "llama")
    for kind, values in stored.items():
        writer.add_tensor(kind.name, values, raw_dtype=kind)
    finish(writer)
    save_file({kind.name: np.ascontiguousarray(dequantize(values, kind)) for kind, values in stored.items()},
              folder / "types.golden.safetensors")


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


NAMES = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
         "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
         "self_attn.k_norm": "attn_k_norm", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
         "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def gguf_name(name):
    if not name.startswith("model.layers."):
        return {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}[
            name.rsplit(".", 1)[0]] + ".weight"
    _, _, layer, rest = name.split(".", 3)
    stem, ending = rest.rsplit(".", 1)
    return f"blk.{layer}.{NAMES[stem]}.{ending}"


def interleave(values, heads):
    """Halves of a head's rows become neighbours: row i and row i + d/2 -> 2i and 2i + 1."""
    return values.reshape(heads, 2, -1, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def stored_tensors(path):
    """name -> (bits as stored, type)."""
    header = path.read_bytes()
    size = int.from_bytes(header[:8], "little")
    entries = json.loads(header[8:8 + size])
    kinds = {"F32": (np.uint32, Type.F32), "F16": (np.uint16, Type.F16), "BF16": (np.uint16, Type.BF16)}
    for name, entry in entries.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        bits, kind = kinds[entry["dtype"]]
        yield name, np.frombuffer(header[begin:end], bits).reshape(entry["shape"]), kind


def add_model(writer, folder, arch):
    config = json.loads((folder / "config.json").read_text())
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    for name, bits, kind in stored_tensors(folder / "model.safetensors"):
        part = name.split(".")[-2]
        if arch == "llama" and part in heads:
            bits = interleave(bits, heads[part])
        types = {Type.F32: np.float32, Type.F16: np.float16, Type.BF16: np.uint8}
        writer.add_tensor(gguf_name(name), np.ascontiguousarray(bits).view(types[kind]), raw_dtype=kind)


def add_tokens(writer, tokens, kinds, size):
    unused = size - len(tokens)
    writer.add_token_list(tokens + [f"[PAD{i}]" for i in range(unused)])
    writer.add_token_types(kinds + [TokenType.UNUSED] * unused)


def add_sentencepiece(writer, size=96):
    writer.add_tokenizer_model("llama")
    pieces = ["▁", *"abcdefghijklmnopqrstuvwxyz.,", "▁t", "he", "▁the", "ri", "ver", "▁ri", "▁river"]
    add_tokens(writer, ["<s>", "</s>", "<unk>", *pieces],
               [TokenType.CONTROL, TokenType.CONTROL, TokenType.UNKNOWN] + [TokenType.NORMAL] * len(pieces), size)
    writer.add_token_scores([0.0] * 3 + [-float(i) for i in range(size - 3)])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(2)


def add_byte_level(writer, size=96):
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    merges = ["Ġ t", "h e", "Ġt he", "r i", "Ġ ri", "v e", "ve r", "Ġri ver"]
    pieces = ["Ġ", "Ċ", *"abcdefghijklmnopqrstuvwxyz.,", *(merge.replace(" ", "") for merge in merges)]
    add_tokens(writer, ["<|begin|>", "<|end|>", "<think>", *pieces],
               [TokenType.CONTROL, TokenType.CONTROL, TokenType.USER_DEFINED] + [TokenType.NORMAL] * len(pieces), size)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_eot_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template("{% for m in messages %}{{ bos_token + m.role + '\n' + m.content + eos_token }}{% endfor %}")


def make_llama(data, folder):
    writer = GGUFWriter(folder / "llama_linear_bias.gguf", "llama")
    add_model(writer, data / "models/llama_linear_bias", "llama")
    writer.add_rope_scaling_type(RopeScalingType.LINEAR)
    writer.add_rope_scaling_factor(2.5)
    add_sentencepiece(writer)
    finish(writer)


def make_qwen3(data, folder):
    writer = GGUFWriter(folder / "qwen3_plain.gguf", "qwen3")
    add_model(writer, data / "models/qwen3_yarn_options", "qwen3")
    add_byte_level(writer)
    finish(writer)


def make_seed(path, arch, add_tokenizer, kind):
    """A layer of few numbers."""
    size, hidden = 42, 32
    writer = GGUFWriter(path, arch)
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_scaling_type(RopeScalingType.YARN)
    writer.add_rope_scaling_factor(2)
    add_tokenizer(writer, size)
    random = np.random.default_rng(3)
    for name, rows in (("token_embd", size), ("blk.0.attn_q", 32), ("blk.0.attn_k", 16)):
        values = quantize(random.normal(0, 1, (rows, hidden)).astype(np.float32), kind)
        writer.add_tensor(name + ".weight", values, raw_dtype=kind)
    writer.add_tensor("output_norm.weight", np.ones(hidden, np.float32))
    finish(writer)


def main():
    tests = pathlib.Path(sys.argv[1])
    folder, seeds = tests / "data/gguf", tests / "fuzz/seeds/gguf_fuzz"
    folder.mkdir(exist_ok=True)
    seeds.mkdir(exist_ok=True)
    make_types(folder)
    make_llama(tests / "data", folder)
    make_qwen3(tests / "data", folder)
    make_seed(seeds / "llama.gguf", "llama", add_sentencepiece, Type.Q4_0)
    make_seed(seeds / "qwen3.gguf", "qwen3", add_byte_level, Type.Q5_1)


main()
