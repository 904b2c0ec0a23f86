#!/bin/sh
# The same sources in another folder, at another time, in another time zone and language, give the same bytes.
#   Reproducible.sh CMAKE SOURCE C_COMPILER SWIFTC SHARED STATIC [TOOLCHAIN_FILE]
set -eu
cmake=$1 source=$2 cc=$3 swiftc=$4 shared=$5 static=$6 toolchain=${7:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/another folder/source"
cd "$source"
cp -R CMakeLists.txt cmake include Sources "$work/another folder/source"
{ TZ=Pacific/Auckland LC_ALL=C "$cmake" -S "$work/another folder/source" -B "$work/build" -DCMAKE_C_COMPILER="$cc" \
    -DFLOWRT_SWIFTC="$swiftc" ${toolchain:+"-DCMAKE_TOOLCHAIN_FILE=$toolchain"} -DFLOWRT_BUILD_TESTS=OFF \
    -DFLOWRT_BUILD_EXAMPLES=OFF -DFLOWRT_INSTALL=OFF && TZ=Pacific/Auckland "$cmake" --build "$work/build"; } \
    >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
for library in "$shared" "$static"; do
    cmp "$library" "$work/build/$(basename "$library")"
    if grep -aq -e "$source" -e "$work" "$library"; then
        echo "$library names the folder where it was built"
        exit 1
    fi
done
(cd "$work/build" && sha256sum "$(basename "$shared")" "$(basename "$static")")
