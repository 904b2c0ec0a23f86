#!/bin/sh
# Where the instructions go: benchmarks/profile.sh BUILD >benchmarks/results/profile.md. Takes a minute. Needs valgrind and the
# program of the test InstructionCounts in BUILD.
set -eu
program=$1/Tests/c/InstructionCounts
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
LD_BIND_NOW=1 valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file="$work/dump" "$program" >"$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }

echo "# Where the instructions go"
echo
echo "MAFs at the AVX2 level, counted by callgrind: \`benchmarks/profile.sh build\`. Network: the plan of panels, starting values,"
echo "triangles by degree, the calls of tiles and columns."
echo
echo "| flow, job, rows | instructions a row | tiles, columns | activations | transformer | network | sweep, plan, rest |"
echo "|---|---|---|---|---|---|---|"
find "$work" -name 'dump.*' | sort -t. -k3n | while read -r dump; do
    cell=$(sed -n 's/^desc: Trigger: Client Request: 2 \(.*-MAF .*\)/\1/p' "$dump")
    [ -n "$cell" ] || continue
    callgrind_annotate --threshold=100 "$dump" | awk -v cell="$cell" '
        /PROGRAM TOTALS/ { gsub(",", "", $1); total = $1; next }
        /^ *[0-9,]+ \(/ && total {
            gsub(",", "", $1)
            part = /4Tile|7Columns|8Triangle/ ? 1 : /Elementwise/ ? 2 : /6Affine|9Transform/ ? 3 : /11Conditioner|11finishLayer|10accumulate|14accumulate|15accumulate/ ? 4 : 5
            count[part] += $1
        }
        END {
            split(cell, field, " ")
            printf "| %s, %s, %d | %.0f |", substr(field[1], 1, length(field[1]) - 4), field[2], field[3], total / field[3]
            for (part = 1; part <= 5; part++) printf " %.0f %% |", 100 * count[part] / total
            print ""
        }'
done
