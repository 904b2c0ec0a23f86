#!/bin/sh
# Time a row against the number of rows: benchmarks/rows.sh BUILD [LEVEL [LIBRARY...]]. Each LIBRARY is another libflowrt.so, to be
# compared with that of BUILD. Needs the flows in BUILD/bench/flows (`make bench`, or `python benchmarks/flows.py BUILD/bench/flows
# S M L21 XL`). Prints what benchmarks/rows.c says.
set -eu
build=$1 level=${2:-0}
shift
[ $# -eq 0 ] || shift
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$build/bench"
"${CC:-cc}" -std=gnu11 -Wall -Wextra -O2 -I "$here/../include" "$here/rows.c" -o "$build/bench/rows" -ldl
exec "$build/bench/rows" "$build/bench/flows" "$level" "${ROUNDS:-21}" S,M,L21,XL \
    1,2,3,4,5,6,7,8,9,12,15,16,17,24,31,32,33,48,64 "$(cd "$build" && pwd)/libflowrt.so" "$@"
