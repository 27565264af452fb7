# outputs.sh: files that answers become: overlays, masks, formats of other tools; nothing is ever half-written.
. "$(dirname "$0")/lib.sh"
"$make_model" found.gguf found
"$make_model" many.gguf many
"$make_model" absent.gguf absent
"$make_picture" a.png 160 120
"$make_picture" b.jpg 641 479
mkdir -p deep
cp b.jpg deep/a.jpg
m='-m found.gguf --threshold 0'

run 0 ask a.png 'where?' $m --overlay o.png
there o.png
run 0 ask a.png b.jpg 'where?' $m --overlay folder
there folder/0000_a.png
there folder/0001_b.png
run 0 ask a.png 'where?' $m --masks masks
score=$("$percept" ask a.png 'where?' $m --json | sed 's/.*"score": 0\.\(..\).*/\1/')
there masks/000_red-cup_*.png
run 0 ask a.png 'where?' -m many.gguf --threshold 0 --max-tokens 18 --masks several
checks=$((checks + 1))
[ "$(ls several | wc -l)" -ge 2 ] || fail "$last: fewer than two masks"
run 0 ask a.png b.jpg 'where?' $m --masks masks2
there masks2/0001_b/000_red-cup_*.png
run 5 ask a.png 'where?' $m --overlay missing-folder/o.png
lines err 1
absent missing-folder
run 5 ask a.png 'where?' $m --masks a.png
lines err 1
clean .

run 0 ask a.png b.jpg 'where?' $m --format coco -o coco.json
says coco.json '"file_name": "a.png", "width": 160, "height": 120'
says coco.json '"categories": ['
says coco.json '{"id": 1, "name": "red cup"}'
says coco.json '{"id": 2, "image_id": 2, "category_id": 1, "bbox": ['
says coco.json '"iscrowd": 0'
says coco.json '"counts": "'
run 0 ask a.png b.jpg 'where?' $m --format coco --mask-format polygon -o polygons.json
says polygons.json '"segmentation": [['
says polygons.json '"iscrowd": 0'
run 0 ask a.png 'where?' $m --format coco-results -o results.json
says results.json '[
{"image_id": 1, "category_id": 1, "bbox": ['
cp a.png 000000000139.png
run 0 ask 000000000139.png 'where?' $m --format coco-results -o results.json
says results.json '{"image_id": 139,'
run 0 ask a.png deep/a.jpg 'where?' $m --format yolo-seg -o yolo
there yolo/data.yaml
there yolo/labels/a.txt
there yolo/labels/a-2.txt
says yolo/data.yaml '0: "red cup"'
checks=$((checks + 1))
grep -qE '^0( (0|1|0\.[0-9]+))+$' yolo/labels/a.txt || fail "$last: shape of a label line"
run 0 ask a.png 'where?' -m absent.gguf --format yolo-seg -o yolo-empty
checks=$((checks + 1))
[ -f yolo-empty/labels/a.txt ] && [ ! -s yolo-empty/labels/a.txt ] || fail "$last: an empty label file"
run 0 ask a.png 'where?' $m --format labelme -o a.json
says a.json '"imagePath": "a.png"'
says a.json '"shape_type": "polygon"'
says a.json '"group_id": 0'
run 0 ask a.png deep/a.jpg 'where?' $m --format labelme -o labelme
there labelme/a.json
says labelme/a.json '"imagePath": "../a.png"'
says labelme/a-2.json '"imagePath": "../deep/a.jpg"'
printf 'no picture' >bad.png
run 3 ask bad.png 'where?' $m --format labelme -o none.json
absent none.json
run 5 ask a.png 'where?' $m --format coco -o missing/coco.json
lines err 1
clean .

# with a bad picture among them, the files are of the others
run 3 ask a.png missing.png b.jpg 'where?' $m --format coco -o others.json
says others.json '"file_name": "b.jpg"'
says_not others.json missing

# exports are the same every time
run 0 ask a.png b.jpg 'where?' $m --format coco -o coco2.json
same coco.json coco2.json
# tokenize: a line of ids a text, the same alone and from a file, as text and as JSON
run 0 tokenize 'where is it?' -m found.gguf
ids=$(cat out)
case $ids in [0-9]*) ;; *) fail "no ids: $ids" ;; esac
printf 'where is it?\n\nwhere is it?' >lines.txt
run 0 tokenize -f lines.txt -m found.gguf
checks=$((checks + 1))
[ "$(cat out)" = "$ids

$ids" ] || fail "lines: $(cat out)"
run 0 tokenize --json 'where is it?' -m found.gguf
says out "{\"ids\": [$(echo "$ids" | sed 's/ /, /g')]}"
run 0 tokenize '<obj>' -m found.gguf
plain=$(cat out)
run 0 tokenize --special '<obj>' -m found.gguf
checks=$((checks + 1))
[ "$(wc -w <out)" -eq 1 ] && [ "$(cat out)" != "$plain" ] || fail "<obj>: $(cat out), not special $plain"
# the same words from a folder, and from each kind of file
vectors=$here/../vectors/tokenizer
for source in qwen2 qwen2/tokenizer.json qwen2-files gpt2-files/vocab.json spm spm/tokenizer.model; do
  run 0 tokenize 'the red cup' -m "$vectors/$source"
  checks=$((checks + 1))
  [ "$(wc -w <out)" -ge 3 ] || fail "$source: $(cat out)"
done
run 3 tokenize a -m "$vectors"
says err 'wanted tokenizer.json'
run 4 tokenize a -m "$vectors/qwen2/tokenizer_config.json"
says err "no key 'model'"

finish
