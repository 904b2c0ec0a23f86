#!/bin/sh
# The very same libflowrt.so loads and runs in a program that is built against musl.
#   Musl.sh MUSL_GCC SHARED INCLUDE TESTS
set -eu
musl_gcc=$1 shared=$2 include=$3 tests=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for test in RoundTrip BatchSplitInvariance; do
    "$musl_gcc" -std=c11 -O1 -D_GNU_SOURCE -ffp-contract=off -I "$include" -I "$tests" "$tests/$test.c" \
        "$tests/support/flow.c" "$tests/support/flow_cases.c" "$shared" -Wl,-rpath,"$(dirname "$shared")" -lm -o "$work/$test"
    readelf -l "$work/$test" | grep -q 'ld-musl' || { echo "$test is not a musl program"; exit 1; }
    "$work/$test"
done
