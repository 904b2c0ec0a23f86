#!/bin/sh
# A trace of the system calls of QuietCalls.c has none between its marks. The tracer is strace, or qemu's own for programs
# of another CPU; its last argument is the option that a file for the trace follows.
#   SystemCallTrace.sh PROGRAM TRACER [argument...]
set -eu
program=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

between_marks() { # tracer...: the calls between marks; fails if there are no marks
    "$@" "$work/trace" "$program" ${disturbance:+"$disturbance"} >"$work/out" 2>&1 || { cat "$work/out"; exit 1; }
    awk '/close\(-1002[,)]/ { inside = 0 } inside { print } /close\(-1001[,)]/ { inside = 1; marks++ }
         END { print marks > "/dev/stderr"; exit marks == 0 }' "$work/trace" 2>"$work/marks" ||
        { echo "no marks in the trace:"; head "$work/trace"; exit 1; }
}

disturbance=getppid
between_marks "$@" >"$work/calls"
grep -q getppid "$work/calls" || { echo "$1 does not show the system call that was made"; exit 1; }
disturbance=
between_marks "$@" >"$work/calls"
test ! -s "$work/calls" || { echo "system calls:"; sort "$work/calls" | uniq -c; exit 1; }
echo "no system call in $(cat "$work/marks") runs of open and all verbs"
