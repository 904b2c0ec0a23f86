#!/bin/sh
# The shared library needs no other library, no libc but three functions that every C implementation has, and holds no
# writable data; the static library leaves the same three undefined.
#   NoRuntime.sh READELF NM SHARED STATIC
set -eu
readelf=$1 nm=$2 shared=$3 static=$4
failed=0
fail() { echo "$1"; failed=1; }

# Each tool's output by itself: a tool that fails ends the test, instead of finding nothing.
dynamic=$("$readelf" -dW "$shared")
shared_symbols=$("$nm" -D --undefined-only "$shared")
static_symbols=$("$nm" --undefined-only "$static")

needed=$(echo "$dynamic" | grep -E 'NEEDED|RPATH|RUNPATH|TEXTREL|INIT|FINI' || true)
test -z "$needed" || fail "dynamic section: $needed"

# __aeabi_mem...: the names by which the ARM ABI knows the same three functions.
allowed='^(memcpy|memmove|memset|__aeabi_mem(cpy|move|set|clr)[48]?)$'
for symbols in "$shared_symbols" "$static_symbols"; do
    undefined=$(echo "$symbols" | awk '$1 == "U" || $1 == "w" { print $2 }' | grep -Ev "$allowed" || true)
    test -z "$undefined" || fail "undefined: $undefined"
done

# Sections with the flags W (writable) or T (thread-local); the dynamic linker's own are made read-only by RELRO.
writable=$("$readelf" -SW "$shared" | sed 's/^ *\[ *[0-9]*\]//' |
    awk '$7 ~ /[WT]/ && $1 !~ /^\.(dynamic|got|got\.plt|data\.rel\.ro|relro_padding)$/ && $5 != "000000" { print $1, $5 }')
test -z "$writable" || fail "writable sections: $writable"

segments=$("$readelf" -lW "$shared")
echo "$segments" | grep -q GNU_RELRO || fail "no RELRO segment"
echo "$segments" | grep -E 'GNU_STACK' | grep -q 'RW ' || fail "the stack may be executable"
echo "$segments" | grep -E '^ *LOAD' | grep -q 'RWE' && fail "a segment is both writable and executable"
"$readelf" -dW "$shared" | grep -q 'SONAME.*\[libflowrt\.so\.0\]' || fail "soname is not libflowrt.so.0"
"$readelf" -dW "$shared" | grep -q 'BIND_NOW\|FLAGS_1.*NOW' || fail "not bound at load time"
exit $failed
