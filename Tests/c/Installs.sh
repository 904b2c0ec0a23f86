#!/bin/sh
# The installed tree serves pkg-config, find_package and plain cc, shared and static; the source tree serves FetchContent, with
# and without a compiler for Swift. Models go into programs. What was installed can be taken away again.
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
for file in "$header" "$(dirname "$header")/flowrt_check.h" "$(dirname "$header")/flowrt_file.h" "$libdir/libflowrt.so.0" "$libdir/libflowrt.so" "$libdir/libflowrt.a"; do
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

step "examples from the installed tree, each by the command at its beginning, which examples-c/README.md names too"
cp -R "$source/examples-c" "$work/examples-c"
for example in "$source"/examples-c/*.c; do
    name=$(basename "$example" .c)
    arguments=$(sed -n 's/^ \*   cc \(.*\)$/\1/p' "$example" | head -n 1)
    linked=$(printf '%s\n' $arguments | grep -e '^-l' -e '^-p' | paste -sd' ' || true)
    grep -qF "| \`$name.c\` |${linked:+ \`$linked\`} |" "$source/examples-c/README.md" ||
        { echo "examples-c/README.md does not say that $name.c is linked with '$linked'"; exit 1; }
    # shellcheck disable=SC2086
    (cd "$work/examples-c" && "$cc" -std=c99 -I"$(dirname "$header")" -L"$libdir" $arguments)
done

step "flowrt_add_model"
mkdir "$work/embedding"
cp "$source/models/iris_maf.flw" "$work/embedding/iris.flw"
cat >"$work/embedding/main.c" <<'C'
#include <flowrt.h>
#include <stdio.h>
#include "iris.h"
IRIS_ALIGNED static unsigned char workspace[IRIS_WORKSPACE_BYTES];
int main(void) {
    flowrt_model model;
    float flower[] = {5.1f, 3.5f, 1.4f, 0.2f}, log_p;
    if ((size_t)iris % FLOWRT_ALIGNMENT != 0 || IRIS_DIM != 4 || IRIS_CONTEXT_DIM != 0) return 1;
    if (flowrt_model_open(&model, iris, IRIS_SIZE, FLOWRT_OPEN_VERIFY, NULL) != FLOWRT_OK) return 2;
    if (flowrt_workspace_size(&model, 1) != IRIS_WORKSPACE_BYTES) return 3;
    if (flowrt_workspace_size(&model, SIZE_MAX) != IRIS_FULL_WORKSPACE_BYTES) return 4;
    if (flowrt_log_prob(&model, 1, flower, NULL, 0, &log_p, workspace, sizeof workspace) != FLOWRT_OK) return 5;
    printf("%g\n", log_p);
    return 0;
}
C
cp "$work/embedding/main.c" "$work/embedding/main.cpp"
cat >"$work/embedding/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.22)
project(embedding LANGUAGES ${LANGUAGE})
find_package(flowrt 0.1 REQUIRED COMPONENTS static)
# A folder whose name needs quoting; a file that another command makes; optimisation at link time.
add_custom_command(OUTPUT "${CMAKE_BINARY_DIR}/it's \"made\"/made.flw" DEPENDS iris.flw
  COMMAND "${CMAKE_COMMAND}" -E copy "${CMAKE_SOURCE_DIR}/iris.flw" "${CMAKE_BINARY_DIR}/it's \"made\"/made.flw" VERBATIM)
set(ending c)
if(LANGUAGE STREQUAL CXX)
  set(ending cpp)
endif()
foreach(program plain optimised)
  add_executable(${program} main.${ending})
  target_link_libraries(${program} PRIVATE flowrt::flowrt_static)
endforeach()
set_target_properties(optimised PROPERTIES INTERPROCEDURAL_OPTIMIZATION ON)
flowrt_add_model(plain iris.flw)
flowrt_add_model(optimised "${CMAKE_BINARY_DIR}/it's \"made\"/made.flw" NAME iris)
CMAKE
embed() { # language
    { "$cmake" -S "$work/embedding" -B "$work/embed-$1" "-DLANGUAGE=$1" -DCMAKE_PREFIX_PATH="$work/root/usr" \
        -DCMAKE_BUILD_TYPE=Release && "$cmake" --build "$work/embed-$1"; } >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    for program in plain optimised; do
        found=$("$work/embed-$1/$program")
        test "$found" = 0.0061486 || { echo "$1 $program printed '$found' (status $?)"; exit 1; }
    done
}
embed C
embed CXX
# A changed model is put in again; a damaged one is refused by name.
cp "$source/models/breast_cancer_iaf.flw" "$work/embedding/iris.flw"
"$cmake" --build "$work/embed-C" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$work/embed-C/plain" && { echo "the program still has the old model"; exit 1; }
head -c 5000 "$source/models/iris_maf.flw" >"$work/embedding/iris.flw"
"$cmake" --build "$work/embed-C" >"$work/log" 2>&1 && { echo "a truncated model was put in"; exit 1; }
grep -q "iris.flw: has 5000 bytes" "$work/log" || { cat "$work/log"; exit 1; }

step "what find_package refuses"
refuses() { # version-and-components, text, options of CMake...
    request=$1 text=$2
    shift 2
    rm -rf "$work/wrong/build"
    printf 'cmake_minimum_required(VERSION 3.22)\nproject(p C)\nfind_package(flowrt %s)\n' "$request" >"$work/wrong/CMakeLists.txt"
    "$cmake" -S "$work/wrong" -B "$work/wrong/build" -DCMAKE_PREFIX_PATH="$work/root/usr" "$@" >"$work/log" 2>&1 &&
        { echo "find_package(flowrt $request) $* succeeded"; exit 1; }
    tr -s ' \n' '  ' <"$work/log" | grep -q -e "$text" ||
        { echo "find_package(flowrt $request) $* does not say '$text':"; cat "$work/log"; exit 1; }
}
mkdir "$work/wrong"
refuses "0.0.9 REQUIRED" "version: $version"
refuses "0.2 REQUIRED" "version: $version"
refuses "1.0 REQUIRED" "version: $version"
refuses "REQUIRED COMPONENTS static cuda" "not 'cuda'"
for request in "REQUIRED" "0.1 REQUIRED"; do # the compiler stays: what is asked is the CPU that a toolchain file names
    refuses "$request" "$version.* for .*; this build is for the CPU 'ppc64le' (64 bit): take the flowrt of that CPU" \
        -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=ppc64le
done

step "FetchContent with a prebuilt library"
"$cmake" --install "$build" --prefix "$work/prebuilt" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
consume prebuilt -DFLOWRT_SOURCE="$source" -DFLOWRT_PREBUILT="$work/prebuilt" -DFLOWRT_SWIFTC=/nonexistent
"$cmake" -S "$work/consumer" -B "$work/none" -DFLOWRT_SOURCE="$source" -DFLOWRT_PREBUILT="$work/wrong" >"$work/log" 2>&1 &&
    { echo "FLOWRT_PREBUILT accepts any folder"; exit 1; }
grep -q "is no unpacked release" "$work/log" || { cat "$work/log"; exit 1; }

step "uninstall"
mkdir "$work/tree"
cp -R "$work/root/usr" "$work/tree/before"
touch "$work/tree/before/include/other.h"
sed "s|^|$work/tree/before|" >"$work/manifest" <<LIST
$(cd "$work/root/usr" && find . -type f -o -type l | sed 's|^\.||')
LIST
"$cmake" "-DMANIFEST=$work/manifest" -P "$source/cmake/uninstall.cmake" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
left=$(cd "$work/tree/before" && find . -type f -o -type l -o -name 'flowrt*')
test "$left" = ./include/other.h || { echo "make uninstall leaves: $left"; exit 1; }
