#!/bin/sh
# The program needs no loader and no shared library, and stays small:  StaticProgram.sh READELF STRIP MOST_BYTES PROGRAM
set -eu
readelf=$1 strip=$2 most=$3 program=$4
"$readelf" -lW "$program" | grep -q INTERP && { echo "$program asks for a loader"; exit 1; }
"$readelf" -dW "$program" 2>/dev/null | grep -q NEEDED && { echo "$program needs shared libraries"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$strip" -o "$work/stripped" "$program"
size=$(wc -c <"$work/stripped")
echo "$size bytes, at most $most"
[ "$size" -le "$most" ]
