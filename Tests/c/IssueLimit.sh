#!/bin/sh
# The inner loops on aarch64: nothing but multiply-adds on full q registers, loads and loop control; and what llvm-mca says of
# them on two cores, as a share of the issue limit, the cycles that the busiest unit of the core needs for one turn of the loop.
#   IssueLimit.sh OBJDUMP LLVM_MCA SHARED
#
# At least 85 % is asked of the largest loop of each kernel, which does nearly all the work. Smaller ones, at the edges, wait for
# their own sums: with four sums a unit they have too few for the latency of a multiply-add.
set -eu
objdump=$1 mca=$2 shared=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Each innermost loop of Tile.run, Columns.run and Triangle.run becomes a file, NUMBER-KERNEL-MULTIPLICATIONS.s.
"$objdump" -d --no-show-raw-insn "$shared" | awk -v work="$work" '
    /^[0-9a-f]+ <.*>:$/ {
        inside = match($0, /13FlowrtKernels(4Tile|7Columns|8Triangle)/)
        kernel = $0 ~ /7Columns/ ? "Columns" : $0 ~ /8Triangle/ ? "Triangle" : "Tile"
        lines = start = 0
        next
    }
    inside && NF > 1 {
        sub(/ *\/\/.*/, "")
        at[lines] = $1
        text[lines] = $0
        sub(/^[^:]*:[ \t]*/, "", text[lines])
        if ($2 ~ /^(b\.|cbn?z|tbn?z)/) {
            for (i = NF; i > 2 && $i !~ /^[0-9a-f]+$/; i--);
            for (from = lines; from >= start && at[from] != $i ":"; from--);
            multiplications = 0
            for (k = from; k >= 0 && k <= lines; k++) multiplications += text[k] ~ /^fmla/
            if (from >= start && at[from] == $i ":") {
                file = sprintf("%s/%02d-%s-%d.s", work, ++loops, kernel, multiplications)
                if (multiplications) {
                    print "loop:" >file
                    for (k = from; k < lines; k++) print text[k] >file
                    print $2 " loop" >file
                    close(file)
                }
                start = lines + 1 # an outer loop is not looked at
            }
        }
        lines++
    }'
set -- "$work"/*.s
for kernel in Tile Columns Triangle; do
    test -e "$(find "$work" -name "*-$kernel-*" | head -n 1)" || { echo "no loop of $kernel found in $shared"; exit 1; }
done

# A multiply-add of four floats by a vector or by a lane; loads, and what fills a register with the pair loaded; pointers and
# counters; prefetch.
allowed='loop:|mov	x[0-9]+, x[0-9]+|fmla	v[0-9]+\.4s, v[0-9]+\.4s, v[0-9]+\.(4s|s\[[0-3]\])|(ldr|ldp|ldur)	[qds].*|ld1r?	.*|dup	v[0-9]+\.2d, v[0-9]+\.d\[0\]|prfm	.*|(add|sub|subs|cmp|lsl)	[xw].*|b\.[a-z]* loop|cbn?z loop'
bad=0
for loop; do
    if grep -vxE "$allowed" "$loop"; then
        echo "in an inner loop of $(basename "$loop" .s)"
        bad=1
    fi
done

turns=200
# cycles CPU FILE FIELD: the figure of that name in llvm-mca's summary
figure() { "$mca" -mtriple=aarch64 -mcpu="$1" -iterations=$turns "$2" | sed -n "s/^$3: *//p" | head -n 1; }
largest() { basename -a "$work"/*.s | sed -n "s/.*-$1-\([0-9]*\)\.s/$1-\1/p" | sort -t- -k2n | tail -n 1; }
printf '%-22s %14s %14s\n' "loop, multiply-adds" cortex-a72 neoverse-n1
for loop; do
    name=$(basename "$loop" .s)
    row=
    for cpu in cortex-a72 neoverse-n1; do
        share=$(awk -v limit="$(figure $cpu "$loop" 'Block RThroughput')" -v cycles="$(figure $cpu "$loop" 'Total Cycles')" \
            -v turns=$turns 'BEGIN { printf "%.0f", 100 * limit * turns / cycles }')
        row="$row $(printf '%12s %%' "$share")"
        case $name in
        *-"$(largest Tile)" | *-"$(largest Columns)" | *-"$(largest Triangle)")
            test "$share" -ge 85 || { echo "${name#*-} on $cpu: only $share % of the issue limit"; bad=1; } ;;
        esac
    done
    printf '%-22s %s\n' "${name#*-}" "$row"
done
exit $bad
