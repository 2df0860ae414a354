#!/usr/bin/env python3
"""Makes tests/data/tokenizers: tiny tokenizers trained on the words below, with what the libraries
`tokenizers`, `sentencepiece` and `transformers` (pip install tokenizers==0.23.3 sentencepiece==0.2.1
transformers==5.24.0) make of texts, and
tests/data/pre_tokenizers: one vocabulary whose merges cross every word boundary, behind many pre-tokenizers.

    python3 scripts/make_tokenizer_goldens.py tests/data/tokenizers
"""

import json
import pathlib
import random
import sys

import sentencepiece
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers import processors, trainers

LINES = [f"{a} {b} {c}, {d}." for a in ("The river", "A grey heron", "Don't you", "We'll see how it")
         for b in ("bends", "waits", "was counting", "keeps 1234567 stones in")
         for c in ("under the bridge", "beside 42 willows", "où l'été finit", "das große Tor")
         for d in ("and nobody asks", "河水流过石桥", "снег идёт", "so they walked on\n\n  slowly")]
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
ODD = r"\p{Lu}?\p{Ll}+|\p{N}|\s+|[^\s\p{L}\p{N}]+"  # a pattern that is nobody's


def byte_level(pattern, vocab, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    steps = [pre_tokenizers.Split(Regex(pattern), "isolated")] if pattern else []
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=not pattern, use_regex=not pattern))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps) if pattern else steps[0]
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.train_from_iterator(LINES, trainers.BpeTrainer(
        vocab_size=vocab, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def make_all():
    llama = byte_level(LLAMA3, 420, ignore_merges=True)
    llama.add_special_tokens(["<|begin|>", "<|end|>"])
    llama.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin|> $A", pair="<|begin|> $A $B", special_tokens=[
            ("<|begin|>", llama.token_to_id("<|begin|>"))])])
    yield "bpe-template", llama
    flags = byte_level(ODD, 360)
    flags.normalizer = normalizers.Sequence([normalizers.NFC()])
    flags.add_tokens([AddedToken("stone", single_word=True), AddedToken("<l>", lstrip=True),
                      AddedToken("<r>", rstrip=True), AddedToken("<lr>", lstrip=True, rstrip=True),
                      AddedToken("<l><r>x"), AddedToken("caf\u00e9", normalized=True),
                      AddedToken("re\u0301", normalized=False)])
    flags.add_special_tokens([AddedToken("<s>", rstrip=True)])
    yield "bpe-added-flags", flags
    yield "bpe-prefix-space", byte_level(None, 330)


def texts():
    fixed = ["", " ", "\n", "The river bends", "Don't, WE'LL 'Sé", "a\r\n\r\n b \t c", "1234567 12 3",
             "<|begin|>The<|end|> river<|end", "</s>the<unk> river</s>\n<s>", "stone stones stone, astone", "a <l>  b", "a  <r>  b",
             "  <lr>  <lr>", "<l><r>xy", "cafe\u0301 caf\u00e9 re\u0301 r\u00e9", "<s>   x<s>", "\u0000\u0001",
             "河水 snow снег\u3000x", "e\u0301\u0301 \u1112\u1161\u11ab", "\U0001f600\u200d\U0001f600", "w" * 300, "\u00a0\u00a0x\u2028y",
             "▁x ▁▁y", "  two  spaces  "]
    rng = random.Random(7)
    parts = ["the", "river", " ", "  ", "\n", "'s", "é", "e\u0301", "<s>", "<l>", "<r>", "stone", "7", "河水",
             ".", "!?", "\t", "Tor", "snow", "\u00ad", "<|end|>", "\U0001f9ee"]
    return fixed + ["".join(rng.choices(parts, k=rng.randint(1, 12))) for _ in range(60)]


def splits():
    for behavior in ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"):
        for invert in (False, True):
            for pattern in ("a", "a b", "", Regex(r"\d+|,"), Regex(r"\s*"), Regex(r"\w+"), Regex(r"\bst"), Regex(r"[^\w\s]\B|\W")):
                yield pre_tokenizers.Split(pattern, behavior, invert)


