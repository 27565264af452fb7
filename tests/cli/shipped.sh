#!/bin/sh
# The model that ships: small enough, and right about the picture that README opens with.
. "${0%/*}/lib.sh"
root=$(cd "$here/../.." && pwd)
model=$root/models/percept-nano.gguf

checks=$((checks + 1))
size=$(wc -c <"$model")
[ "$size" -le 25000000 ] || fail "$model: $size bytes, at most 25 MB are meant to ship"
run 0 info -m "$model"
says out "percept-nano"

# stands QUESTION LEFT TOP RIGHT BOTTOM: the one region's edges lie within a tenth of the picture.
stands() {
  run 0 ask -m "$model" "$root/examples/pictures/scene-cactus.jpg" "$1" --json --mask-format none
  checks=$((checks + 1))
  box=$(sed -n 's/.*"box": \[\([0-9., ]*\)\].*/\1/p' out)
  echo "$box" | awk -F, -v l="$2" -v t="$3" -v r="$4" -v b="$5" 'function near(a, b) { return a > b - 48 && a < b + 48 }
    { ok = NF == 4 && near($1, l) && near($2, t) && near($3, r) && near($4, b) } END { exit !ok }' || fail "$1: stands at $box"
}
stands "find the thing at the top" 189 26 303 173
says out '"answer": "It is here:'
stands "where is the mushroom?" 121 203 220 304
stands "what is above the mushroom?" 189 26 303 173
run 0 ask -m "$model" "$root/examples/pictures/scene-cactus.jpg" "where is the dog?" --json
says out 'There is no dog here'
says out '"objects": []'
run 0 ask -m "$model" "$root/examples/pictures/scene-pineapple.jpg" "how many pineapples are there?"
says out 'three'
run 0 ask -m "$model" "$root/examples/pictures/scene-cactus.jpg" "what is this: <obj>?" --box 326,228,440,340
says out 'It is a pencil'
run 0 ask -m "$model" "$root/examples/pictures/coffee.jpg" "where is the cup?" --overlay cup.png
[ -s cup.png ] || fail "no overlay"
finish
