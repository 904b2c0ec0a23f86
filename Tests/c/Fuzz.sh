#!/bin/sh
# Compiles the library's sources with AddressSanitizer and coverage, and lets libFuzzer search for FLOWRT_FUZZ_SECONDS (20),
# from the golden files, the flows of support/flow_cases.c and what earlier searches found worth keeping (fuzz_corpus).
# A file on which opening and all calls take longer than half a minute counts as a failure.
#   Fuzz.sh SWIFTC SOURCE [FOUND]     FOUND: a directory that keeps the inputs which reached something new
set -eu
swiftc=$(command -v "$1") source=$2
clang=$(dirname "$(readlink -f "$swiftc")")/clang
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compile() { # module, flags...
    module=$1
    shift
    "$swiftc" -target x86_64-unknown-linux-gnu -enable-experimental-feature Embedded -wmo -parse-as-library \
        -sanitize=address,fuzzer -I "$source/include" -I "$source/Sources/FlowrtShim/include" \
        -module-name "$module" "$@" -c $(find "$source/Sources/$module" -name "*.swift") -o "$work/$module.o"
}
compile FlowrtKernels -Ounchecked -D FLOWRT_LEVEL_1
objcopy --wildcard --keep-global-symbol='flowrt_*' "$work/FlowrtKernels.o"
compile Flowrt -O -D FLOWRT_LEVELS_1
"$clang" -g -O1 -fuse-ld=lld -fsanitize=address,fuzzer -D_GNU_SOURCE -I "$source/include" -I "$source/Tests/c" \
    "$source/Tests/c/Fuzz.c" "$source/Tests/c/FuzzMutator.c" "$source/Tests/c/support/flow.c" \
    "$source/Tests/c/support/flow_cases.c" "$work/FlowrtKernels.o" "$work/Flowrt.o" -lm -o "$work/fuzz"

found=${3:-$work/found}
mkdir -p "$found" "$work/seeds"
"$work/fuzz" --seeds "$work/seeds"
if "$work/fuzz" -max_total_time="${FLOWRT_FUZZ_SECONDS:-20}" -max_len=16384 -timeout=30 -print_final_stats=1 \
    -artifact_prefix="$work/" "$found" "$source/Tests/c/fuzz_corpus" "$work/seeds" "$source/Tests/golden" \
    >"$work/log" 2>&1; then
    grep -E 'Done|DONE|stat::number_of_executed_units|stat::average_exec_per_sec' "$work/log"
else
    tail -n 60 "$work/log"
    for bytes in "$work"/crash-* "$work"/oom-* "$work"/timeout-*; do
        test -e "$bytes" && { echo "$bytes, base64:"; base64 "$bytes"; }
    done
    exit 1
fi
