#!/bin/sh
# train.sh [SECONDS]: percept's training step and the same step in PyTorch, one after the other, three rounds, same machine.
#
# Builds percept and installs PyTorch into a virtual environment under build/peers/ by itself. Refuses to compare models whose
# parameter counts differ by more than 1 %. Prints both lines of each round, then the ratios of the rounds' medians.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-15}
venv=build/peers/torch
say() { printf '%s\n' "train.sh: $*" >&2; }
./dev build
if [ ! -f "$venv/installed" ]; then
  rm -rf "$venv"
  if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
    say 'installing python3-venv'
    if [ "$(id -u)" = 0 ]; then as_root=''; else as_root=sudo; fi
    $as_root apt-get update -q >/dev/null
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3-venv >/dev/null
  fi
  say "installing PyTorch into $venv"
  mkdir -p build/peers
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q torch==2.15.0 numpy
  : >"$venv/installed"
fi
results=build/peers/train.jsonl
: >"$results"
for round in 1 2 3; do
  ours=$(build/src/cli/percept bench --shape nano --stages train --seconds "$seconds" --json)
  count=$(printf '%s' "$ours" | sed 's/.*"parameters": \([0-9]*\).*/\1/')
  threads=$(printf '%s' "$ours" | sed 's/.*"threads": \([0-9]*\).*/\1/')
  peer=$("$venv/bin/python" bench/peers/train_torch.py --seconds "$seconds" --threads "$threads" --expect "$count")
  printf 'round %s\n  percept %s\n  pytorch %s\n' "$round" "$ours" "$peer"
  printf '[%s, %s]\n' "$ours" "$peer" >>"$results"
done
"$venv/bin/python" - "$results" <<'END'
import json, statistics, sys
pairs = [json.loads(line) for line in open(sys.argv[1])]
middle = lambda values: statistics.median(list(values))
ours = [ours for ours, _ in pairs]
peers = [peer for _, peer in pairs]
print(f"parameters  percept {ours[0]['parameters']}  pytorch {peers[0]['parameters']}")
rate, peer_rate = middle(o["stages"]["train"]["rate"] for o in ours), middle(p["questions_per_s"] for p in peers)
print(f"questions/s percept {rate:.1f}  pytorch {peer_rate:.1f}  ratio {rate / peer_rate:.2f}")
memory, peer_memory = middle(o["peak_resident_mb"] for o in ours), middle(p["peak_bytes"] / 1e6 for p in peers)
print(f"memory MB   percept {memory:.0f}  pytorch {peer_memory:.0f}  ratio {memory / peer_memory:.2f}")
END
