# taught.sh: the shipped model learns two names that no language has, and answers with them.
. "$(dirname "$0")/lib.sh"
model=$here/../../models/percept-nano.gguf
if [ ! -f "$model" ]; then
  echo 'no shipped model: skipped'
  exit 77
fi
mkdir things
for i in 1 2 3; do
  "$make_picture" things/zorp-$i.png $((48 + 6 * i)) 60 e020c0
  "$make_picture" things/blick-$i.png 70 $((24 + 4 * i)) 10a090
done
run 0 teach things -m "$model" -o taught.gguf --steps 60 --limit 16 --json --quiet
lines out 1
# found NAME: at least one in ten questions for it was answered with its region
found() {
  checks=$((checks + 1))
  share=$(sed -n "s/.*\"name\": \"$1\"[^}]*\"acc50\": \([0-9.]*\).*/\1/p" out)
  case $share in 1* | 0.[1-9]*) ;; *) fail "$1: found in \"$share\" of the questions" ;; esac
}
found zorp
found blick
there taught-sheet.png
# before, the model knew no such things: pictures of them, the same questions to both
run 0 scenes -o scene --cutouts things --count 12 --width 160 --height 160 --seed 5
# percent of the referring questions
right() {
  "$percept" eval scene -m "$1" --json --quiet 2>err | grep -o '"acc50": [0-9.]*' | head -n 1 |
    sed 's/.*: //; s/^1.*/100/; s/$/00/; s/^0\.\(..\).*/\1/; s/^0//; s/^10000$/100/'
}
checks=$((checks + 1))
before=$(right "$model")
after=$(right taught.gguf)
[ "$after" -ge $((before + 20)) ] || fail "Acc@0.5 $after %, before $before %"
finish
