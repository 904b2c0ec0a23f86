#!/bin/sh
# A big-endian target is refused with the reason: by CMake when it configures, and by the sources for those who build without it.
#   BigEndian.sh CMAKE SWIFTC SOURCE
set -eu
cmake=$1 swiftc=$2 source=$3
clang=$(dirname "$(readlink -f "$swiftc")")/clang
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

refused() { # command...
    if "$@" >"$work/log" 2>&1; then
        echo "not refused: $*"
        exit 1
    fi
    grep -q 'little-endian model files in place.*big-endian' "$work/log" ||
        { echo "refused for another reason: $*"; cat "$work/log"; exit 1; }
}
preprocess() { # target
    "$clang" -target "$1" -ffreestanding -fsyntax-only -x c "$source/Sources/FlowrtShim/include/flowrt_cpu.h"
}

refused "$cmake" -S "$source" -B "$work/build" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=s390x \
    -DCMAKE_C_COMPILER="$clang" -DCMAKE_C_COMPILER_TARGET=s390x-linux-gnu -DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY
refused preprocess s390x-linux-gnu
refused preprocess powerpc64-linux-gnu
preprocess powerpc64le-linux-gnu
preprocess aarch64-linux-gnu
