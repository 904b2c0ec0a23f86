#!/bin/sh
# Instructions of each workload against the checked-in list, with a tolerance of 2 %: the guard against lost speed, on a machine
# where times mean nothing.
#   InstructionCounts.sh VALGRIND PROGRAM LIST           compare
#   InstructionCounts.sh VALGRIND PROGRAM LIST update    write LIST anew (cmake --build BUILD --target instruction-counts)
set -eu
valgrind=$1 program=$2 list=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# LD_BIND_NOW: the first call of a function does not look for it.
LD_BIND_NOW=1 "$valgrind" --tool=callgrind --instr-atstart=no --callgrind-out-file="$work/dump" "$program" >"$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
# Dumps are numbered in the order of the program.
find "$work" -name 'dump.*' | sort -t. -k3n | xargs awk '
    sub(/^desc: Trigger: Client Request: /, "") { cell = $0 }
    /^summary:/ && cell { print cell, $2; cell = "" }' >"$work/counts"
test -s "$work/counts" || { echo "callgrind wrote no counts"; cat "$work/log"; exit 1; }

if [ "${4:-}" = update ]; then
    {
        echo "# Instructions of one call, by callgrind: level, flow, direction, rows. Written by InstructionCounts.sh."
        cat "$work/counts"
    } >"$list"
    echo "$(wc -l <"$work/counts") counts written"
    exit
fi
awk -v tolerance=0.02 '
    /^#/ { next }
    { cell = $1 " " $2 " " $3 " " $4 }
    NR == FNR { expected[cell] = $5; next }
    { counted++ }
    !(cell in expected) { print cell ": not in the list"; bad = 1; next }
    { change = $5 / expected[cell] - 1
      if (change > tolerance || change < -tolerance) {
          printf "%s: %d instructions, %d in the list (%+.1f %%)\n", cell, $5, expected[cell], 100 * change
          bad = 1
      }
      delete expected[cell] }
    END { for (cell in expected) { print cell ": in the list, not counted"; bad = 1 }
          if (bad) print "if that is meant: cmake --build BUILD --target instruction-counts"
          else printf "%d cells within %g %%\n", counted, 100 * tolerance
          exit bad }' "$list" "$work/counts"
