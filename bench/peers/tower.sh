#!/bin/sh
# tower.sh [SECONDS [THREADS]]: CLIP ViT-L/14 at 224 pixels, random weights: percept in BF16 beside PyTorch in BF16, percept in INT8
# beside ONNX Runtime in INT8 (dynamic quantisation), alternating, three rounds in the same minutes.
#
# Builds percept and installs the peers (PyTorch 2.15.0, ONNX Runtime 1.32.0) into a virtual environment under build/peers/ by itself.
# Prints every figure, then the ratios of the rounds' medians. Needs python3 with venv, 4 GB of disk, 3 GB of memory.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-5} threads=${2:-2}
folder=build/peers/tower venv=build/peers/tower/venv
die() { printf '%s\n' "tower.sh: $*" >&2; exit 3; }
./dev build
mkdir -p "$folder"
if [ ! -f "$venv/installed" ]; then
  rm -rf "$venv"
  python3 -c 'import venv, ensurepip' 2>/dev/null || die 'python3 has no venv; install python3-venv'
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q torch==2.15.0 numpy onnx==1.23.2 onnxruntime==1.32.0 sympy || die 'cannot install the peers'
  : >"$venv/installed"
fi
python=$venv/bin/python
[ -f "$folder/int8.onnx" ] || "$python" bench/peers/tower.py export "$PWD/$folder/int8.onnx" 2>/dev/null || die 'the export to ONNX failed'
ours() { build/src/cli/percept bench --shape vit-l-14 --stages "$1" --seconds "$seconds" --threads "$threads" --json --quiet; }
results=$folder/results.jsonl
: >"$results"
for round in 1 2 3; do
  bf16=$(ours tower-bf16)
  torch=$("$python" bench/peers/tower.py torch "$threads" "$seconds")
  int8=$(ours tower-int8)
  onnx=$("$python" bench/peers/tower.py onnx "$threads" "$seconds" "$folder/int8.onnx")
  printf 'round %s\n  %s\n  %s\n  %s\n  %s\n' "$round" "$bf16" "$torch" "$int8" "$onnx"
  printf '[%s, %s, %s, %s]\n' "$bf16" "$torch" "$int8" "$onnx" >>"$results"
done
"$python" - "$results" <<'END'
import json, statistics, sys
rounds = [json.loads(line) for line in open(sys.argv[1])]
middle = lambda values: statistics.median(list(values))
bf16, int8 = middle(r[0]["stages"]["tower-bf16"]["ms"] for r in rounds), middle(r[2]["stages"]["tower-int8"]["ms"] for r in rounds)
torch, onnx = middle(r[1]["ms"] for r in rounds), middle(r[3]["ms"] for r in rounds)
print(f"BF16  percept {bf16:.0f} ms  PyTorch {torch:.0f} ms  ratio {bf16 / torch:.2f}")
print(f"INT8  percept {int8:.0f} ms  ONNX Runtime {onnx:.0f} ms  ratio {int8 / onnx:.2f}")
END
