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
# before, the model knew no such thing: the same pictures, asked the untaught one
run 0 scenes -o scene --cutouts things --count 6 --width 160 --height 160 --seed 5
knows() {
  "$percept" find -m "$1" scene/images/*.png 'the zorp' --json --quiet 2>err | grep -c '"box"'
}
checks=$((checks + 1))
before=$(knows "$model")
after=$(knows taught.gguf)
[ "$after" -gt "$before" ] || fail "the zorp: found in $after of 6 pictures, before in $before"
finish
