#!/bin/sh
# Threads.c under ThreadSanitizer, with every load and store of the library instrumented: kernels, reader and arguments.
#   ThreadSanitizer.sh SWIFTC SOURCE
set -eu
swiftc=$1 source=$2
toolchain=$(dirname "$(dirname "$(readlink -f "$swiftc")")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compile() { # module, flags...
    module=$1
    shift
    "$swiftc" -target x86_64-unknown-linux-gnu -enable-experimental-feature Embedded -wmo -parse-as-library \
        -sanitize=thread -I "$source/include" -I "$source/Sources/FlowrtShim/include" \
        -module-name "$module" "$@" -c $(find "$source/Sources/$module" -name "*.swift") -o "$work/$module.o" 2>"$work/log" ||
        { cat "$work/log"; exit 1; }
}
compile FlowrtKernels -Ounchecked -D FLOWRT_LEVEL_1
objcopy --wildcard --keep-global-symbol='flowrt_*' "$work/FlowrtKernels.o"
compile Flowrt -O -D FLOWRT_LEVELS_1
# Swift's build of the sanitizer also watches libdispatch, and so needs it.
libraries=$toolchain/lib/swift/linux
"$toolchain/bin/clang" -g -O1 -fuse-ld=lld -fsanitize=thread -D_GNU_SOURCE -ffp-contract=off -I "$source/include" \
    -I "$source/Tests/c" "$source/Tests/c/Threads.c" "$source/Tests/c/support/flow.c" \
    "$source/Tests/c/support/flow_cases.c" "$work/FlowrtKernels.o" "$work/Flowrt.o" -L "$libraries" -Wl,-rpath,"$libraries" \
    -ldispatch -lBlocksRuntime -lm -o "$work/threads"

run() { TSAN_OPTIONS="exitcode=66 halt_on_error=1" "$work/threads" "$@" >"$work/log" 2>&1; }

if run --shared-workspace; then
    echo "ThreadSanitizer does not see threads that share a workspace"
    exit 1
fi
grep -q 'SUMMARY: ThreadSanitizer: data race .*Flowrt' "$work/log" ||
    { echo "not the race that was made:"; tail -n 40 "$work/log"; exit 1; }
run || { tail -n 60 "$work/log"; exit 1; }
cat "$work/log"
