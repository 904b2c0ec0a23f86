#!/bin/sh
# The component `tools` has the program and its manual page:  Installs.sh CMAKE BUILD
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" --install "$2" --component tools --prefix "$work" >/dev/null
(cd "$work" && find . -type f | sort) >"$work/list"
printf '%s\n' ./bin/flowrt ./list ./share/man/man1/flowrt.1 | diff - "$work/list"
