#!/bin/sh
# The C that the Swift sources import compiles without warnings, on its own, for every CPU and kernel level.
#   ShimHeaders.sh SWIFTC SHIM_FOLDER
set -eu
clang=$(dirname "$(readlink -f "$1")")/clang
shim=$2
headers=0
for header in "$shim"/*.h; do
    # Clang takes the vector condition of ?: for a conversion.
    case $header in *flowrt_vector.h) conversion=-Wno-conversion ;; *) conversion=-Wconversion ;; esac
    for target in "x86_64-linux-gnu -march=x86-64" "x86_64-linux-gnu -march=x86-64-v4" aarch64-none-elf \
        "armv7-none-eabi -march=armv7ve -mfpu=neon-vfpv4 -mfloat-abi=hard" "riscv64-none-elf -march=rv64gc"; do
        # shellcheck disable=SC2086
        "$clang" -target $target -std=c11 -ffreestanding -Wall -Wextra -Wpedantic $conversion -Wshadow -Werror \
            -Wno-unused-function -fsyntax-only -I "$shim" -x c-header "$header"
    done
    headers=$((headers + 1))
done
test $headers -ge 5
echo "$headers headers"
