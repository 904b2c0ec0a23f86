#!/bin/sh
# The binary interface of this header against that of every release: functions and values may have been added,
# none changed or removed.
#   AbiDiff.sh CC ABIDIFF SOURCE
set -eu
cc=$1 abidiff=$2 source=$3
tests=$source/Tests/abi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$tests/interface.sh"

compare() { # old, new
    "$abidiff" --no-added-syms "$1" "$2" >"$work/log"
}
interface "$cc" "$source/include" "$tests/interface.c" "$work/now.so"
releases=0
for release in "$tests"/*.*.*; do
    interface "$cc" "$release" "$release/interface.c" "$work/release.so"
    compare "$work/release.so" "$work/now.so" || { echo "since $(basename "$release"):"; cat "$work/log"; exit 1; }
    releases=$((releases + 1))
done
test $releases -gt 0

# It can fail: a field of another type, a parameter less, another value, a function less.
change() { # file, sed expression
    mkdir -p "$work/changed"
    cp "$source/include/flowrt.h" "$tests/interface.c" "$work/changed"
    sed -i "$2" "$work/changed/$1"
    ! cmp -s "$work/changed/flowrt.h" "$source/include/flowrt.h" || ! cmp -s "$work/changed/interface.c" "$tests/interface.c" ||
        { echo "nothing to change: $2"; exit 1; }
    interface "$cc" "$work/changed" "$work/changed/interface.c" "$work/changed.so"
    if compare "$work/now.so" "$work/changed.so"; then echo "not noticed: $2"; exit 1; fi
}
change flowrt.h 's/uint64_t stream;/uint32_t stream;/'
change flowrt.h 's/FLOWRT_ERR_LIMIT = -15,/FLOWRT_ERR_LIMIT = -25,/'
change flowrt.h 's/private_\[32\]/private_[40]/'
change flowrt.h 's/uint32_t dim;  /uint64_t dim;  /'
change interface.c '/^const char \*flowrt_build_info/d'
echo "$releases releases; $(grep -c '^[a-z].*flowrt_[a-z_]*(' "$tests/interface.c") functions"
