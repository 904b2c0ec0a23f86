#!/bin/sh
# The C that the Swift sources import, on its own, for every CPU and kernel level, is without any warning that clang knows
# but these: it is C11, not C90; a header does not use what it defines; a struct may have padding.
#   ShimHeaders.sh SWIFTC SHIM_FOLDER
set -eu
clang=$(dirname "$(readlink -f "$1")")/clang
shim=$2
all='-Weverything -Wno-declaration-after-statement -Wno-pre-c11-compat -Wno-unused-macros -Wno-unused-function -Wno-padded'
headers=0
for header in "$shim"/*.h; do
    # Clang takes the vector condition of ?: for a conversion. One function there is about equal floats.
    case $header in *flowrt_vector.h) vectors='-Wno-conversion -Wno-float-equal' ;; *) vectors= ;; esac
    for target in "x86_64-linux-gnu -march=x86-64" "x86_64-linux-gnu -march=x86-64-v4" aarch64-none-elf \
        "armv7-none-eabi -march=armv7ve -mfpu=neon-vfpv4 -mfloat-abi=hard" "riscv64-none-elf -march=rv64gc"; do
        # shellcheck disable=SC2086
        "$clang" -target $target -std=c11 -ffreestanding $all $vectors -Werror -fsyntax-only -I "$shim" -x c-header "$header"
    done
    headers=$((headers + 1))
done
test $headers -ge 5
echo "$headers headers"
