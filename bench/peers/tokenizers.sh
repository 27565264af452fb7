#!/bin/sh
# tokenizers.sh: percept's token ids against llama.cpp's, on the vocabularies and reference pairs that llama.cpp tests itself with.
#
#   bench/peers/tokenizers.sh [FOLDER]     FOLDER: where the package goes, default build/peers/tokenizers
#
# Fetches the source package of llama-cpp-python 0.3.9 (68 MB; pip, tar, python3); nothing is built or installed from it. For each
# family that percept serves (LLaMA's SentencePiece, LLaMA-3, Qwen2, GPT-2, Phi-3) prints how many texts give the same ids;
# exits with 1 where any does not.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
folder=${1:-$here/build/peers/tokenizers}
percept=$here/build/src/cli/percept
die() { echo "tokenizers.sh: $*" >&2; exit 3; }
[ -x "$percept" ] || die "$percept is not there; run ./dev build"
mkdir -p "$folder"
if [ ! -f "$folder/models/ggml-vocab-llama-spm.gguf" ]; then
  python3 -m pip download -q --no-deps --no-binary :all: -d "$folder" llama-cpp-python==0.3.9 || die "cannot fetch llama-cpp-python"
  tar -xzf "$folder"/llama_cpp_python-0.3.9.tar.gz -C "$folder" --strip-components=3 --wildcards '*/models/ggml-vocab-*'
fi
exec python3 "$here/bench/peers/tokenizers.py" "$percept" "$folder/models"
