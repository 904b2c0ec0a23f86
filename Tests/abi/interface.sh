# Sourced: interface CC HEADER_FOLDER INTERFACE.c SHARED builds the library that a header describes, with soname, symbol versions
# and debug information, and functions that do nothing.
interface() {
    names=$(grep -o 'flowrt_[a-z_]*(' "$3" | tr -d '(' | sort -u | tr '\n' ';')
    test -n "$names" || { echo "no functions in $3"; exit 1; }
    printf 'FLOWRT_0 { global: %s local: *; };\n' "$names" >"$4.map"
    "$1" -g -O1 -std=c11 -Wall -Wextra -Wpedantic -Werror -fPIC -shared -nostdlib -I "$2" "$3" \
        -Wl,-soname,libflowrt.so.0 "-Wl,--version-script=$4.map" -o "$4"
}
