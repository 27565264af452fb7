# usage.sh: what is refused before any work, and how it is said; help and version.
. "$(dirname "$0")/lib.sh"
"$make_model" found.gguf found
"$make_picture" a.png 160 120
m='-m found.gguf'

run 0 --version
says out 'percept 0.'
run 0 ask --version
says out 'percept 0.'
run 0 version
run 0 help
says out 'describe'
run 0 --help
for command in ask find describe chat info eval scenes tokenize complete perplexity train teach experiment convert quantize bench help version; do
  run 0 help $command
  says out "usage: percept $command"
  run 0 $command --help
  says out "usage: percept $command"
done
run 0 help train
says out 'schedule.steps'
# the manual page: every command and exit code; only known macros begin a line, only known escapes stand in text
run 0 help man
for command in ask find describe chat info eval scenes tokenize complete perplexity train teach experiment convert quantize bench help version; do
  says out ".SS \"percept $command\""
done
grep -qx 130 out || fail "$last: an exit code is missing"
says out '\-\-section.key VALUE'
grep -q '^\.\(TH\|SH\|SS\|TP\|PP\|B\|I\|nf\|fi\)\( \|$\)' out || fail "$last: no macros"
! grep '^[.'"'"']' out | grep -v '^\.\(TH\|SH\|SS\|TP\|PP\|B\|I\|nf\|fi\)\( \|$\)' >&2 || fail "$last: an unknown macro"
! grep -o '\\.' out | grep -v '^\\[-fe&]$' >&2 || fail "$last: an unknown escape"
# completion, where bash is
run 0 help bash
says out 'complete -o default -F _percept percept'
if command -v bash >/dev/null; then
  completes() {
    checks=$((checks + 1))
    found=$(bash -c '. ./out; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _percept; echo "${COMPREPLY[*]}"' - $1)
    [ "$found" = "$2" ] || fail "completion of '$1': '$found', wanted '$2'"
  }
  completes 'percept te' 'teach'
  completes 'percept ask --mask-f' '--mask-format'
  completes 'percept ask --mask-format p' 'polygon'
  completes 'percept help ba' 'bash'
  completes 'percept eval --overl' ''
fi
run 2 tokenize
refused 'give one text'
run 2 tokenize a b $m
refused 'give one text'
run 2 tokenize a -f b $m
refused 'give one text'
run 3 tokenize a -m missing.gguf
run 3 tokenize -f missing.txt $m
refused 'missing.txt'
run 4 tokenize a -m a.png
refused 'not a GGUF file'
# a command of later versions is not there
run 2 serve
run 2
says err 'no command'
run 2 aks
refused 'did you mean ask?'
run 2 help descibe
says err 'did you mean describe?'

