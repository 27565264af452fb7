# experiment.sh: a list of runs: refused lists, a whole experiment, one that is stopped and goes on, two processes at one
# list, a rehearsal, a run that `train` made.
. "$(dirname "$0")/lib.sh"
mkdir cutouts list
"$make_picture" 'cutouts/red disc.png' 60 60 dd2020
"$make_picture" 'cutouts/blue egg.png' 40 60 2020dd
cat >list/model.yaml <<'END'
model:
  image: { side: 64 }
  vision: { stem_width: 16, stem_blocks: 0, width: 32, layers: 1, heads: 2, mlp: 32 }
  language: { vocabulary: 400, width: 32, layers: 1, heads: 2, kv_heads: 1, mlp: 32, context: 256 }
  heads: { box_width: 16, mask_width: 16, mask_heads: 1, mask_layers: 1, mask_mlp: 16, mask_queries: 1,
    mask_encoder_side: 32, mask_encoder_width: 4 }
data: { cutouts: cutouts, generated: 1, objects_max: 2, questions: 2, names: 8 }
schedule: { batch: 1, warmup: 1 }
run: { out: run, calibrate: 1 }
END
head='{ pictures: 1, curve: 2, curve_pictures: 1, runs: {'
listed() {
  printf '%s %s }}\n' "$head" "$1" >list/list.yaml
}

# lists that are refused, each with one line
listed 'a: { config: model.yaml, stepz: 3 }'
run 3 experiment ./list --list
refused "list.yaml:1: unknown key 'stepz'"
listed 'a: { config: model.yaml, steps: 3, warm: b }'
run 3 experiment ./list --list
refused "begins with 'b', which is no run"
listed 'a: { config: model.yaml, steps: 3, warm: b }, b: { config: model.yaml, steps: 3, from: a }'
run 3 experiment ./list --list
refused 'waits for itself'
listed 'a: { config: model.yaml, steps: 3, set: { model.heads.bax: plain } }'
run 3 experiment ./list
refused "run 'a': unknown key 'model.heads.bax'"
listed 'a: { config: model.yaml }'
run 3 experiment ./list --list
refused 'lacks minutes or steps'
run 3 experiment ./nowhere
refused 'nowhere/list.yaml'
run 3 experiment nowhere
refused 'no experiment of that name'
run 2 experiment
refused 'give the experiment'
listed 'a: { config: model.yaml, steps: 3 }'
run 2 experiment ./list --only b
refused "'b' is no run, series or group"
run 2 experiment ./list --minutes 1
refused 'name a folder'
absent list/runs
listed 'a: { config: model.yaml, steps: 3, judge: false }, b: { config: model.yaml, steps: 3, set: { model.base: nobody.gguf } }'
run 3 experiment ./list
refused "run 'b': model.base: nobody.gguf is not there; fetch it first"
absent list/results/a.json
rm -rf list/runs list/results
listed 'a: { config: model.yaml, steps: 3, set: { data.cutouts: "", data.folder: cutouts } }'
run 3 experiment ./list
refused "run 'a': data.folder: answers are examined on composed scenes"
absent list/runs
# the one that ships can be read, whatever is there to train on
run 0 experiment claims --list -o nothing
says out 'start-names953'
absent nothing

# from start to end; then there is nothing left to do
listed 'start: { group: start, config: model.yaml, steps: 3, judge: false },
  one: { group: main, config: model.yaml, steps: 30, seeds: [1, 2], warm: start, set: { model.heads.box: plain } }'
run 0 experiment ./list -o whole
there whole/results/start.json
there whole/results/one-1.json
there whole/results/one-2.json
says whole/results/one-1.json '"settings": ["model.heads.box=plain"]'
says whole/results/one-1.json '"cutouts": {"data": "scenes:cutouts:1:1"'
says whole/results/one-1.json '{"step":15,"pictures":15,'
says whole/results/one-1.json '{"step":30,"pictures":30,'
says_not whole/results/start.json '"acc50"'
says_not whole/results/one-1.json "$work"
clean whole
there whole/runs/start/checkpoint-0000000003.gguf
absent whole/runs/one-1/checkpoint-0000000030.gguf # nobody begins with it
run 0 experiment ./list -o whole --list
says out 'one-2'
checks=$((checks + 1))
[ "$(grep -c done out)" = 3 ] || fail "$last: not all are done"
run 0 experiment ./list -o whole
lines out 0
says_not err 'train'

