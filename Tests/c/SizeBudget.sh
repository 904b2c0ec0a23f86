#!/bin/sh
# The stripped shared library is smaller than its budget.
#   SizeBudget.sh STRIP SHARED BYTES
set -eu
strip=$1 shared=$2 budget=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$shared" "$work/stripped"
"$strip" "$work/stripped"
size=$(wc -c <"$work/stripped")
echo "$size bytes of $budget"
test "$size" -le "$budget"
