#!/bin/sh
# QuietCalls.c under RealtimeSanitizer, which stops at any allocation, lock or blocking call of libc, made by the library or below.
#   RealtimeSanitizer.sh SWIFTC SOURCE SHARED
set -eu
swiftc=$1 source=$2 shared=$3
clang=$(dirname "$(readlink -f "$swiftc")")/clang
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$clang" -g -O1 -fuse-ld=lld -fsanitize=realtime -D_GNU_SOURCE -ffp-contract=off -I "$source/include" -I "$source/Tests/c" \
    "$source/Tests/c/QuietCalls.c" "$source/Tests/c/support/flow.c" "$source/Tests/c/support/flow_cases.c" "$shared" \
    -Wl,-rpath,"$(dirname "$shared")" -lm -lpthread -o "$work/quiet"

for disturbance in malloc lock; do
    if "$work/quiet" $disturbance >"$work/log" 2>&1 || ! grep -q 'ERROR: RealtimeSanitizer' "$work/log"; then
        echo "RealtimeSanitizer does not see: $disturbance"
        cat "$work/log"
        exit 1
    fi
done
"$work/quiet" >"$work/log" 2>&1 || { tail -n 40 "$work/log"; exit 1; }
cat "$work/log"
