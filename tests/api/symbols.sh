# symbols.sh LIBRARY: the shared library shows percept_* and nothing else.
library=$1
shown=$(nm -D --defined-only "$library" | sed 's/.* //; s/@.*//')
[ -n "$shown" ] || { echo "no symbols in $library"; exit 1; }
others=$(printf '%s\n' "$shown" | grep -v '^percept_')
if [ -n "$others" ]; then
  echo "shown beside percept_*:"
  printf '%s\n' "$others"
  exit 1
fi
printf '%s symbols\n' "$(printf '%s\n' "$shown" | wc -l | tr -d ' ')"
