#!/usr/bin/env python3
"""Golden files of tokenizers: tests/vectors/tokenizer/KIND/, small vocabularies in the layouts of Hugging Face and
SentencePiece, each with cases.jsonl: text, ids, and whether texts of special tokens in it count.

    python3 tools/golden/tokenizers_small.py tests/vectors/tokenizer

Made with tokenizers 0.23.3 and sentencepiece 0.2.3, trained on sentences put together here. The tests need no Python."""
import io
import json
import pathlib
import random
import re
import sys
import unicodedata

import sentencepiece
import tokenizers
from tokenizers import models, pre_tokenizers, trainers

QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
WORDS = ("the a red green blue small large round cup table apple box mask circle square where is it on under beside left right of and two three "
         "I'm don't we'll they've 12 345 6789 2024 café Übung naïve über año 日本 中文 привет мир ελλάδα").split()
TEXTS = ["", " ", "a", "  a", "the red cup", " the  red   cup ", "I'm DON'T we'LL", "12 345 67890", "x=1;\n\n\ty += 2\r\n", "\n", "\n\n \n", "café cafe\u0301 U\u0308bung",
         "a\u0323\u0302 \u212b \u1100\u1161\u11a8", "日本中文 привет", "emoji 🙂👍🏽 \u200d", "\x00\x01\x7f", "\u3000wide\u00a0space ", "<s>the cup</s>", "<|im_start|>user\nhi<|im_end|>\n",
         "where is <loc> it", "where is<loc>it", "  <loc>  <loc> ", "<loc>", "the <strip> cup <right>  and <left>  box", "word words sword word", "nu\u0308ll null nüll nu\u0308lly", "▁the▁cup", "the▁",
         "<0x0A>", "</s>.</s> .", "<unk>ü", "zzzzzz!!!!!!", "a" * 40, "mixed日本123abc", "tab\tand\vother\fblank", "don’t ‘quote’", "I\u017fs'\u00dfs", "©®™ ½ ² Ⅷ ٣ ๓"]


def sentences():
    chance = random.Random(5)
    return [" ".join(chance.choice(WORDS) for _ in range(chance.randint(3, 12))) + chance.choice([".", "?", "!\n", " (x, y)", "; "]) for _ in range(3000)]


