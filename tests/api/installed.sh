# installed.sh BUILD EXAMPLE.c MODEL PICTURE CC: installs into an empty folder, builds the example against what was
# installed, with pkg-config, and asks; the program finds its model from anywhere.
. "$(dirname "$0")/../support/paths.sh"
build=$1
example=$2
model=$(absolute "$3")
picture=$(absolute "$4")
cc=$5
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
set -e
DESTDIR="$root" meson install -C "$build" --no-rebuild >"$root/log" 2>&1 || { tail -n 20 "$root/log"; exit 1; }
pc=$(find "$root" -name percept.pc)
[ -n "$pc" ] || { echo 'no percept.pc'; exit 1; }
PKG_CONFIG_PATH=${pc%/*}
export PKG_CONFIG_PATH
library=$(find "$root" -name 'libpercept.so')
[ "$(basename "$(readlink "$library")")" = libpercept.so.0 ] || { echo "libpercept.so does not lead to its soname"; exit 1; }
# shellcheck disable=SC2046,SC2086  # lists of words: the compiler may stand behind ccache
$cc -Wall -Wextra -Werror "$example" -o "$root/ask" $(pkg-config --define-variable=prefix="$root$(pkg-config --variable=prefix percept)" --cflags --libs percept)
LD_LIBRARY_PATH=${library%/*} "$root/ask" "$model" "$picture" 'where is it?'
program=$(find "$root" -path '*bin/percept')
models=${program%/bin/percept}/share/percept/models
mkdir -p "$models"
cp "$model" "$models/percept-nano.gguf"
cd /
"$program" ask "$picture" 'where is it?' --threshold 0 | grep -F 'It is here'
