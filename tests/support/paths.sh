# paths.sh: for the tests that are shell scripts.
# Meson may give paths that hold from the build folder alone; the tests work in folders of their own.
absolute() { case $1 in /*) printf '%s\n' "$1" ;; *) printf '%s/%s\n' "$PWD" "$1" ;; esac; }
