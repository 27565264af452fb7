"""Compares `percept tokenize` with llama.cpp's reference pairs; called by tokenizers.sh.

A pair of files beside each vocabulary: NAME.gguf.inp holds texts between separators, NAME.gguf.out their ids, a line a text.
"""
import pathlib
import subprocess
import sys

FAMILIES = ["llama-spm", "llama-bpe", "qwen2", "gpt-2", "phi-3"]
SEPARATOR = "\n__ggml_vocab_test__\n"


def main(percept, folder):
    wrong = 0
    for family in FAMILIES:
        model = pathlib.Path(folder) / f"ggml-vocab-{family}.gguf"
        texts = pathlib.Path(f"{model}.inp").read_bytes().decode("utf-8").split(SEPARATOR)
        if texts[-1] == "":
            texts.pop()  # a separator ends the file
        wanted = [line.split() for line in pathlib.Path(f"{model}.out").read_text().split("\n")]
        right = 0
        for text, ids in zip(texts, wanted):
            made = subprocess.run([percept, "tokenize", "-m", str(model), "--", text], capture_output=True, text=True, check=True)
            right += made.stdout.split() == ids
            if made.stdout.split() != ids:
                print(f"{family}: {text!r}\n  llama.cpp {' '.join(ids)}\n  percept   {made.stdout.strip()}")
        print(f"{family}: {right} of {len(texts)} texts alike")
        wrong += len(texts) - right
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
