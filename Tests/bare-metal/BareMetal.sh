#!/bin/sh
# The program on the bare machine prints, to the bit, what the ordinary program prints.
#   BareMetal.sh KERNEL COMMAND_OF_MACHINE -- COMMAND_OF_ORDINARY_PROGRAM
set -eu
kernel=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
machine=
while [ "$1" != -- ]; do machine="$machine $1" && shift; done
shift

"$@" >"$work/ordinary"
grep -q '^log p -' "$work/ordinary" || { echo "no log density:"; cat "$work/ordinary"; exit 1; }
# shellcheck disable=SC2086
timeout 60 $machine -kernel "$kernel" >"$work/bare" 2>&1 </dev/null ||
    { echo "the machine stopped with status $?:"; cat "$work/bare"; exit 1; }
diff -u "$work/ordinary" "$work/bare"
head -n 3 "$work/bare"
