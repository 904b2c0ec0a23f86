#!/bin/sh
# The inner loops, at every kernel level: packed multiply-adds, no call, no vector spilled to the stack, no scalar arithmetic.
#   InnerLoops.sh OBJDUMP SHARED
set -eu
objdump=$1 shared=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The functions Tile.run, and the innermost loops of Columns.run and Triangle.run, under their mangled names.
"$objdump" -d --no-show-raw-insn "$shared" |
    awk '/^[0-9a-f]+ <.*>:$/ {
             inside = /13FlowrtKernels4Tile.*3run_/
             few = /13FlowrtKernels(7Columns|8Triangle).*3run_/ ? $2 : ""
             lines = start = loops = 0
             if (inside) print
             next
         }
         inside
         few && NF > 1 {
             at[lines] = $1
             text[lines] = $0
             if ($2 ~ /^(j|b\.|cbn?z|tbn?z)/) {
                 for (i = NF; i > 2 && $i !~ /^[0-9a-f]+$/; i--);
                 for (from = lines; from >= start && at[from] != $i ":"; from--);
                 if (from >= start && at[from] == $i ":") {
                     found = ""
                     for (k = from; k <= lines; k++) found = found "\n" text[k]
                     if (found ~ /mul|fma|fmadd|fmla/) print "loop" ++loops, few found
                     start = lines + 1
                 }
             }
             lines++
         }' >"$work/loops"
functions=$(grep -c '>:$' "$work/loops" || :)
for kernel in 4Tile 7Columns 8Triangle; do
    grep -q "$kernel.*>:\$" "$work/loops" || { echo "no loop of $kernel found in $shared"; exit 1; }
done
case $("$objdump" -f "$shared") in
*x86-64*)
    packed='v?(fmadd[0-9]*|mul)ps'
    stored='mov[a-z]*[ 	]+%[xyz]mm[0-9]+,.*\('
    forbidden='call|[xyz]mm[0-9]+,.*\(%rsp|\(%rsp.*[xyz]mm|v?(fmadd[0-9]*|mul|add)ss' ;;
*aarch64*)
    packed='fmla.*\.4s'
    stored='	(str|stp|stur)	q'
    forbidden='	bl	|(str|stp|ldr|ldp)	q[0-9]+.*\[sp|	fmadd	|	fmul	s' ;;
*)
    echo "neither x86-64 nor aarch64: $shared"
    exit 1 ;;
esac
test "$functions" -ge 6 || { echo "only $functions inner loops found in $shared"; exit 1; }
awk -v packed="$packed" '/>:$/ { if (name && !found) { print "no packed multiply-add in " name; bad = 1 }; name = $2; found = 0 }
     $0 ~ packed { found = 1 }
     END { if (!found) { print "no packed multiply-add in " name; bad = 1 }; exit bad }' "$work/loops"
if grep -nE "$forbidden" "$work/loops"; then
    echo "in the inner loops of $shared"
    exit 1
fi
# The sums of few rows stay in registers: their loops store nothing.
if awk '/>:$/ { few = /^loop/ } few' "$work/loops" | grep -nE "$stored"; then
    echo "is stored in the inner loops of few rows of $shared"
    exit 1
fi
echo "$functions inner loops of packed multiply-adds, without calls, spills or scalar arithmetic"