# the page of the results
run 2 experiment ./list -o whole --report --list
refused 'give one of them'
absent whole/list.md
run 0 experiment ./list --report
there list/list.md
absent docs
rm -r list/list.md list/results list/tables.json
run 0 experiment ./list -o whole --report
there whole/list.md
says whole/list.md '3 of 3 runs are done'
says whole/list.md '2 of 2'
says_not whole/list.md 'not run yet'
says whole/tables.json '"planned": 2'
run 0 experiment ./list/ -o empty --report
says empty/list.md '**one**:  | not run yet |'
says empty/list.md '0 of 3 runs are done'
absent empty/runs
# groups are shown from their first run that is judged; short ones of one seed are called so
cp list/list.yaml list/kept.yaml
listed 'start: { group: base, config: model.yaml, steps: 3, judge: false },
  one: { group: base, config: model.yaml, minutes: 60, warm: start },
  two: { group: short, config: model.yaml, minutes: 20 }'
run 0 experiment ./list -o groups --report
grep -qx "## base" groups/list.md || fail "$last: no group base"
says groups/list.md '## short (one short run each: directions, no proofs)'
says_not groups/list.md '## base ('
says_not groups/list.md '**start**'
mv list/kept.yaml list/list.yaml

# results without their runs, as in a clone: what is begun with is made again, back to the first
cp list/list.yaml list/kept.yaml
chain='zero: { group: start, config: model.yaml, steps: 2, judge: false },
  start: { group: start, config: model.yaml, steps: 3, warm: zero, judge: false },
  one: { group: main, config: model.yaml, steps: 4, warm: start }'
listed "$chain"
run 0 experiment ./list -o chain
rm -r chain/runs chain/results/one.json
run 0 experiment ./list -o chain --only one
there chain/results/one.json
there chain/runs/zero/finished
# a start that is half made is no start yet, though its result is there
rm chain/results/one.json chain/runs/start/finished chain/runs/start/model.gguf
run 0 experiment ./list -o chain
there chain/runs/start/finished
there chain/results/one.json
# a run that is done and tidied, and that another one now begins with, is made once more
absent chain/runs/one/checkpoint-0000000004.gguf
listed "$chain, two: { group: main, config: model.yaml, steps: 5, warm: one }"
run 0 experiment ./list -o chain
there chain/results/two.json
there chain/runs/one/checkpoint-0000000004.gguf
# one that was finished with another number of steps is not trained over
listed "$(echo "$chain" | sed 's/steps: 4/steps: 6/')"
rm chain/results/one.json chain/runs/one/checkpoint-*
run 3 experiment ./list -o chain
says err "run 'one'"
there chain/runs/one/finished
mv list/kept.yaml list/list.yaml