run 2 ask
refused 'no picture and no question'
run 2 ask a.png
refused 'stands alone'
run 2 ask a.png '' $m
refused 'the question is empty'
run 2 ask a.png '   ' $m
refused 'the question is empty'
run 2 describe $m
refused 'no picture'
run 2 ask a.png 'what?' --treshold 0.5
refused 'did you mean --threshold?'
run 2 ask a.png 'what?' --zzzzzzzz
refused 'unknown option --zzzzzzzz'
run 2 ask a.png 'what?' -x
refused 'unknown option -x'
run 2 describe a.png -q file
refused 'unknown option -q'
run 2 ask a.png 'what?' --threshold
refused 'a value is missing'
run 2 ask a.png 'what?' --threshold 1.5
refused 'not a number from 0 to 1'
run 2 ask a.png 'what?' --threshold=nan
refused 'not a number from 0 to 1'
run 2 ask a.png 'what?' --threshold 0,5
refused 'not a number from 0 to 1'
run 2 ask a.png 'what?' --threads 0
refused 'not a whole number from 1 to 512'
run 2 ask a.png 'what?' -t 2.5
refused 'not a whole number from 1 to 512'
run 2 ask a.png 'what?' --max-tokens -1
refused 'not a whole number from 1 to'
run 2 ask a.png 'what?' --max-tokens 99999999999999999999999
refused 'not a whole number from 1 to'
run 2 ask a.png 'what?' --time-limit 0
refused 'not a number from 0.001'
run 2 ask a.png 'what?' --max-pixels 0
refused 'not a whole number from 1'
run 2 ask a.png 'what?' --mask-format png
refused 'not one of rle|polygon|none'
run 2 ask a.png 'what?' --format voc -o x
refused 'not one of coco|coco-results|yolo-seg|labelme'
run 2 ask a.png 'what?' --format coco
refused '--format needs -o'
run 2 ask a.png 'what?' -o x
refused '-o needs --format'
run 2 ask a.png 'what?' -m ''
refused 'is empty'
run 2 find a.png cup --temp 11 $m
refused 'not a number from 0 to 10'
run 2 chat $m
refused 'picture'
run 2 train
refused 'give one config file'
run 2 eval $m
refused 'give one data set folder'
run 2 bench something
refused 'takes no arguments'
run 2 bench --stages tower,peek --seconds 0.01
refused 'not one of peak'
run 2 bench --shape vit-l-14 --stages decode
refused '"decode" is not one of peak, tower-bf16, tower-int8'
run 2 bench --shape vit
refused '"vit" is not one of nano, vit-l-14, internvit-300m'
run 2 scenes
refused 'no folder is named'
run 2 scenes -o new --count 0
refused 'not a whole number from 1'
run 2 scenes -o new --objects-min 5 --objects-max 2
refused 'is above'
absent new
run 2 info a b
refused 'give one model file'

# regions and <obj> must agree
run 2 ask a.png 'what is <obj>?' $m
refused 'each <obj> stands for one'
run 2 ask a.png 'what?' --box 1,2,30,40 $m
refused 'each <obj> stands for one'
run 2 ask a.png 'is <obj> beside <obj>?' --box 1,2,30,40 $m
refused 'each <obj> stands for one'
run 2 describe a.png --box 1,2,30,40 --box 1,2,3,4 $m
refused 'names one'
run 2 ask a.png 'what is <obj>?' --box 1,2,3 $m
refused 'is not x0,y0,x1,y1'
run 2 ask a.png 'what is <obj>?' --box 1,2,inf,5 $m
refused 'is not x0,y0,x1,y1'
run 2 ask a.png 'what is <obj>?' --box 500,500,600,600 $m
refused 'covers nothing of the picture'
run 2 ask a.png 'what is <obj>?' --box 5,5,5,50 $m
refused 'covers nothing of the picture'

# the environment: read, ranged, beaten by flags
PERCEPT_THRESHOLD=7 run 2 ask a.png 'what?' $m
refused 'PERCEPT_THRESHOLD'
PERCEPT_THRESHOLD=7 run 0 ask a.png 'what?' $m --threshold 0
PERCEPT_JSON=maybe run 2 ask a.png 'what?' $m
refused 'PERCEPT_JSON'
PERCEPT_MODEL=found.gguf run 0 ask a.png 'what?' --threshold 0
says out 'It is here'
PERCEPT_MODEL=missing.gguf run 0 ask a.png 'what?' $m
PERCEPT_JSON=1 run 0 ask a.png 'what?' $m
says out '"schema": 1'
# everything after -- is an argument
cp a.png ./--odd.png
run 0 ask $m -- --odd.png 'what?'
# standard output that takes nothing
if [ -w /dev/full ]; then
  checks=$((checks + 1))
  "$percept" ask a.png 'what?' $m >/dev/full 2>err
  [ $? = 5 ] || fail 'a full disk under stdout: not exit 5'
fi
# a reader that goes away is no error, and nothing is said
checks=$((checks + 1))
{ "$percept" help ask 2>err; echo $? >code; } | true
[ "$(cat code)" = 0 ] && [ ! -s err ] || fail 'a closed pipe'
finish
