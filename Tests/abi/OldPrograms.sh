#!/bin/sh
# The program of every release, compiled against the header of that release and linked with its interface, runs with today's
# library and prints what it printed then.
#   OldPrograms.sh CC SOURCE SHARED [emulator...]
set -eu
cc=$1 source=$2 shared=$3
shift 3
tests=$source/Tests/abi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$tests/interface.sh"

releases=0
for release in "$tests"/*.*.*; do
    interface "$cc" "$release" "$release/interface.c" "$work/libflowrt.so"
    "$cc" -std=c11 -O1 -I "$release" "$release/program.c" -L "$work" -lflowrt -o "$work/program"
    LD_LIBRARY_PATH=$(dirname "$shared") "$@" "$work/program" "$source/Tests/golden/1.0/zuko_real_nvp_context.flw" >"$work/found" ||
        { echo "the program of $(basename "$release") fails with status $?:"; cat "$work/found"; exit 1; }
    diff -u "$release/program.txt" "$work/found"
    releases=$((releases + 1))
done
test $releases -gt 0
echo "programs of $releases releases"
