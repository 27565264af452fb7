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
run 0 ask -m "$model" "$root/examples/pictures/scene-cactus.jpg" "find the thing at the top" --json --mask-format none
says out '"answer": "It is here:'
# The cactus lies at 189,26-303,173: the region's edges within a tenth of the picture.
checks=$((checks + 1))
box=$(sed -n 's/.*"box": \[\([0-9., ]*\)\].*/\1/p' out)
echo "$box" | awk -F, 'function near(a, b) { return a > b - 48 && a < b + 48 }
  { ok = NF == 4 && near($1, 189) && near($2, 26) && near($3, 303) && near($4, 173) } END { exit !ok }' ||
  fail "the thing at the top stands at $box"
run 0 ask -m "$model" "$root/examples/pictures/coffee.jpg" "where is the cup?" --overlay cup.png
[ -s cup.png ] || fail "no overlay"
finish
