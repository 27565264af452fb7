#!/bin/sh
# mllmseg.sh [SECONDS [THREADS]]: one question of MLLMSeg-1B's shape, random weights, a picture of 1280 x 720: percept in BF16 and in INT8
# beside PyTorch in BF16, taking turns, three rounds in the same minutes; time and largest memory.
#
# Builds percept and installs PyTorch 2.15.0 into a virtual environment under build/peers/ by itself; PERCEPT_TORCH_PYTHON names a Python
# that has it already. Prints every figure, then the ratios of the rounds' medians. Needs 2 GB in /tmp, 6 GB of memory.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-5} threads=${2:-2}
folder=build/peers/mllmseg
die() { printf '%s\n' "mllmseg.sh: $*" >&2; exit 3; }
./dev build
mkdir -p "$folder"
python=${PERCEPT_TORCH_PYTHON:-$folder/venv/bin/python}
if [ ! -x "$python" ]; then
  python3 -c 'import venv, ensurepip' 2>/dev/null || die 'python3 has no venv; install python3-venv'
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" install -q torch==2.15.0 numpy || { rm -rf "$folder/venv"; die 'cannot install PyTorch'; }
fi
# a process each, so that each has a largest memory of its own
ours() { build/src/cli/percept bench --shape mllmseg-1b --stages "$1" --seconds "$seconds" --threads "$threads" --json --quiet; }
results=$folder/results.jsonl
: >"$results"
for round in 1 2 3; do
  bf16=$(ours question-bf16)
  torch=$("$python" bench/peers/mllmseg.py "$threads" "$seconds")
  int8=$(ours question-int8)
  printf 'round %s\n  %s\n  %s\n  %s\n' "$round" "$bf16" "$torch" "$int8"
  printf '[%s, %s, %s]\n' "$bf16" "$torch" "$int8" >>"$results"
done
"$python" - "$results" <<'END_OF_SUMMARY'
import json, statistics, sys
rounds = [json.loads(line) for line in open(sys.argv[1])]
middle = lambda values: statistics.median(list(values))
torch, memory = middle(r[1]["ms"] for r in rounds), middle(r[1]["peak_resident_mb"] for r in rounds)
for i, name in ((0, "bf16"), (2, "int8")):
    ms = middle(r[i]["stages"]["question-" + name]["ms"] for r in rounds)
    own = middle(r[i]["peak_resident_mb"] for r in rounds)
    print(f"{name.upper()}  percept {ms:.0f} ms, {own:.0f} MB  PyTorch BF16 {torch:.0f} ms, {memory:.0f} MB  "
          f"ratios {ms / torch:.2f}, {own / memory:.2f}")
END_OF_SUMMARY
