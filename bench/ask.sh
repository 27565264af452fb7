#!/bin/sh
# ask.sh: what a question costs a user: whole processes from start to exit, medians, peak memory.
#
#   bench/ask.sh [MODEL] [PICTURE]     default: models/percept-nano.gguf, a generated 1280x720 JPEG; RUNS=21 of each
#
# Rows: one question as text, one as JSON (which names the model by its hash), ten questions about one picture, --version.
# The last line is the cost of ten questions over that of one. Run it on a quiet machine: a busy one at most doubles it.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${BUILD:-$here/build}
model=${1:-$here/models/percept-nano.gguf}
percept=$build/src/cli/percept
runs=${RUNS:-21}
die() { echo "ask.sh: $*" >&2; exit 3; }
[ -x "$percept" ] || die "$percept is not there; run ./dev build"
[ -f "$model" ] || die "$model is not there; give another as first argument"
ninja -C "$build" bench/picture bench/process >/dev/null
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
picture=${2:-$folder/picture.jpg}
[ $# -ge 2 ] || "$build/bench/picture" "$picture"
question='where is the red cup?'
cat >"$folder/questions.txt" <<'END'
where is the red cup?
find the dog
how many birds are there?
what is to the left of the tree?
segment the largest thing
where are all the apples?
is there a car in the picture?
what is above the house?
point to the thing at the top
describe the picture
END
unset OMP_NUM_THREADS OMP_WAIT_POLICY
# shellcheck disable=SC2086
measure() {
  name=$1
  shift
  line=$(${PREFIX:-} "$build/bench/process" -n "$runs" "$@" 2>"$folder/errors.txt") ||
    { cat "$folder/errors.txt" >&2; exit 1; }
  printf '%-14s %s\n' "$name" "$line"
}
median() { printf '%s\n' "$1" | sed 's/.*median \([0-9.]*\) ms.*/\1/'; }
one=$(measure 'one question' "$percept" ask -m "$model" --quiet --max-tokens 16 "$picture" "$question")
echo "$one"
measure 'as JSON' "$percept" ask -m "$model" --quiet --max-tokens 16 --json "$picture" "$question"
ten=$(measure 'ten questions' "$percept" ask -m "$model" --quiet --max-tokens 16 -q "$folder/questions.txt" "$picture")
echo "$ten"
measure '--version' "$percept" --version
awk -v one="$(median "$one")" -v ten="$(median "$ten")" 'BEGIN { printf "ten questions cost %.2f times one\n", ten / one }'
