#!/bin/sh
# What the examples say of rows, files and models that they cannot use: one line that names it, and status 1.
#   ExampleErrors.sh CC LIBRARY SOURCE
set -eu
cc=$1 library=$2 source=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$cc" -std=c99 -O1 -I "$source/include" "$source/examples-c/density.c" "$library" -o "$work/density"
model=$source/models/iris_maf.flw
cd "$work"

# refuses LINE ARGUMENTS...: density of standard input ends with status 1 and this line alone.
refuses() {
    line=$1
    shift
    status=0
    ./density "$@" >out 2>err || status=$?
    if [ $status -ne 1 ] || [ -s out ] || [ "$(cat err)" != "error: $line" ]; then
        echo "density $*: status $status, not 1 and '$line':"
        cat out err
        exit 1
    fi
}
zeros() { printf "%0$1d" 0; }

echo "5.1,3.5,1.4,0.2" | ./density "$model" >expected
echo "5.1,3.5,1.4,0.2$(zeros 60)" | ./density "$model" >found # 63 characters
cmp expected found

echo "5.1,3.5,1.4,0.2$(zeros 61)" | refuses "standard input:1: column 4: more than 63 characters" "$model"
printf '# a comment\n5.1,3.5,1.4,0.2\0009\n' |
    refuses "standard input:2: column 4: '0.2' is not a finite number" "$model"
echo "5.1,3.5,nan,0.2" | refuses "standard input:1: column 3: 'nan' is not a finite number" "$model"
echo "5.1,3.5" | refuses "standard input:1: 2 columns instead of 4" "$model"

refuses "missing.flw: No such file or directory" missing.flw
refuses ".: Is a directory" .
refuses "missing.csv: No such file or directory" "$model" missing.csv

head -c 10 "$model" >cut.flw
refuses "cut.flw: the model has fewer or more bytes than its header says or its layers need (byte 10, found 10, expected 64)" cut.flw

# flow CRC RECORDS KIND: a header for 2 coordinates and one record, all else zero, in octal.
flow() {
    printf '\211FLW\r\n\032\n\001\000\000\000%b\200' "$1" && head -c 11 /dev/zero
    printf '\002' && head -c 7 /dev/zero
    printf '%b' "$2" && head -c 27 /dev/zero
    printf '%b' "$3" && head -c 63 /dev/zero
}
flow '\0222\0031\0235\0106' '\0001' '\0143' >kind.flw
refuses "kind.flw: the model needs a feature that this version of the library does not have (record 0, byte 64, found 99)" \
    kind.flw
flow '\0243\0072\0207\0126' '\0000' '\0143' >none.flw # 0 is found and there is no one number to expect
refuses "none.flw: the model file is malformed (byte 36)" none.flw
