# teach.sh: a folder of cut-outs to a model: what is refused, and a small one from start to end, stopped and resumed.
. "$(dirname "$0")/lib.sh"
"$make_model" small.gguf found

# One thing with three pictures, another with two; sizes and colours differ, so that no picture is there twice.
things() {
  mkdir -p "$1/red disc"
  "$make_picture" "$1/red disc/1.png" 60 60 dd2020
  "$make_picture" "$1/red disc/2.png" 60 40 dd4020
  "$make_picture" "$1/red disc/3.png" 40 60 cc2040
  "$make_picture" "$1/blue_egg-1.png" 40 60 2020dd
  "$make_picture" "$1/blue_egg-2.png" 50 60 2040dd
}
# wrong TEXT: the folder `bad` is refused with one line that says so, and nothing is written.
wrong() {
  run 3 teach bad -m small.gguf -o bad.gguf
  refused "$1"
  absent bad.gguf
  absent bad.gguf.run
  rm -rf bad
}

# what is wrong with a folder
run 3 teach nowhere -m small.gguf -o bad.gguf
refused 'nowhere: is not a folder'
mkdir bad
wrong 'bad: holds no cut-out'
things bad
head -c 100 'bad/red disc/1.png' >'bad/red disc/4.png'
wrong 'red disc/4.png'
things bad
"$make_picture" 'bad/red disc/4.png' 60 60
wrong 'red disc/4.png: no cut-out: it has no transparent part'
things bad
"$make_picture" 'bad/red disc/4.jpg' 60 60
wrong 'red disc/4.jpg: a JPEG has no transparent parts'
things bad
cp 'bad/red disc/1.png' 'bad/red disc/4.png'
wrong 'is the same picture as bad/red disc/1.png; take one of them away'
things bad
cp 'bad/red disc/1.png' bad/blue_egg-3.png
wrong 'one thing has one name'
things bad
mkdir 'bad/Red Disc'
"$make_picture" 'bad/Red Disc/1.png' 70 60 dd2020
wrong 'put pictures of one thing into one folder'
things bad
"$make_picture" bad/blue_eggs-1.png 70 60 2020dd
"$make_picture" bad/blue_eggs-2.png 70 50 2020dd
wrong '"blue egg" and "blue eggs": are one name and its plural'
things bad
"$make_picture" bad/12.png 70 60 dd2020
wrong 'bad/12.png: gives no name'
things bad
: >bad/blue_egg-2.txt
wrong 'blue_egg-2.png: the .txt beside it gives no name'
things bad
"$make_picture" bad/green_pea.png 70 60 20dd20
wrong '"green pea": has 1 picture; give 2 at least'
# all of it at once: a line each, then how many
things bad
"$make_picture" bad/green_pea.png 70 60 20dd20
"$make_picture" bad/12.png 70 70 20dd20
head -c 100 'bad/red disc/1.png' >'bad/red disc/4.png'
run 3 teach bad -m small.gguf -o bad.gguf
lines err 4
says err 'green pea'
says err 'bad/12.png'
says err 'red disc/4.png'
says err '3 things are wrong, nothing was written'
absent bad.gguf
rm -rf bad

# what is wrong with the request
things good
run 2 teach good -m small.gguf
refused 'give -o'
run 2 teach -m small.gguf -o one.gguf
refused 'give one folder'
run 3 teach good -m missing.gguf -o one.gguf
lines err 1
absent one.gguf.run
run 2 teach good -m small.gguf -o one.gguf --resume
says err 'holds no run to resume'
run 2 teach good -m small.gguf -o good
says err 'is a folder'
mkfifo pipe
run 2 teach good -m small.gguf -o pipe --steps 2 --limit 4
refused 'pipe: is a device or pipe; name a file'
absent pipe.run

# what would be found out after the training is said before it, and no run is begun
run 2 teach good -m small.gguf -o one.gguf --steps 2 --limit 4 --sheet good
says err 'good: is a folder; name a file'
run 2 teach good -m small.gguf -o good/one.gguf --steps 2 --limit 4
refused 'good/one.gguf: is in the folder of cut-outs; name a place outside good'
run 2 teach good -m small.gguf -o one.gguf --sheet 'good/red disc/new/one.png' --steps 2 --limit 4
refused 'is in the folder of cut-outs'
absent 'good/red disc/new'
ln -s "$work/good" elsewhere
run 2 teach elsewhere -m small.gguf -o ./good/one.gguf --steps 2 --limit 4
refused 'name a place outside elsewhere'
absent one.gguf.run
mkdir good/backgrounds
run 3 teach good -m small.gguf -o one.gguf --steps 2 --limit 4
refused 'good/backgrounds: holds no usable background'
absent one.gguf.run
"$make_picture" good/backgrounds/plain.png 90 60 808080
head -c 40 good/backgrounds/plain.png >good/backgrounds/torn.png
run 3 teach good -m small.gguf -o one.gguf --steps 2 --limit 4
refused 'good/backgrounds/torn.png'
absent one.gguf.run
rm -r good/backgrounds

