# lib.sh: what the command line's tests share. Sourced with the program, make_model and make_picture as $1 $2 $3.
# POSIX sh; needs no other program than those of coreutils, grep and sed.
case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
here=$(cd "$here" && pwd)
. "$here/../support/paths.sh"
percept=$(absolute "$1")
make_model=$(absolute "$2")
make_picture=$(absolute "$3")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset PERCEPT_MODEL PERCEPT_THREADS PERCEPT_THRESHOLD PERCEPT_SEED PERCEPT_JSON PERCEPT_QUIET PERCEPT_PACK NO_COLOR
PERCEPT_THREADS=1
export PERCEPT_THREADS
LSAN_OPTIONS=suppressions=$here/../support/lsan.supp:print_suppressions=0
export LSAN_OPTIONS
checks=0
failures=0

fail() {
  failures=$((failures + 1))
  printf 'FAIL %s\n' "$*" >&2
  [ ! -s out ] || sed 's/^/  out: /' out | cut -c 1-300 | head -n 5 >&2
  [ ! -s err ] || sed 's/^/  err: /' err | cut -c 1-300 | head -n 5 >&2
}

# run CODE ARGUMENT...: runs percept, keeps stdout in out and stderr in err, checks the exit code.
run() {
  wanted=$1
  shift
  checks=$((checks + 1))
  "$percept" "$@" >out 2>err </dev/null
  code=$?
  last="percept $*"
  [ "$code" = "$wanted" ] || fail "$last: exit $code, wanted $wanted"
}

# says FILE TEXT: the file of the last run holds the text.
says() {
  checks=$((checks + 1))
  grep -qF -- "$2" "$1" || fail "$last: $1 lacks \"$2\""
}
says_not() {
  checks=$((checks + 1))
  ! grep -qF -- "$2" "$1" || fail "$last: $1 has \"$2\""
}
# lines FILE COUNT
lines() {
  checks=$((checks + 1))
  count=$(wc -l <"$1" | tr -d ' ')
  [ "$count" = "$2" ] || fail "$last: $1 has $count lines, wanted $2"
}
# one error line on stderr, nothing on stdout
refused() {
  lines err 1
  lines out 0
  says err "$1"
}
same() {
  checks=$((checks + 1))
  cmp -s "$1" "$2" || fail "$last: $1 and $2 differ"
}
there() {
  checks=$((checks + 1))
  [ -s "$1" ] || fail "$last: no file $1"
}
absent() {
  checks=$((checks + 1))
  [ ! -e "$1" ] || fail "$last: $1 is there"
}
# no temporary file of an interrupted write is left in the folder
hex='[0-9a-f]'
clean() {
  checks=$((checks + 1))
  left=$(find "${1:-.}" -name '*.tmp*' -o -name '*.'"$hex$hex$hex$hex$hex$hex$hex$hex" | head -n 3)
  [ -z "$left" ] || fail "$last: left behind: $left"
}
finish() {
  printf '%s checks, %s failures\n' "$checks" "$failures"
  [ "$failures" = 0 ]
}
