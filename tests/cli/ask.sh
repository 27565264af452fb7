# ask.sh: questions and answers: text, JSON, regions, thresholds, limits, bad pictures among good ones.
. "$(dirname "$0")/lib.sh"
for script in found many absent endless unbalanced plain; do "$make_model" $script.gguf $script; done
"$make_picture" a.png 160 120
"$make_picture" b.jpg 641 479
"$make_picture" mask.png 160 120 mask
"$make_picture" other-mask.png 100 120 mask
m='-m found.gguf --threshold 0'

# text
run 0 ask a.png 'where is it?' $m
lines out 2
says out 'It is here: red cup <obj>.'
says out 'red cup  '
lines err 0
run 0 find a.png 'the thing' -m plain.gguf --threshold 0
says out 'the thing  ' # without marks, what was looked for
run 0 ask a.png 'the thing' -m plain.gguf --threshold 0
says out 'region  '
run 0 ask a.png 'is it there?' -m absent.gguf
says out 'There is no cup.'
lines out 1
run 1 ask a.png 'is it there?' -m absent.gguf --fail-empty
says out 'There is no cup.'
run 0 ask a.png 'where?' $m --fail-empty
run 0 describe a.png $m
run 0 describe a.png --box 10,10,60,60 $m

# JSON: one line, the same every time, key by key
run 0 ask a.png 'where is it?' $m --json
lines out 1
cp out first
says out '{"schema": 1, "model": "tiny", "model_hash": "'
says out '"image": "a.png", "width": 160, "height": 120, "question": "where is it?", "answer": "It is here: red cup <obj>.", "finish": "stop", "objects": [{"index": 0, "phrase": "red cup", "box": ['
says out '"mask": {"size": [120, 160], "counts": "'
says out '"dropped": 0, "calibrated": false, "usage": {"image_tokens": 16, "prompt_tokens": '
says out '"answer_tokens": 11}}'
says_not out timings
run 0 ask a.png 'where is it?' $m --json
same first out
run 0 ask a.png 'where is it?' $m --json --overlay overlay.png
same first out
run 0 ask a.png 'where is it?' $m --json --timings
says out '"timings_ms": {"load": '
run 0 ask a.png 'where is it?' $m --json --mask-format polygon
says out '"mask": {"size": [120, 160], "polygons": [['
run 0 ask a.png 'where is it?' $m --json --mask-format none
says_not out '"mask"'
run 0 ask a.png 'is it there?' -m absent.gguf --json
says out '"objects": [], "dropped": 0'
run 0 ask a.png 'say "a\b" é' -m absent.gguf --json
says out '"question": "say \"a\\b\" é"'

# pictures of one pixel, one row, one column (CVE-2026-22773); an address is the name of a file that is not there
for odd in image_png/one_pixel image_png/one_row image_png/one_column image_jpeg/one_row image_webp/one_pixel; do
  run 0 ask "$here/../fuzz/corpus/$odd" 'where is it?' $m --json
  lines out 1
done
run 3 ask http://127.0.0.1:9/a.png 'where is it?' $m
refused 'http://127.0.0.1:9/a.png'

# the threshold drops a region together with its <obj>
run 0 ask a.png 'where is it?' -m found.gguf --threshold 0.99 --json
says out '"answer": "It is here: red cup.", "finish": "stop", "objects": [], "dropped": 1'
run 1 ask a.png 'where is it?' -m found.gguf --threshold 0.99 --fail-empty
run 0 ask a.png 'where?' -m many.gguf --threshold 0 --max-tokens 18 --json
says out '"index": 1'
says out '"index": 0'

# cut answers say so, on stderr too
run 0 ask a.png 'what?' -m endless.gguf --max-tokens 3 --json
says out '"answer": "red blue red", "finish": "length"'
says out '"answer_tokens": 3'
says err 'cut after 3 tokens'
run 0 ask a.png 'what?' -m endless.gguf --json
says out '"finish": "length"'
run 0 ask a.png 'what?' -m endless.gguf --json --time-limit 0.001
says out '"finish": "time"'
says err 'cut by --time-limit'
run 0 ask a.png 'what?' -m unbalanced.gguf --json
says out '"answer": "It is red cup.", "finish": "unparsable"'
says err 'do not balance'
run 0 ask a.png 'what?' -m unbalanced.gguf --quiet
lines err 0