# what systems leave behind is no picture of the user's
mkdir 'good/.trash'
echo left >'good/red disc/._1.png'
echo left >good/.trash/blue.png

# from start to end: the name from a .txt beats the file's, with a byte order mark and without
printf '\357\273\277green pea\r\n' >good/pea-a.txt
printf 'green pea\n' >good/pea-b.txt
"$make_picture" good/pea-a.png 50 40 20dd20
"$make_picture" good/pea-b.png 30 40 20cc20
run 0 teach good -m small.gguf -o one.gguf --steps 4 --limit 4 --seed 3 --json
lines out 1
says out '"name": "green pea", "pictures": 2, "known": false, "held_back": false'
says out '"name": "red disc", "pictures": 3'
says out '"steps": 4, "seed": 3'
says out '"old_before": {"n":'
there one.gguf
there one-sheet.png
there one.gguf.run/metrics.jsonl
absent one.gguf.run/cutouts
absent one.gguf.run/taught.json
clean
run 0 info one.gguf
says out 'percept teach'
says out 'tests alone; and the things of that folder'
run 0 find -m one.gguf good/blue_egg-1.png 'the blue egg'

# the same again gives the same bytes; another seed gives others
run 0 teach good -m small.gguf -o two.gguf --steps 4 --limit 4 --seed 3
says out 'names it knew'
says err 'no picture is held back'
same one.gguf two.gguf
run 0 teach good -m small.gguf -o three.gguf --steps 4 --limit 4 --seed 4
checks=$((checks + 1))
! cmp -s one.gguf three.gguf || fail 'another seed, the same model'

# stopped: no model is there, and a run that can be resumed; it ends with the same bits
checks=$((checks + 1))
"$percept" teach good -m small.gguf -o long.gguf --steps 120 --limit 4 --seed 3 >/dev/null 2>told &
job=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  sleep 1
  grep -q 'train' told && break
done
run 2 teach good -m small.gguf -o long.gguf --steps 120 --limit 4 --seed 3 --resume
refused 'another process teaches in it'
kill -INT $job
wait $job
[ $? = 130 ] || fail 'teach: not exit 130 after an interrupt'
absent long.gguf
absent long-sheet.png
there long.gguf.run/taught.json
run 2 teach good -m small.gguf -o long.gguf --steps 120 --limit 4 --seed 3
refused 'holds an unfinished run; give --resume'
run 2 teach good -m small.gguf -o long.gguf --steps 110 --limit 4 --seed 3 --resume
refused 'was begun with other pictures, minutes or seed'
"$make_model" other.gguf many
run 2 teach good -m other.gguf -o long.gguf --steps 120 --limit 4 --seed 3 --resume
refused 'another model or replay pack'
mkdir good/backgrounds
"$make_picture" good/backgrounds/plain.png 90 60 808080
run 2 teach good -m small.gguf -o long.gguf --steps 120 --limit 4 --seed 3 --resume
refused 'was begun with other pictures'
rm -r good/backgrounds
mkdir foreign.gguf.run
cp long.gguf.run/checkpoint-* foreign.gguf.run
run 2 teach good -m small.gguf -o foreign.gguf --steps 120 --limit 4 --seed 3
refused 'holds checkpoints of a run that is none of teaching'
mkdir -p left.gguf.run/cutouts/grey
"$make_picture" left.gguf.run/cutouts/grey/000.png 30 40 808080
run 2 teach good -m small.gguf -o left.gguf --steps 4 --limit 4
refused 'left.gguf.run/cutouts: is left of a run that never began; remove it'
run 0 teach good -m small.gguf -o long.gguf --steps 120 --limit 4 --seed 3 --resume
run 0 teach good -m small.gguf -o unbroken.gguf --steps 120 --limit 4 --seed 3
same long.gguf unbroken.gguf
clean
finish
