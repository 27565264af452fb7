# language.sh: complete, perplexity, chat without a picture: on tiny language models of random weights.
make_language=$4
. "$(dirname "$0")/lib.sh"
case $make_language in /*) ;; *) make_language=$OLDPWD/$make_language ;; esac
for kind in llama spm qwen2 ends; do "$make_language" $kind.gguf $kind || exit 1; done
"$make_model" nano.gguf found
"$make_picture" a.png 64 48

# complete: the same every time; as JSON; cut; seeds
for kind in llama spm qwen2; do
  run 0 complete -m $kind.gguf 'a red cup' --max-tokens 8 --json
  says out '{"text": "'
  says out '"finish": "length", "usage": {"prompt_tokens": '
  says out '"answer_tokens": 8}'
  says err 'cut after 8 tokens'
  lines out 1
  mv out first
  run 0 complete -m $kind.gguf 'a red cup' --max-tokens 8 --json --quiet
  same out first
  lines err 0
done
run 0 complete -m llama.gguf 'a red cup' --max-tokens 8 --json --temp 2 --top-k 50 --min-p 0.01 --seed 1
mv out first
run 0 complete -m llama.gguf 'a red cup' --max-tokens 8 --json --temp 2 --top-k 50 --min-p 0.01 --seed 1
same out first
run 0 complete -m llama.gguf 'a red cup' --max-tokens 8 --json --temp 2 --top-k 50 --min-p 0.01 --seed 2
checks=$((checks + 1))
! cmp -s out first || fail "$last: another seed drew the same"
run 0 complete -m llama.gguf 'a red cup' --max-tokens 8 --json --temp 2 --top-k 1 --seed 3
mv out first
run 0 complete -m llama.gguf 'a red cup' --max-tokens 8 --json
same out first
for cache in f16 q8_0 f32; do
  run 0 complete -m llama.gguf 'a red cup' --max-tokens 4 --cache $cache
done
run 0 complete -m ends.gguf 'a red cup' --json --timings
says out '"ids": [], "finish": "stop"'
says out '"timings_ms": {"load": '
lines err 0
run 0 complete -m ends.gguf 'a red cup' --logits rows.npy
there rows.npy
clean
run 0 complete -m nano.gguf 'It is' --max-tokens 3
run 2 complete -m llama.gguf
refused '0 prompts; give one'
run 2 complete -m llama.gguf a b
refused 'give one, in quotes'
run 2 complete -m llama.gguf a --temp 11
refused '--temp'
run 2 complete -m llama.gguf a --repeat-penalty 0.5
refused '--repeat-penalty'
run 2 complete -m llama.gguf a --cache f8
refused '--cache'
run 5 complete -m llama.gguf a --logits missing/rows.npy
run 3 complete -m missing.gguf a
run 4 complete -m a.png a
refused 'not a GGUF file'
head -c 20000 llama.gguf >cut.gguf
run 4 complete -m cut.gguf a
lines err 1
long=$(i=0; while [ $i -lt 400 ]; do printf 'xyz '; i=$((i + 1)); done)
run 2 complete -m llama.gguf "$long"
refused 'shorten it'

# perplexity
i=0; while [ $i -lt 400 ]; do printf 'the red dog is %s\n' $i; i=$((i + 1)); done >text
for kind in llama spm qwen2; do
  run 0 perplexity -m $kind.gguf text --json --quiet
  says out '{"perplexity": '
  says out ', "tokens": '
done
run 0 perplexity -m llama.gguf text --quiet
says out 'perplexity '
printf 'short' >few
run 3 perplexity -m llama.gguf few
refused 'give a text of at least 512'
run 3 perplexity -m llama.gguf missing
run 2 perplexity -m llama.gguf

# what such a model cannot do is said with what it can
for command in "ask a.png what?" "find a.png dog" "describe a.png" "chat a.png"; do
  run 4 $command -m llama.gguf
  refused 'it can complete, chat and score text'
done
run 0 info llama.gguf
says out 'complete text'

# chat: turns, JSON, new talk
talk() {
  wanted=$1
  shift
  checks=$((checks + 1))
  "$percept" chat "$@" >out 2>err <talk.txt
  code=$?
  last="percept chat $*"
  [ "$code" = "$wanted" ] || fail "$last: exit $code, wanted $wanted"
}
printf 'the red dog\nis a cup\n/new\nthe red dog\n/quit\nnot read\n' >talk.txt
talk 0 -m llama.gguf --json --max-tokens 6 --template chatml
lines out 3
says out '"image": null, "width": 0, "height": 0, "question": "the red dog"'
says out '"objects": []'
sed -n 1p out >first
sed -n 3p out >third
same first third
talk 0 -m ends.gguf --template chatml
lines out 3
lines err 0
talk 4 -m spm.gguf
refused '--template'
talk 0 -m llama.gguf --template chatml --max-tokens 4
talk 2 -m llama.gguf --template magic
refused 'chatml'
talk 2 -m nano.gguf
refused 'no picture is named'
printf '%s\n' "$long" >talk.txt
talk 0 -m llama.gguf --template chatml
says err 'shorten it'
finish