def chains():
    """Lists of steps; ByteLevel follows each."""
    p = pre_tokenizers
    for step in splits():
        yield [step]
    for individual in (False, True):
        yield [p.Digits(individual)]
    for behavior in ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"):
        yield [p.Punctuation(behavior)]
    yield [p.Whitespace()]
    yield [p.WhitespaceSplit()]
    for scheme in ("always", "first", "never"):
        for split in (False, True):
            yield [p.Metaspace("\u2581", scheme, split)]
    yield [p.Metaspace("_", "first"), p.Digits(True)]
    yield [p.WhitespaceSplit(), p.Metaspace("_", "first")]
    yield [p.Digits(True), p.Punctuation("contiguous"), p.Split(Regex("(?i)THE"), "merged_with_next")]


def step_texts(rng, count):
    parts = ["a", "b", "a b", " ", "  ", "\n", "\t", "\u00a0", "\u3000", "1", "23", "\u0664", "\u00b2", "\u2167", ",", ".", "$",
             "_", "\u2581", "\u203f", "'", "\u00ab", "e\u0301", "\u00e9", "\u6cb3", "the", "st", "\U0001f600", "\u200d", "<x>"]
    return ["".join(rng.choices(parts, k=rng.randint(1, 9))) for _ in range(count)]


def write_pre_tokenizers(folder, per_chain):
    rng = random.Random(11)
    base = Tokenizer(models.BPE())
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    base.decoder = decoders.ByteLevel()
    base.train_from_iterator(step_texts(rng, 4000), trainers.BpeTrainer(
        vocab_size=900, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    base.add_tokens(["<x>"])
    folder.mkdir(parents=True, exist_ok=True)
    base.save(str(folder / "tokenizer.json"), pretty=False)
    with open(folder / "cases.jsonl", "w") as out:
        for i, steps in enumerate(chains()):
            last = pre_tokenizers.ByteLevel(add_prefix_space=i % 5 == 0, use_regex=i % 3 == 0)
            base.pre_tokenizer = pre_tokenizers.Sequence([*steps, last])
            texts = step_texts(rng, per_chain)
            section = json.loads(base.to_str())["pre_tokenizer"]
            out.write(json.dumps({"pre_tokenizer": section, "texts": texts,
                                  "ids": [base.encode(text).ids for text in texts]}) + "\n")


def write(folder, lines):
    with open(folder / "cases.jsonl", "w") as out:
        out.writelines(json.dumps(line) + "\n" for line in lines)


def sentencepiece_cases(folder):
    """The library's ids; where a control token is written out, which it spells, those of transformers."""
    model = sentencepiece.SentencePieceProcessor(str(folder / "tokenizer.model"))
    llama = transformers.LlamaTokenizer.from_pretrained(folder)
    for text in texts():
        controls = any(token in text for token in ("<s>", "</s>", "<unk>"))
        if controls and text.startswith((" ", "\u2581")):
            continue  # transformers puts no blank before this one, sentencepiece does: ours too
        ids = llama.encode(text, add_special_tokens=False) if controls else model.encode(text)
        yield {"kind": "encode", "text": text, "ids": [model.bos_id(), *ids], "ids_without_special": ids,
               "decoded": model.decode([model.bos_id(), *ids])}


def main():
    target = pathlib.Path(sys.argv[1])
    write_pre_tokenizers(target.parent / "pre_tokenizers", per_chain=8)
    for name, tokenizer in make_all():
        (target / name).mkdir(parents=True, exist_ok=True)
        tokenizer.save(str(target / name / "tokenizer.json"), pretty=False)
        ids = {text: tokenizer.encode(text).ids for text in texts()}
        write(target / name, [{
            "kind": "encode", "text": text, "ids": ids[text],
            "ids_without_special": tokenizer.encode(text, add_special_tokens=False).ids,
            "decoded": tokenizer.decode(ids[text], skip_special_tokens=False),
            "decoded_skip_special": tokenizer.decode(ids[text])} for text in texts()])
    folder = target / "sentencepiece-bpe"
    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES), model_prefix=str(folder / "tokenizer"), vocab_size=420,
        model_type="bpe", byte_fallback=True, normalization_rule_name="identity", minloglevel=2,
        remove_extra_whitespaces=False, user_defined_symbols=["<l>"])
    (folder / "tokenizer.vocab").unlink()
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "LlamaTokenizer", "add_bos_token": true}\n')
    write(folder, sentencepiece_cases(folder))


main()
