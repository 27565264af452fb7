# perceptiongpt.sh: every task of a PerceptionGPT that was converted from its published pieces. Its answers are known
# beforehand: "the cup" and two regions, whatever it is asked (tools/golden/perceptiongpt.py).
case $4 in /*) make_perceptiongpt=$4 ;; *) make_perceptiongpt=$PWD/$4 ;; esac
. "$(dirname "$0")/lib.sh"
vectors=$here/../vectors
picture=$vectors/families/picture.png
mkdir pieces
"$make_perceptiongpt" pieces "$vectors" || exit 1

run 2 convert pieces/llama -o whole.gguf --family perceptiongpt
refused '--tower'
run 0 convert pieces/llama --tower pieces/clip --heads pieces/heads.safetensors -o whole.gguf --type f32 --json
lines out 1
says out '"unused": [], "fresh": []'
run 0 convert pieces/llama --tower pieces/clip -o fresh.gguf --json
says out 'percept.box_decoder.0.weight'
run 2 convert pieces/llama --tower pieces/clip --keep-lora -o bad.gguf
refused 'there are no adapters to keep'
cp -r pieces/clip tower
sed 's/"hidden_size": *[0-9]*/"hidden_size": "wide"/' pieces/clip/config.json >tower/config.json
run 4 convert pieces/llama --tower tower -o bad.gguf
refused "tower/config.json: key 'hidden_size'"
absent bad.gguf
run 0 info whole.gguf
says out 'box to mask'

# the special tokens of the family are marks, not words
answer='"answer": "the cup <obj>; <obj>"'
marks() {
  says_not out '<loc>'
  says_not out 'obj_vis'
  says_not out 'obj_text'
  says_not out 'im_end'
}
run 0 find "$picture" 'the red cup' -m whole.gguf --threshold 0 --json
lines out 1
says out "$answer"
says out '"phrase": "cup"'
says out '"mask": '
marks
run 0 find "$picture" 'the red cup' -m whole.gguf --threshold 0
says out 'the cup <obj>; <obj>'
marks
run 0 ask "$picture" 'what is on the table?' -m whole.gguf --threshold 0 --json
says out "$answer"
marks
run 0 describe "$picture" -m whole.gguf --threshold 0 --json
says out "$answer"
run 0 describe "$picture" --box 22.5,1.25,67.5,46.25 -m whole.gguf --threshold 0 --json
says out '"question": "What is <obj>?"'
says out "$answer"
marks
# boxes are read with 3 decimals of the square's side: these are the same there
mv out first
run 0 describe "$picture" --box 22.51,1.26,67.49,46.24 -m whole.gguf --threshold 0 --json
same out first
run 0 describe "$picture" --box 23,1.25,67.5,46.25 -m whole.gguf --threshold 0 --json
checks=$((checks + 1))
! cmp -s out first || fail "$last: another box is answered the same"
# box to mask: the region is shown, its outline is asked for
run 0 ask "$picture" 'outline <obj>   and the box' --box 22.5,1.25,67.5,46.25 -m whole.gguf --threshold 0 --json
says out "$answer"
run 0 describe "$picture" --mask "$picture" -m whole.gguf --threshold 0 --json
says out "$answer"

# many questions of one picture: each answered as by itself
printf '%s\n' 'what is on the table?' 'where is it?' 'what is on the table?' >questions
run 0 ask "$picture" --questions questions -m whole.gguf --threshold 0 --json
lines out 3
says out "$answer"
marks

# a dialogue: the second question is read behind the first answer and its regions
printf '%s\n' 'what is on the table?' 'where is it?' >turns
checks=$((checks + 1))
"$percept" chat "$picture" -m whole.gguf --threshold 0 <turns >out 2>err || fail 'chat'
last='percept chat'
checks=$((checks + 1))
[ "$(grep -cx 'the cup <obj>; <obj>' out)" = 2 ] || fail 'chat: two answers were wanted'
marks

# smaller types
run 0 quantize whole.gguf -o small.gguf --type q8_0
run 0 find "$picture" 'the red cup' -m small.gguf --threshold 0 --json
says out '"answer"'
marks
clean
finish
