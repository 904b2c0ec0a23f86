#!/bin/sh
# Measure: benchmarks/run.sh BUILD_DIR [LEVEL [ROUNDS]]. Prints a table of time per row, share of the core's multiply-add peak
# and the ratio of the two directions, for one pinned core.
set -eu
build=$1
shift
here=$(dirname "$0")
tests=$here/../Tests/c/support
${CC:-cc} -O3 -march=native -std=gnu11 -ffp-contract=fast -I "$here/../include" -I "$tests" "$here/speed.c" "$tests/flow.c" \
    "$tests/flow_cases.c" -o "$build/speed" -L "$build" -lflowrt -Wl,-rpath,"$(cd "$build" && pwd)" -lm
exec taskset -c 0 "$build/speed" "$@"
