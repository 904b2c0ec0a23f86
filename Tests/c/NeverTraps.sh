#!/bin/sh
# No function of the library can end the process: no trap instruction outside the reasoned list.
#   NeverTraps.sh OBJDUMP LIST SHARED
set -eu
objdump=$1 list=$2 shared=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$objdump" -d --no-show-raw-insn "$shared" >"$work/code"
test "$(grep -c '^ *[0-9a-f]*:' "$work/code")" -gt 1000 || { echo "no code in $shared"; exit 1; }
awk '/^[0-9a-f]+ <.*>:$/ { name = substr($2, 2, length($2) - 3) }
     $2 ~ /^(ud[0-2]|ud2[ab]|int3|hlt|brk|hlt|udf|bkpt|ebreak|c\.ebreak|unimp|c\.unimp)$/ { print name }' "$work/code" |
    sort | uniq -c >"$work/found"
grep -v '^#' "$list" | awk 'NF { print $1 }' | sort >"$work/allowed"
awk '{ print $2 }' "$work/found" | sort | comm -23 - "$work/allowed" >"$work/new"
if test -s "$work/new"; then
    echo "functions with trap instructions (count, name):"
    grep -F -f "$work/new" "$work/found"
    exit 1
fi
echo "no trap instruction in $(grep -c '^[0-9a-f]* <.*>:$' "$work/code") functions"