def train(splitter, size, alphabet=True):
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = splitter
    made.train_from_iterator(sentences(), trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()) if alphabet else []))
    return json.loads(made.to_str())["model"]


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def added(id, text, special, **flags):
    return {"id": id, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": special, **flags}


def write(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def cases(folder, encode):
    with open(folder / "cases.jsonl", "w") as file:
        for text in TEXTS:
            for special in (False, True):
                file.write(json.dumps({"text": text, "special": special, "ids": encode(text, special)}, ensure_ascii=False) + "\n")


def peer(value):
    made = tokenizers.Tokenizer.from_str(json.dumps(value))

    def encode(text, special):
        made.encode_special_tokens = not special
        return made.encode(text, add_special_tokens=False).ids

    return encode


def specials(model):
    base = len(model["vocab"])
    return [added(base, "<s>", True), added(base + 1, "</s>", True), added(base + 2, "<|im_start|>", True), added(base + 3, "<|im_end|>", True), added(base + 4, "<loc>", False),
            added(base + 5, "<strip>", True, lstrip=True, rstrip=True), added(base + 6, "<right>", False, rstrip=True), added(base + 7, "<left>", False, lstrip=True),
            added(base + 8, "word", False, single_word=True), added(base + 9, "nüll", False, normalized=True)]


def full(model, tokens, normalizer, splitter, processor=None):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": normalizer, "pre_tokenizer": splitter, "post_processor": processor,
            "decoder": None, "model": model}


def byte_level(root, name, splitter, normalizer, pairs, ignore, bos=False, config=None):
    model = train(splitter, 420)
    model["ignore_merges"] = ignore
    model["merges"] = [m if pairs else " ".join(m) for m in model["merges"]]
    tokens = specials(model)
    processor = {"type": "Sequence", "processors": [{"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
                 {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
                  "special_tokens": {"<s>": {"id": "<s>", "ids": [tokens[0]["id"]], "tokens": ["<s>"]}}}]} if bos else None
    value = full(model, tokens, normalizer, json.loads(splitter.__getstate__()), processor)
    (root / name).mkdir(exist_ok=True)
    write(root / name / "tokenizer.json", value)
    if config:
        write(root / name / "tokenizer_config.json", config)
    cases(root / name, peer(value))
    return value


def files(root, name, value, config):
    """The same vocabulary as vocab.json and merges.txt; added tokens without flags."""
    folder = root / name
    folder.mkdir(exist_ok=True)
    tokens = [t for t in value["added_tokens"] if t["content"] in ("<s>", "</s>", "<|im_start|>", "<|im_end|>", "<loc>")]
    write(folder / "vocab.json", value["model"]["vocab"])
    write(folder / "merges.txt", "#version: 0.2\n" + "".join(f"{m if isinstance(m, str) else ' '.join(m)}\n" for m in value["model"]["merges"]))
    write(folder / "added_tokens.json", {t["content"]: t["id"] for t in tokens})
    write(folder / "special_tokens_map.json", {"additional_special_tokens": ["<|im_start|>", {"content": "<|im_end|>", "lstrip": False}], "bos_token": "<s>", "eos_token": {"content": "</s>"}})
    write(folder / config[0], config[1])
    cases(folder, peer({**value, "added_tokens": tokens}))


def sentencepiece_model(**options):
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(sentences()), model_writer=out, model_type="bpe", vocab_size=500, byte_fallback=True, character_coverage=0.99,
                                             normalization_rule_name="identity", minloglevel=2, **options)
    return out.getvalue()


def slow_llama(model, tokens):
    """perceptiongpt.md, section 6: split at tokens of their own, strip white space around them, each stretch for itself."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)

    def encode(text, special):
        known = {t: i for t, i, s in tokens if special or not s}
        parts = re.split("(" + "|".join(sorted(map(re.escape, known), key=len, reverse=True)) + ")", text) if known else [text]
        ids = []
        for at, part in enumerate(parts):
            if part in known and at % 2:
                ids.append(known[part])
                continue
            part = part.lstrip() if at > 0 else part
            part = part.rstrip() if at + 1 < len(parts) else part
            ids += processor.encode(part) if part else []
        return ids

    return encode


def llama(root):
    options = {"remove_extra_whitespaces": False, "allow_whitespace_only_pieces": True}
    for name, more in (("spm", options), ("spm-squeezed", {})):
        folder = root / name
        folder.mkdir(exist_ok=True)
        model = sentencepiece_model(**more)
        (folder / "tokenizer.model").write_bytes(model)
        if name == "spm":
            write(folder / "added_tokens.json", {"<loc>": 500, "<|im_start|>": 501})
            write(folder / "tokenizer_config.json", {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "pad_token": "<unk>", "additional_special_tokens": ["<|im_start|>"]})
            cases(folder, slow_llama(model, [("<unk>", 0, True), ("<s>", 1, True), ("</s>", 2, True), ("<loc>", 500, False), ("<|im_start|>", 501, True)]))
        else:
            cases(folder, slow_llama(model, [("<unk>", 0, True), ("<s>", 1, True), ("</s>", 2, True)]))
    processor = sentencepiece.SentencePieceProcessor(model_file=str(root / "spm/tokenizer.model"))
    vocabulary = {processor.id_to_piece(i): i for i in range(processor.get_piece_size())}
    merges = []
    for text, i in vocabulary.items():
        if not (processor.is_byte(i) or processor.is_control(i) or processor.is_unknown(i)):
            merges += [(processor.get_score(i), text[:k], text[k:]) for k in range(1, len(text)) if text[:k] in vocabulary and text[k:] in vocabulary]
    merges.sort(key=lambda m: m[0], reverse=True)
    model = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True,
             "ignore_merges": False, "vocab": vocabulary, "merges": [f"{a} {b}" for _, a, b in merges]}
    tokens = [added(vocabulary[t], t, True) for t in ("<unk>", "<s>", "</s>")] + [added(500, "<loc>", False), added(501, "<right>", True, rstrip=True)]
    prepend = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
    processor = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
                 "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
    for name, normalizer, splitter in (("llama2", prepend, None), ("metaspace", None, metaspace)):
        folder = root / name
        folder.mkdir(exist_ok=True)
        value = full(model, tokens, normalizer, splitter, processor)
        write(folder / "tokenizer.json", value)
        cases(folder, peer(value))
    # Without bytes: unknown characters become one unknown token each run.
    bare = {**model, "byte_fallback": False, "vocab": {t: i for i, t in enumerate(t for t in vocabulary if not t.startswith("<0x"))}}
    tokens = [{**t, "id": bare["vocab"].get(t["content"], len(bare["vocab"]) + i - 3)} for i, t in enumerate(tokens)]
    (root / "no-bytes").mkdir(exist_ok=True)
    value = full(bare, tokens, prepend, None)
    write(root / "no-bytes" / "tokenizer.json", value)
    cases(root / "no-bytes", peer(value))


def main(folder):
    root = pathlib.Path(folder)
    assert all(unicodedata.is_normalized("NFC", w) for w in WORDS)
    digits = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    qwen2 = byte_level(root, "qwen2", split(QWEN2), {"type": "NFC"}, True, False, config={
        "add_bos_token": False, "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "</s>", "tokenizer_class": "Qwen2Tokenizer",
        "chat_template": "{# ours #}<|im_start|>{{ messages }}<|im_end|>"})
    byte_level(root, "llama3", split(LLAMA3), None, False, True, bos=True, config={"bos_token": "<s>", "eos_token": "</s>"})
    byte_level(root, "smollm", digits, None, False, False)
    gpt2 = byte_level(root, "gpt2", pre_tokenizers.ByteLevel(add_prefix_space=False), None, False, False)
    files(root, "qwen2-files", qwen2, ("tokenizer_config.json", {"tokenizer_class": "Qwen2Tokenizer"}))
    files(root, "gpt2-files", gpt2, ("config.json", {"model_type": "gpt2"}))
    llama(root)


if __name__ == "__main__":
    main(sys.argv[1])
