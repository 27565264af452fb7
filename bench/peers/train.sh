#!/bin/sh
# train.sh [SECONDS]: percept's training step and the same step in PyTorch, one after the other, three rounds, same machine.
#
# Needs python3-venv; PyTorch goes into build/peers/. Prints both rates of each round, their ratio, and peak memory.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-15}
venv=build/peers/torch
[ -x "$venv/bin/python" ] || { python3 -m venv "$venv"; "$venv/bin/pip" install -q torch==2.15.0 numpy; }
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
for round in 1 2 3; do
  ours=$(build/src/cli/percept bench --shape nano --stages train --seconds "$seconds" --json)
  peer=$("$venv/bin/python" bench/peers/train_torch.py --seconds "$seconds")
  printf 'round %s\n  percept %s\n  pytorch %s\n' "$round" "$ours" "$peer"
done
