#!/bin/sh
# A program that is linked with -static, libc and libflowrt.a included, runs without a dynamic linker.
#   StaticLink.sh CC LIBRARY INCLUDE TESTS [emulator...]
set -eu
cc=$1 library=$2 include=$3 tests=$4
shift 4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for test in Jacobian ContextForms; do
    "$cc" -static -std=c11 -O2 -D_GNU_SOURCE -ffp-contract=off -I "$include" -I "$tests" "$tests/$test.c" \
        "$tests/support/flow.c" "$tests/support/flow_cases.c" "$library" -lm -o "$work/$test"
    if readelf -lW "$work/$test" | grep -q INTERP; then
        echo "$test is not static"
        exit 1
    fi
    "$@" "$work/$test" 17 # ContextForms: few of its counts
done
