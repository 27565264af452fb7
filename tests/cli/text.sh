# text.sh: models whose regions are text answer in the same JSON; what breaks the grammar is no crash.
. "$(dirname "$0")/lib.sh"
for model in found told open odd bare boxes both torn; do "$make_model" $model.gguf $model; done
"$make_picture" photo.png 64 32

run 0 ask photo.png 'where is it?' -m found.gguf --json
says out '"answer": "It is here: red cup <obj>.", "finish": "stop", "objects": [{"index": 0, "phrase": "red cup", "box": ['
# the same words; bins 2 4 20 30 of 32, read at their middles, of a picture of 64 x 32
run 0 ask photo.png 'where is it?' -m told.gguf --json
lines out 1
says out '"answer": "It is here: red cup <obj>.", "finish": "stop", "objects": [{"index": 0, "phrase": "red cup", "box": [5.0, 4.5, 41.0, 30.5], "mask": {"size": [32, 64], "counts": "'
says out '"dropped": 0, "calibrated": false'
run 0 find photo.png 'red cup' -m told.gguf --json
says out '"box": [5.0, 4.5, 41.0, 30.5]'
run 0 describe photo.png -m told.gguf --json
says out '"finish": "stop"'
# a region that is given: a box, and its mask as a polygon
run 0 ask photo.png 'what is <obj>?' --box 4,4,20,20 -m told.gguf --json
says out '"finish": "stop", "objects": [{'
# every token that was generated counts
run 0 ask photo.png 'where is it?' -m found.gguf --json
few=$(sed 's/.*"answer_tokens": \([0-9]*\).*/\1/' out)
run 0 ask photo.png 'where is it?' -m told.gguf --json
many=$(sed 's/.*"answer_tokens": \([0-9]*\).*/\1/' out)
checks=$((checks + 1))
[ "$many" = $((few - 1 + 4 + 8)) ] || fail "answer_tokens: $many in text, $few with a token"
# cut within the region: it is left out
run 0 ask photo.png 'where is it?' -m told.gguf --json --max-tokens 12
says out '"finish": "length", "objects": []'
for model in open odd bare; do
  run 0 ask photo.png 'where is it?' -m $model.gguf --json
  lines out 1
  says out '"finish": "unparsable", "objects": [], "dropped": 0'
  says err "a region's coordinates in the answer could not be read"
done
# boxes alone: no masks, and none are asked of it
run 0 ask photo.png 'where is it?' -m boxes.gguf --json
says out '"box": [5.0, 4.5, 41.0, 30.5], "mask": null'
run 0 ask photo.png 'what is <obj>?' --box 4,4,20,20 -m boxes.gguf --json
says out '"finish": "stop", "objects": [{'
# one token, then the same as text: the region is the heads', the text is no part of the answer and still counts
run 0 ask photo.png 'where is it?' -m both.gguf --json
says out '"answer": "It is here: red cup <obj>.", "finish": "stop", "objects": [{"index": 0, "phrase": "red cup", "box": ['
says_not out '"box": [5.0, 4.5, 41.0, 30.5]'
says out '"mask": {"size": [32, 64], "counts": "'
says out "\"answer_tokens\": $((few + 4 + 8))"
run 0 ask photo.png 'where is it?' -m torn.gguf --json
says out '"finish": "stop", "objects": [{"index": 0, "phrase": "red cup", "box": ['
# turns about one picture: the earlier answer is read again, its region as the model writes regions
for model in told boxes both; do
  printf 'where is it?\nand where is it now?\n' >turns
  last="percept chat photo.png -m $model.gguf"
  checks=$((checks + 1))
  "$percept" chat photo.png -m $model.gguf --json <turns >out 2>err || fail "$last: exit $?"
  lines out 2
  checks=$((checks + 1))
  [ "$(grep -c '"answer": "It is here: red cup <obj>.", "finish": "stop", "objects": \[{' out)" = 2 ] ||
    fail "$last: not two whole answers"
done
run 0 info told.gguf
says out 'regions       text'
run 0 info found.gguf --json
says out '"regions": "token"'
# eval counts both ways to fail
"$make_picture" 'red disc.png' 60 60 dd2020
mkdir cutouts && mv 'red disc.png' cutouts/
run 0 scenes -o set --seed 5 --cutouts cutouts --width 64 --height 64 --count 2 --objects-max 2
run 0 eval set -m told.gguf --json
says out '"cut": 0, "unparsable": 0, "tokens_per_object": 12,'
run 0 eval set -m odd.gguf --json
says out '"tokens_per_object": null'
checks=$((checks + 1))
! grep -q '"unparsable": 0' out || fail 'eval: no unparsable answer was counted'
run 0 eval set -m boxes.gguf --json
says out '"cut": 0, "unparsable": 0, "tokens_per_object": 4,'
run 0 eval set -m both.gguf --json
says out '"cut": 0, "unparsable": 0, "tokens_per_object": 13,'
run 0 eval set -m torn.gguf --json
says out '"cut": 0, "unparsable": 0, "tokens_per_object": 5,'
run 0 eval set -m odd.gguf
says out ' unparsable, 0 cut'
finish