# stopped in the middle and gone on with: the same result, but for times and the means of lines that were cut in two
figures() {
  grep -v '"total":[^,]*,"language"' "$1" | sed 's/"cpu_minutes":[^,]*,//; s/"wall_minutes":[^,]*,//' >"$2"
}
# with_start DIR: a folder where the start is done already; making its tokenizer takes longest
with_start() {
  mkdir -p "$1/runs" "$1/results"
  cp -r whole/runs/start "$1/runs"
  cp whole/results/start.json "$1/results"
}
with_start stopped
checks=$((checks + 1))
"$percept" experiment ./list -o stopped >out 2>err &
job=$!
tries=0
while [ ! -s stopped/runs/one-1/metrics.jsonl ] && [ $tries -lt 600 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
kill -INT $job
wait $job
code=$?
last='experiment, interrupted'
[ $code = 130 ] || fail "$last: exit $code, wanted 130"
absent stopped/results/one-1.json
run 0 experiment ./list -o stopped
for name in one-1 one-2; do
  figures whole/results/$name.json wanted
  figures stopped/results/$name.json found
  same wanted found
done

# two at once share the list: every run is made by one of them
with_start shared
"$percept" experiment ./list -o shared >/dev/null 2>first &
job=$!
run 0 experiment ./list -o shared
checks=$((checks + 1))
wait $job || fail 'experiment: the other process failed'
for name in one-1 one-2; do
  there shared/results/$name.json
  checks=$((checks + 1))
  [ "$(cat first err | grep -c "train 1/.*$name: loss\|train 2/.*$name: loss")" -le 2 ] || fail "$name was made twice"
  figures whole/results/$name.json wanted
  figures shared/results/$name.json found
  same wanted found
done

# how long answers take: two ways of writing regions beside each other; not measured before it is
listed 'start: { group: start, config: model.yaml, steps: 3, judge: false },
  token: { group: main, config: model.yaml, steps: 3, warm: start },
  text: { group: main, config: model.yaml, steps: 3, warm: start, set: { model.language.regions: text } },
  boxes: { group: main, config: model.yaml, steps: 3, set: { model.language.regions: text, model.language.vertices: 0 } },
  late: { group: tuned, config: model.yaml, steps: 3, from: text }'
run 0 experiment ./list -o timed --report
says timed/list.md 'or one name has all | **not measured yet** |'
says_not timed/list.md '## Answer time'
run 2 experiment ./list --answers --minutes 1
refused 'name a folder'
run 3 experiment ./list -o timed --answers --only late
says err "run 'late': has the structure of the model that it begins with"
run 2 experiment ./list -o timed --answers --only start
refused 'name some that answer'
absent timed/answers.json
run 0 experiment ./list -o timed --answers --minutes 1 --quiet
there timed/answers.json
absent timed/runs/answers-token.gguf
absent timed/results/token.json
clean timed
tr -d '\n ' <timed/answers.json >flat.json
says flat.json '"objects":[1,2,4,8,16,32]'
says flat.json '"listed":{"tokens":['
says flat.json '"tokens_per_object":1.0,"threads":{"1":{"boxes":{"seconds":['
says flat.json '"tokens_per_object":4.0,'
says flat.json '"masks":null'
run 0 experiment ./list -o timed --report
says timed/list.md '## Answer time'
says timed/list.md '| token, masks | 1.0 | 2 | '
says timed/list.md '| text, masks | '
says timed/list.md '| boxes, boxes | 4.0 | 1 |'
says_not timed/list.md '| boxes, masks |'
says timed/tables.json '"answers": {'
checks=$((checks + 1))
grep -q 'or one name has all | \*\*\(confirmed\|refuted\)\*\* | [0-9.]* times with names (processor time: ' \
  timed/list.md || fail 'experiment --report: no verdict about answer time'
cp timed/answers.json kept.json
sed 's/"config": "[0-9a-f]*"/"config": "0123456789abcdef"/' kept.json >timed/answers.json
run 3 experiment ./list -o timed --report
refused "timed/answers.json: series 'token': made before ./list/model.yaml was changed"
printf '{"modes": 3}' >timed/answers.json
run 3 experiment ./list -o timed --report
refused 'answers.json: '

# verdicts of one run each go by their questions: both runs' hits, one by one (8 of 10 against 8 of 10, the same ones,
# is 4.0 points over 95 % of it; others leave it open), and a run's own number of pictures
from='minutes: 1, from: start, pictures: 2'
listed "start: { group: start, config: model.yaml, steps: 3 }, token: { config: model.yaml, minutes: 1 },
  text: { config: model.yaml, minutes: 1 }, base-full: { group: base, config: model.yaml, $from },
  base-lora-16: { group: base, config: model.yaml, $from, seed: 2 }"
run 0 experiment ./list -o paired --minutes 0.0005 --only base --quiet
says paired/results/base-full.json '"data": "scenes:arrangements:2:1"'
says paired/results/start.json '"data": "scenes:arrangements:1:1"'
says paired/results/base-full.json '"hits": "'
report_hits() {
  for name in full lora-16; do
    sed -i 's/"hits": "[01]*"/"hits": "'"$1"'"/; s/"acc50": [^,]*, "miou"/"acc50": 0.8, "miou"/; s/"trainable": .*/"trainable": 1,/' \
      paired/results/base-$name.json
    shift
  done
  run 0 experiment ./list -o paired --minutes 0.0005 --report
}
report_hits 1111111100 1111111100
says paired/list.md '| **confirmed** | 0.0 % of the numbers, 80.0'
says paired/list.md '(100 %; +4.0 ± 0.7 points from 95 %, question by question)'
says paired/list.md '1 of 1, 2 pictures |'
report_hits 1111111100 0011111111
says paired/list.md '| **undecided** | '
says paired/list.md '+4.0 ± 20.6 points'
report_hits 1111111111 0000000001
says paired/list.md '| **refuted** | '

# over seeds: how far they are apart, and how far each is from the threshold, decides
listed 'token: { group: main, config: model.yaml, steps: 4, seeds: [1, 2, 3] },
  token-plain: { group: main, config: model.yaml, steps: 4, seeds: [1, 2, 3] },
  text: { group: main, config: model.yaml, steps: 4, seeds: [1, 2, 3] }, text-boxes: { group: main, config: model.yaml, steps: 4 }'
run 0 experiment ./list -o seeds --quiet
# figures NAME ACC50 MIOU: of new arrangements, with a hundred questions
figures_of() {
  sed -i 's/"acc50": [^,]*, "miou": [^,]*,/"acc50": '"$2"', "miou": '"$3"',/; s/"refer": {"n": [0-9]*/"refer": {"n": 100/' \
    seeds/results/"$1".json
}
# verdict CLAIM VERDICT FOUND: the row of the page
verdict() {
  checks=$((checks + 1))
  grep -F "| $1 | **$2** | $3" seeds/list.md >/dev/null || fail "verdicts: $1: $(grep -F "| $1" seeds/list.md)"
}
figures_of token-1 0.70 0.60
figures_of token-2 0.72 0.62
figures_of token-3 0.74 0.64
figures_of text-1 0.50 0.30
figures_of text-2 0.52 0.32
figures_of text-3 0.54 0.34
figures_of token-plain-1 0.60 0.60
figures_of token-plain-2 0.70 0.60
figures_of token-plain-3 0.80 0.60
figures_of text-boxes 0.50 0.40
run 0 experiment ./list -o seeds --report
# deviation 2 points on either side: 2 / sqrt 3 each, 1.6 together; 10 of 20 points are six of those
verdict 'at equal time one token leads text by at least 10 points of Acc@0.5' confirmed '+20.0 ± 1.6 points'
# in each seed both figures move together: nothing is left open, though each of them has 1.6
verdict 'one token leads text by more in mean IoU of masks than in Acc@0.5' confirmed \
  '+30.0 ± 1.6 points, against +20.0 of Acc@0.5: +10.0 ± 0.0 more'
# seeds 10 points apart say nothing about 2 points
verdict "a box head that sees the mask's moments leads a plain one" undecided '+2.0 ± 5.9 points'
# one run: its hundred questions (5.0) and seeds as of the other series (2.0), 5.5 with those; 12 points are few of them
verdict 'also text that writes boxes alone and has no masks' undecided '+22.0 ± 5.5 points'
figures_of token-3 0.40 0.64
run 0 experiment ./list -o seeds --report
verdict 'at equal time one token leads text by at least 10 points of Acc@0.5' undecided '+8.7 ± 10.4 points'
for seed in 1 2 3; do figures_of token-$seed 0.60 0.60; done
for seed in 1 2 3; do figures_of text-$seed 0.55 0.30; done
run 0 experiment ./list -o seeds --report
verdict 'at equal time one token leads text by at least 10 points of Acc@0.5' refuted '+5.0 ± 0.0 points'
says_not seeds/list.md 'nan'
rm seeds/results/text-2.json
run 0 experiment ./list -o seeds --report
verdict 'at equal time one token leads text by at least 10 points of Acc@0.5' 'not measured yet' ''

# a rehearsal: steps come from what a step costs
listed 'start: { group: start, config: model.yaml, steps: 3, judge: false }, one: { config: model.yaml, minutes: 60, warm: start },
  two: { config: model.yaml, minutes: 60, warm: start, set: { model.heads.box: plain } }'
with_start quick
run 0 experiment ./list -o quick --minutes 0.0005 --quiet
there quick/calibration.json
says quick/calibration.json '"reference": "one"'
there quick/results/two.json
says quick/results/two.json '"minutes": 0.0005'
# its results are not the list's; of other settings or test pictures they are nobody's
run 3 experiment ./list -o quick --report
refused "quick/results/one.json: 'minutes' is 0.0005, the list says 60; move the file away"
absent quick/list.md
run 3 experiment ./list -o quick
refused "'minutes' is 0.0005"
run 0 experiment ./list -o quick --minutes 0.0005 --report
says quick/list.md '3 of 3 runs are done'
cp list/list.yaml list/kept.yaml
sed 's/box: plain/box: moments/' list/kept.yaml >list/list.yaml
run 3 experiment ./list -o quick --minutes 0.0005 --report
refused "two.json: 'settings' is model.heads.box=plain, the list says model.heads.box=moments"
sed 's/pictures: 1, curve: 2/pictures: 2, curve: 2/' list/kept.yaml >list/list.yaml
run 3 experiment ./list -o quick --minutes 0.0005 --report
refused "one.json: 'data' is scenes:arrangements:1:1, the list says scenes:arrangements:2:1"
mv list/kept.yaml list/list.yaml
cp list/model.yaml list/kept.yaml
sed 's/questions: 2/questions: 3/' list/kept.yaml >list/model.yaml
run 3 experiment ./list -o quick --minutes 0.0005 --report
refused 'start.json: made before ./list/model.yaml was changed'
# nor do its measured costs fit any more
rm quick/results/*.json
cp whole/results/start.json quick/results/
sed -i '/config_hash/d' quick/results/start.json
run 3 experiment ./list -o quick --minutes 0.0005 --only two --quiet
refused "the settings of its reference 'one' have changed; move the file away"
mv list/kept.yaml list/model.yaml
# runs of the same settings cost the same: one of them is measured
listed 'start: { group: start, config: model.yaml, steps: 3, judge: false }, one: { config: model.yaml, minutes: 60, warm: start },
  same: { config: model.yaml, minutes: 60, warm: start, set: { model.heads.box: moments } }'
with_start twins
run 0 experiment ./list -o twins --minutes 0.0005 --quiet
there twins/results/same.json
says_not twins/calibration.json '"same"'

# a run that `train` made counts; one of other settings does not
listed 'start: { config: model.yaml, steps: 3, judge: false, seed: 7 }'
run 0 train list/model.yaml --schedule.steps 3 --run.seed 7 --run.calibrate 0 --run.test 0 --run.validate_every 0 \
  --run.out adopted/runs/start
cp adopted/runs/start/model.gguf before
run 0 experiment ./list -o adopted
there adopted/results/start.json
same before adopted/runs/start/model.gguf
rm adopted/results/start.json
listed 'start: { config: model.yaml, steps: 3, judge: false, seed: 7, set: { data.questions: 3 } }'
run 3 experiment ./list -o adopted
says err "was not made with 'data.questions: 3'"
listed 'start: { config: model.yaml, steps: 4, judge: false, seed: 7 }'
run 3 experiment ./list -o adopted
says err 'holds a run of 3 steps, not 4'
finish
