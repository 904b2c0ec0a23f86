#!/bin/sh
# CMake looks at what the C compiler builds for, not at the name of the processor: it takes what the library runs on, and
# refuses the rest with the reason.
#   ArmTargets.sh CMAKE SWIFTC SOURCE
set -eu
cmake=$1 swiftc=$2 source=$3
clang=$(dirname "$(readlink -f "$swiftc")")/clang
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tried=0

# configure SYSTEM PROCESSOR TARGET FLAGS: the toolchain's own clang for this target; it needs no headers.
configure() {
    rm -rf "$work/build"
    tried=$((tried + 1))
    "$cmake" -S "$source" -B "$work/build" -DCMAKE_SYSTEM_NAME="$1" -DCMAKE_SYSTEM_PROCESSOR="$2" \
        -DCMAKE_C_COMPILER="$clang" -DCMAKE_C_COMPILER_TARGET="$3" -DCMAKE_C_FLAGS="$4" -DFLOWRT_SWIFTC="$swiftc" \
        -DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY -DFLOWRT_BUILD_TESTS=OFF -DFLOWRT_BUILD_EXAMPLES=OFF \
        -DFLOWRT_BUILD_TOOLS=OFF -DFLOWRT_INSTALL=OFF -DCMAKE_SYSTEM_VERSION=1 >"$work/log" 2>&1
}
accepts() { # CPU SYSTEM PROCESSOR TARGET FLAGS
    cpu=$1
    shift
    configure "$@" || { echo "refused: $*"; cat "$work/log"; exit 1; }
    grep -q "libflowrt for $cpu\$" "$work/log" || { echo "not for $cpu: $*"; cat "$work/log"; exit 1; }
}
refuses() { # REASON SYSTEM PROCESSOR TARGET FLAGS
    reason=$1
    shift
    if configure "$@"; then echo "not refused: $*"; exit 1; fi
    tr '\n' ' ' <"$work/log" | tr -s ' ' | grep -q "$reason" || { echo "refused for another reason: $*"; cat "$work/log"; exit 1; }
}

hard=-mfloat-abi=hard
accepts armv7 Linux arm arm-linux-gnueabihf "-mcpu=cortex-a7 $hard"
accepts armv7 Linux armv7l arm-linux-gnueabihf "-mcpu=cortex-a15 $hard"
accepts armv7 Linux aarch64 arm-linux-gnueabihf "-mcpu=cortex-a53 $hard"
accepts armv7 Generic arm arm-none-eabi "-mcpu=cortex-a17 $hard"
accepts armv7 Linux armv7l arm-linux-gnueabihf "-march=armv7-a -mfpu=vfpv3-d16 $hard" # the baseline of Debian's armhf
accepts aarch64 Linux arm aarch64-linux-gnu -mcpu=cortex-a72
accepts aarch64 Generic cortex-a53 aarch64-none-elf -mcpu=cortex-a53
accepts x86_64 Linux unknown x86_64-linux-gnu ""
accepts riscv64 Linux riscv riscv64-linux-gnu "-march=rv64gc -mabi=lp64d"

refuses "a Cortex-M: it has no vectors" Generic arm arm-none-eabi "-mcpu=cortex-m4 $hard"
refuses "a Cortex-M: it has no vectors" Linux armv7e-m arm-none-eabi "-mcpu=cortex-m7 $hard"
refuses "a Cortex-M: it has no vectors" Generic armv8.1-m arm-none-eabi "-mcpu=cortex-m55 $hard"
refuses "an ARM before ARMv7" Linux armv6l arm-linux-gnueabihf "-mcpu=arm1176jzf-s $hard"
refuses "floats in integer registers" Linux armv7l arm-linux-gnueabi "-mcpu=cortex-a7 -mfloat-abi=softfp"
refuses "floats in integer registers" Linux armv7l arm-linux-gnueabi "-mcpu=cortex-a7 -mfloat-abi=soft"
refuses "without fused multiply-add, such as Cortex-A8 and A9" Linux armv7l arm-linux-gnueabihf "-mcpu=cortex-a9 -mfpu=neon $hard"
refuses "without fused multiply-add, such as Cortex-A8 and A9" Linux arm arm-linux-gnueabihf "-mcpu=cortex-a8 $hard"
refuses "rv64gc" Linux riscv64 riscv64-linux-gnu "-march=rv64imac -mabi=lp64"
refuses "flowrt has no build for" Linux riscv32 riscv32-linux-gnu "-march=rv32gc -mabi=ilp32d"
refuses "flowrt has no build for" Linux i686 i686-linux-gnu ""
refuses "not for FreeBSD" FreeBSD amd64 x86_64-unknown-freebsd ""
echo "$tried targets"