# many questions, many pictures: image-major order
printf 'one?\n\n  \ntwo?\r\nthree?\n' >questions
run 0 ask a.png b.jpg -q questions $m --json
lines out 6
sed -n 2p out >line && grep -qF '"image": "a.png"' line && grep -qF '"question": "two?"' line || fail 'order of answers'
sed -n 6p out >line && grep -qF '"image": "b.jpg"' line && grep -qF '"question": "three?"' line || fail 'order of answers'
# one of many says the same as alone; edges of masks may differ, since products of other sizes round otherwise
sed -n 1p out | sed 's/"objects".*//' >alone
run 0 ask a.png 'one?' $m --json
sed 's/"objects".*//' out >single
same alone single
run 0 ask a.png b.jpg 'where?' $m
says out 'a.png: where?'
printf 'a.png\nb.jpg\n' >list
run 0 ask @list 'where?' $m --json
lines out 2
run 3 ask @missing 'where?' $m
refused 'missing'
: >empty
run 3 ask @empty 'where?' $m
refused 'holds no line'
run 3 ask a.png -q empty $m
refused 'holds no line'
run 3 ask a.png -q . $m
refused 'is a folder'
checks=$((checks + 1))
"$percept" ask - 'where?' $m <a.png >out 2>err || fail 'a picture from standard input'
says out 'It is here'
checks=$((checks + 1))
printf 'where?\n' | "$percept" ask a.png -q - $m >out 2>err || fail 'questions from standard input'
says out 'It is here'
run 2 ask - -q - $m
refused 'asked for twice'
run 2 ask - - 'where?' $m
refused 'asked for twice'

# bad pictures
run 3 ask missing.png 'where?' $m
refused 'missing.png'
run 3 ask . 'where?' $m
lines err 1
printf 'hello, this is text' >text.png
run 3 ask text.png 'where?' $m
refused 'text.png'
: >nothing.png
run 3 ask nothing.png 'where?' $m
refused 'nothing.png'
head -c 200 a.png >short.png
run 3 ask short.png 'where?' $m
refused 'short.png'
head -c 4000 b.jpg >short.jpg
run 3 ask short.jpg 'where?' $m
refused 'short.jpg'
run 3 ask a.png 'where?' $m --max-pixels 100
lines err 1
run 3 ask a.png short.png b.jpg 'where?' $m --json
lines out 2
lines err 1
says err 'short.png'
run 3 ask short.png 'where?' $m --overlay bad.png
absent bad.png

# models that are missing, broken, or something else
run 3 ask a.png 'where?' -m missing.gguf
refused 'missing.gguf'
run 4 ask a.png 'where?' -m a.png
refused 'a.png'
head -c 20000 found.gguf >short.gguf
run 4 ask a.png 'where?' -m short.gguf
refused 'short.gguf'
run 4 info short.gguf
refused 'short.gguf'
printf 'GGUF\003\000\000\000' >header.gguf
run 4 ask a.png 'where?' -m header.gguf
refused 'header.gguf'
: >nothing.gguf
run 4 ask a.png 'where?' -m nothing.gguf
refused 'nothing.gguf'

# regions as input
run 0 ask a.png 'what is <obj>?' --box 10,10,60,60 $m
run 0 ask a.png 'what is <obj>?' --box 60,60,10,10 $m
run 0 ask a.png 'what is <obj>?' --mask mask.png $m
run 0 ask a.png 'is <obj> beside <obj>?' --mask mask.png --box 10,10,60,60 $m
run 2 ask a.png 'what is <obj>?' --mask other-mask.png $m
refused 'a mask of the picture'
run 3 ask a.png 'what is <obj>?' --mask missing.png $m
refused 'missing.png'
run 3 ask a.png 'is <obj> beside <obj>?' --mask mask.png --mask missing.png $m
refused 'missing.png'
run 2 ask a.png 'is <obj> beside <obj>?' --mask mask.png --box 1,2 $m
refused 'is not x0,y0,x1,y1'
printf 'what?\n' >one
run 2 ask a.png -q one --box 1,2,30,40 $m
refused 'each <obj> stands for one'
# a question longer than the model can read
long=$(printf 'abcdefghij%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30)
run 2 ask a.png "$long" $m
refused 'tokens'

# odd sizes
for size in '1 1' '1 300' '300 1' '3000 2'; do
  # shellcheck disable=SC2086
  "$make_picture" odd.png $size
  run 0 ask odd.png 'where?' $m --json --overlay odd-overlay.png
  there odd-overlay.png
done

# talk
checks=$((checks + 1))
printf 'where is it?\nand now?\n/new\nagain?\n/quit\nnever\n' | "$percept" chat a.png $m >out 2>err || fail 'chat'
last=chat
[ "$(grep -cF 'It is here: red cup <obj>.' out)" = 3 ] || fail 'chat: three answers'
checks=$((checks + 1))
printf 'what is <obj>?\nwhere?\n' | "$percept" chat a.png $m >out 2>err || fail 'chat goes on after a question it refuses'
says out 'It is here'
says err '<obj>'

# what a model says of itself
run 0 info found.gguf
says out 'says what it was told to say'
run 0 info found.gguf --json
lines out 1
says out '"name": "tiny"'
says out '"tensors": [{"name": "'
finish
