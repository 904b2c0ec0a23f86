#!/bin/sh
# The manual pages are well-formed and fit a terminal of 80 columns: that of the program, and those that packaging/manual.py makes of
# the headers, which have every function.
#   ManualPage.sh MANDOC SOURCE
set -eu
mandoc=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$source/packaging/manual.py" "$work" 0.0.0 2026-01-01
cp "$source/docs/flowrt.1" "$work"
while read -r symbol; do
    test -s "$work/$symbol.3" || { echo "no manual page for $symbol"; exit 1; }
done <"$source/cmake/api_symbols.txt"
for page in "$work"/*.[13]; do
    name=$(basename "$page")
    case $(head -n 1 "$page") in
    .so*)
        test -e "$work/$(sed 's|^.so man3/||' "$page")" || { echo "$name leads nowhere"; exit 1; }
        continue
        ;;
    esac
    "$mandoc" -T lint -W warning "$page"
    "$mandoc" -O width=78 -T ascii "$page" | sed 's/.\x08//g' >"$work/text"
    awk -v page="$name" 'length > 80 || /^ *\*( |$)/ { print page ": " $0; bad = 1 } END { exit bad }' "$work/text"
    grep -q '^SEE ALSO' "$work/text" && test "$(wc -l <"$work/text")" -gt 50 || { echo "$name is empty"; exit 1; }
    if command -v man >/dev/null; then # groff has warnings of its own
        LC_ALL=C.UTF-8 MANWIDTH=80 MANROFFSEQ='' man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>"$work/warnings" >/dev/null
        test ! -s "$work/warnings" || { echo "$name:"; cat "$work/warnings"; exit 1; }
    fi
done
