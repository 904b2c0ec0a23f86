#!/bin/sh
# The libraries export exactly the functions that flowrt.h declares, no more and no less.
#   SymbolsExact.sh NM HEADER LIST SHARED STATIC
set -eu
nm=$1 header=$2 list=$3 shared=$4 static=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sed 's@/\*.*\*/@@; s@^ *\*.*@@; s@^/\*.*@@' "$header" | grep -o 'flowrt_[a-z_]*(' | tr -d '(' | sort -u >"$work/header"
sort "$list" >"$work/list"
"$nm" -D --defined-only "$shared" | awk '$2 != "A" { print $3 }' | sed 's/@@FLOWRT_0$//' | sort >"$work/shared"
"$nm" -g --defined-only "$static" | awk 'NF == 3 { print $3 }' | sort >"$work/static"

test "$(wc -l <"$work/header")" -ge 11 || { echo "$header declares too few functions:"; cat "$work/header"; exit 1; }
for found in list shared static; do
    diff -u --label "flowrt.h" --label "$found" "$work/header" "$work/$found" || exit 1
done
echo "$(wc -l <"$work/header") functions, in the header, in $(basename "$shared") and in $(basename "$static")"
