# jobs.sh: scenes, train, eval, bench: small ones from start to end, stopped ones, refused ones.
. "$(dirname "$0")/lib.sh"
"$make_model" found.gguf found
mkdir cutouts
"$make_picture" 'cutouts/red disc.png' 60 60 dd2020
"$make_picture" 'cutouts/blue egg.png' 40 60 2020dd
"$make_picture" 'cutouts/green pea.png' 50 50 20dd20

# scenes: the same every time, other with another seed
scene='--cutouts cutouts --width 96 --height 64 --count 4 --objects-max 3'
# shellcheck disable=SC2086
run 0 scenes -o one --seed 5 $scene
lines one/data.jsonl 4
there one/annotations.json
there one/images/000003.png
# shellcheck disable=SC2086
run 0 scenes -o two --seed 5 $scene
same one/data.jsonl two/data.jsonl
same one/images/000000.png two/images/000000.png
# shellcheck disable=SC2086
run 0 scenes -o three --seed 6 $scene
checks=$((checks + 1))
! cmp -s one/data.jsonl three/data.jsonl || fail 'another seed, the same scenes'
# shellcheck disable=SC2086
run 2 scenes -o one $scene
refused 'not empty'
# a folder of backgrounds, with and without a list of what they show
mkdir grounds
"$make_picture" grounds/meadow.png 120 90
# shellcheck disable=SC2086
run 0 scenes -o grounded --seed 5 --backgrounds grounds $scene
lines grounded/data.jsonl 4
printf 'meadow : red disc\n' >grounds/backgrounds.list
# shellcheck disable=SC2086
run 0 scenes -o listed --seed 5 --backgrounds grounds $scene
lines listed/data.jsonl 4
printf 'meadow\n' >grounds/backgrounds.list
# shellcheck disable=SC2086
run 3 scenes -o unlisted --backgrounds grounds $scene
refused 'backgrounds.list:1'
absent unlisted/data.jsonl
run 2 scenes -o four --split training2 --cutouts cutouts
refused 'is not one of training'
run 3 scenes -o four --cutouts missing
lines err 1
run 3 scenes -o four --pack missing.pack
lines err 1
absent four/data.jsonl
# stopped: no data set is there that looks whole
checks=$((checks + 1))
"$percept" scenes -o stopped --cutouts cutouts --count 100000 >out 2>err &
job=$!
sleep 1
kill -INT $job
wait $job
[ $? = 130 ] || fail 'scenes: not exit 130 after an interrupt'
absent stopped/data.jsonl

# eval
run 0 eval one -m found.gguf
says out 'refer'
run 0 eval one -m found.gguf --json --limit 2
lines out 1
says out '"pictures": 2'
says out '"acc50": '
run 3 eval missing -m found.gguf
refused 'missing'
run 2 eval scenes:nowhere:5:1 -m found.gguf --pack any.pack
lines err 1
run 3 eval scenes:arrangements:5:1 -m found.gguf --pack missing.pack
lines err 1
run 3 eval one -m missing.gguf
refused 'missing.gguf'
printf '{"image": 5}\n' >one/data.jsonl
run 3 eval one -m found.gguf
refused 'data.jsonl:1'

# train: to the end, and what it leaves answers
cat >tiny.yaml <<'END'
model:
  image: { side: 64 }
  vision: { stem_width: 16, stem_blocks: 0, width: 32, layers: 1, heads: 2, mlp: 64 }
  language: { vocabulary: 400, width: 32, layers: 1, heads: 2, kv_heads: 2, mlp: 64, context: 256 }
  heads: { box_width: 32, mask_width: 32, mask_heads: 2, mask_layers: 1, mask_mlp: 32, mask_queries: 1,
    mask_encoder_side: 32, mask_encoder_width: 8 }
data: { cutouts: cutouts, generated: 1, objects_max: 2, questions: 2, names: 8 }
schedule: { steps: 6, batch: 1, warmup: 2 }
run: { out: run, name: six, validate_every: 6, validate_pictures: 1, checkpoint_every: 3, calibrate: 2, test: 1 }
END
run 0 train tiny.yaml --run.out="$work/elsewhere" --run.out="$work/run"
there run/model.gguf
there run/metrics.jsonl
clean run
says run/test-arrangements.json '"data": "scenes:arrangements:1:1 with cut-outs of cutouts"'
says run/test-arrangements.json "\"model_hash\": \"$(sha256sum run/model.gguf | cut -d ' ' -f 1)\""
run 0 info run/model.gguf
says out "made by 'percept train tiny.yaml --run.out=run'" # no path of this machine, no setting that was replaced
says out 'six'
"$make_picture" a.png 96 64
run 0 ask a.png 'find the red disc' -m run/model.gguf --json --max-tokens 8
# from a data set folder: its splits are kept apart, and the file says what it was tested on
# shellcheck disable=SC2086
run 0 scenes -o own --seed 5 $scene
sed -i '4s/"split": *"training"/"split": "arrangements"/' own/data.jsonl
says own/data.jsonl '"split": "arrangements"'
run 0 train tiny.yaml --data.cutouts '' --data.folder "$work/own" --run.out from-folder
there from-folder/model.gguf
says from-folder/test-arrangements.json '"data": "own (arrangements)", "split": "arrangements", "pictures": 1'
absent from-folder/test-cutouts.json
run 0 info from-folder/model.gguf
says out 'own (arrangements): acc50 '
says_not out "$work"
# PerceptionGPT's own structure: trains, and its file answers
run 0 train "$here/../../configs/perceptiongpt-tiny.yaml" --data.cutouts cutouts --run.out paper --schedule.steps 2 \
  --schedule.warmup 1 --schedule.batch 1 --run.validate_every 0 --run.calibrate 0 --run.test 0
there paper/model.gguf
run 0 ask a.png 'find the red disc' -m paper/model.gguf --json --max-tokens 8
run 2 train tiny.yaml
lines err 1
run 2 train tiny.yaml --schedule.stepz 5
says err 'schedule.steps'
run 2 train tiny.yaml --schedule.steps=-5 --run.out other
says err 'schedule.steps'
printf 'schedule: { stepz: 5 }\n' >bad.yaml
run 3 train bad.yaml
says err 'bad.yaml:1'
run 3 train missing.yaml
refused 'missing.yaml'
absent other
# stopped by Ctrl-C, then resumed
checks=$((checks + 1))
"$percept" train tiny.yaml --run.out stopped-run --schedule.steps 100000 --run.validate_every 100000 >/dev/null 2>told &
job=$!
tries=0
while [ ! -s stopped-run/metrics.jsonl ] && [ $tries -lt 60 ]; do
  sleep 0.5
  tries=$((tries + 1))
done
run 2 train tiny.yaml --run.out stopped-run --schedule.steps 100000 --run.validate_every 100000
refused 'stopped-run: another process trains in it'
kill -INT $job
wait $job
code=$?
last='train, interrupted'
[ $code = 130 ] || fail "$last: exit $code, wanted 130"
says told 'can be resumed'
clean stopped-run

run 0 bench --stages peak,tower,decode --seconds 0.02 -m found.gguf --json
lines out 1
says out '"gflops_f32": '
says out '"memory_gbytes_s": '
says out '"tower": {"ms": '
says out '"share": '
says out '"bound": "'
says_not out '"prefill"'
run 0 bench --stages decode --seconds 0.01 -m found.gguf --cpu-mask 0
says out 'GFLOP/s in F32'
says_not out 'BF16'
says out 'decode '
run 2 bench --stages tower,towel -m found.gguf
refused '"towel" is not one of peak, tower'
finish
