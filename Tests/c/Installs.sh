#!/bin/sh
# The installed tree serves pkg-config, find_package and plain cc, shared and static; the source tree serves FetchContent.
#   Installs.sh CMAKE BUILD SOURCE C_COMPILER SWIFTC
set -eu
cmake=$1 build=$2 source=$3 cc=$4 swiftc=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
step() { echo "-- $*"; }

step "DESTDIR install"
DESTDIR="$work/root" "$cmake" --install "$build" --prefix /usr >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
header=$(find "$work/root" -name flowrt.h)
libdir=$(dirname "$(find "$work/root" -name libflowrt.a)")
for file in "$header" "$libdir/libflowrt.so.0" "$libdir/libflowrt.so" "$libdir/libflowrt.a"; do
    test -s "$file" || { echo "not installed: $file"; exit 1; }
done
test "$(readlink "$libdir/libflowrt.so")" = libflowrt.so.0 || { ls -l "$libdir"; exit 1; }

# A program that opens a flow without steps: a header, a record of the base, nothing else.
mkdir "$work/consumer"
cat >"$work/consumer/main.c" <<'C'
#include <flowrt.h>
#include <stdio.h>
static _Alignas(FLOWRT_ALIGNMENT) const unsigned char file[128] = {
    0x89, 'F', 'L', 'W', '\r', '\n', 0x1a, '\n', 1, [16] = 128, [28] = 2, [36] = 1, [64] = 8};
static _Alignas(FLOWRT_ALIGNMENT) unsigned char workspace[1 << 16];
int main(void) {
    flowrt_model model;
    float x[2] = {0, 0}, log_prob;
    if (flowrt_model_open(&model, file, sizeof file, 0, NULL) != FLOWRT_OK) return 1;
    if (flowrt_log_prob(&model, 1, x, NULL, 0, &log_prob, workspace, sizeof workspace) != FLOWRT_OK) return 2;
    printf("%s %.4f\n", flowrt_version_string(), (double)log_prob);
    return 0;
}
C
version=$(sed -n 's/^Version: //p' "$libdir/pkgconfig/flowrt.pc")
expect() { # program
    found=$(LD_LIBRARY_PATH="$libdir" "$1")
    test "$found" = "$version -1.8379" || { echo "$1 printed '$found'"; exit 1; }
}

step "pkg-config"
export PKG_CONFIG_PATH="$libdir/pkgconfig"
# shellcheck disable=SC2046
"$cc" "$work/consumer/main.c" $(pkg-config --cflags --libs flowrt) -o "$work/shared"
expect "$work/shared"
step "cc, static"
"$cc" "$work/consumer/main.c" -I"$(dirname "$header")" "$libdir/libflowrt.a" -o "$work/static"
expect "$work/static"

step "find_package"
cat >"$work/consumer/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.22)
project(consumer C)
if(FLOWRT_SOURCE)
  include(FetchContent)
  FetchContent_Declare(flowrt SOURCE_DIR "${FLOWRT_SOURCE}")
  FetchContent_MakeAvailable(flowrt)
else()
  find_package(flowrt 0.1 REQUIRED)
endif()
add_executable(shared main.c)
target_link_libraries(shared PRIVATE flowrt::flowrt)
add_executable(static main.c)
target_link_libraries(static PRIVATE flowrt::flowrt_static)
CMAKE
consume() { # directory, options...
    directory=$1
    shift
    { "$cmake" -S "$work/consumer" -B "$work/$directory" -DCMAKE_C_COMPILER="$cc" "$@" &&
        "$cmake" --build "$work/$directory"; } >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    expect "$work/$directory/shared"
    expect "$work/$directory/static"
}
consume found -DCMAKE_PREFIX_PATH="$work/root/usr"
step "FetchContent"
consume fetched -DFLOWRT_SOURCE="$source" -DFLOWRT_SWIFTC="$swiftc"

step "examples from the installed tree"
for example in "$source"/examples-c/*.c; do
    test -e "$example" || continue
    # shellcheck disable=SC2046
    "$cc" -std=c99 "$example" $(pkg-config --cflags --libs flowrt) -lm -pthread -o "$work/$(basename "$example" .c)"
done

step "Debian package"
(cd "$build" && cpack -G DEB -B "$work/deb") >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
dpkg-deb --contents "$work"/deb/*.deb >"$work/contents"
for file in include/flowrt.h libflowrt.so.0 libflowrt.a flowrt.pc flowrtConfig.cmake; do
    grep -q "$file" "$work/contents" || { echo "the Debian package lacks $file"; cat "$work/contents"; exit 1; }
done
