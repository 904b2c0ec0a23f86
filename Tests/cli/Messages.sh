#!/bin/sh
# Each wrong input has its own text: the file, the line and column where there are any, what was expected, what was found.
. "$(dirname "$0")/support.sh"

p() { printf "$@" >in; }
lp() { text=$1; shift; fails 1 "$text" log-prob "$iris" "$@"; }
p '1,2,3,4\n1,2,x,4\n' && lp 'flowrt: in, line 2, column 3: expected a number, found "x"' in
p '1,2,3,4\n\n1,2,3\n' && lp 'flowrt: in, line 3: expected 4 columns, found 3' in
p '1,2,3,4,5\n' && lp 'flowrt: in, line 1: expected 4 columns, found 5' in
p 'a,b,c,d\n1,2,,4\n' && lp 'flowrt: in, line 2, column 3 (c): expected a number, found nothing' in
columns=': columns are separated by commas, semicolons or tabs'
for text in '1,5;2,5;3,5;4,5' '1,5\t2\t3\t4' '"1,5","2","3","4"' '1,234.5;2;3;4'; do # one row, which is no header
    p "$text\n" && lp 'flowrt: in, line 1, column 1: expected a number with a decimal point, found "1,' in
done
p '1 2 3 4\n' && lp "flowrt: in, line 1, column 1: expected a number, found \"1 2 3 4\"$columns" in
p '1.5 -2.5 +3 4\n1 2 3 4\n' && lp "flowrt: in, line 1, column 1: expected a number, found \"1.5 -2.5 +3 4\"$columns" in
p '1,5 2,5 3,5 4,5\n' && lp "flowrt: in, line 1, column 2: expected a number, found \"5 2\"$columns" in
p 'a b c d\n1 2 3 4\n' && lp "flowrt: in, line 1: expected 4 columns, found 1$columns" in
p '1|2|3|4\n' && lp "flowrt: in, line 1: expected 4 columns, found 1$columns" in
p '0-1,1-2,2-3,1st\n1,2,3,4\n' && flowrt log-prob "$iris" in >out || broken "names that begin with digits"
p '1;2,5;3;4\n' && lp 'flowrt: in, line 1, column 2: expected a number with a decimal point, found "2,5"' in
p 'a,b,c,d\n1,"2,3,4\n' && lp 'flowrt: in, line 2, column 2: expected a closing quote and a separator' in
p '' && lp 'flowrt: in: there are no rows' in
p 'a,b,c,d\n' && lp 'flowrt: in: there are no rows' in
p '1,2,3,0x10\n' && lp 'column 4: expected a number, found "0x10"' in
p '1,2,3,\033[31m\n' && lp 'column 4: expected a number, found "?[31m"' in
lp 'expected rows as CSV or .npy, found a .flw model' "$iris"
p 'PK\003\004xxxx' && lp 'in: expected rows as CSV or .npy, found a zip archive (.npz, .xlsx)' in
p '\377\3761\0002\000' && lp 'in: expected rows as CSV or .npy, found UTF-16 text' in
lp 'missing: No such file or directory' missing
lp '.: Is a directory' .
printf '1,2,3,x\n' >in
code=0 && flowrt log-prob "$iris" <in >out 2>err || code=$?
[ "$code" = 1 ] && grep -q 'flowrt: standard input, line 1, column 4: expected' err || broken "standard input: $(cat err)"

# Arrays.
array() { # DICTIONARY: then 32 bytes of numbers
    length=$(printf '%s\n' "$1" | wc -c)
    { printf "\\223NUMPY\\001\\000\\$(printf %03o "$length")\\000" && printf '%s\n' "$1" && printf '%032d' 0; } >in.npy
}
array "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }"
flowrt log-prob "$iris" in.npy >out || broken "an array that is right"
array "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 4), }"
lp "in.npy: expected numbers '<f4' or '<f8' (float32, float64), found '<i8'" in.npy
array "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 4), }"
lp "found '>f4'" in.npy
array "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 4), }"
lp "in.npy: expected rows in C order, found Fortran order" in.npy
array "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 2), }"
lp "in.npy: expected an array (n, 4), found (4, 2)" in.npy
array "{'descr': '<f4', 'fortran_order': False, 'shape': (8,), }"
lp "in.npy: expected an array (n, 4), found (8,)" in.npy
array "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 4), }"
lp "in.npy: expected an array of 1 or 2 dimensions, found 3" in.npy
array "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }"
lp "in.npy: expected 3 rows, the file ends in row 2" in.npy
array "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 4), }"
lp "in.npy: expected 1 rows, found bytes behind the last one" in.npy
array "{'descr': '<f4', 'fortran_order': False}"
lp "in.npy: the header lacks descr, fortran_order or shape" in.npy
head -c 40 in.npy >short.npy
lp "short.npy: the file ends within its header" short.npy

# Context.
p '1,2,3,4,5\n'
fails 2 'needs a context of 4 numbers: --context FILE or --context NUMBERS' log-prob "$diabetes" in
fails 2 '--context: expected 4 numbers, found 2' log-prob "$diabetes" in --context 1,2
fails 2 '--context: expected 4 numbers, found 0' log-prob "$diabetes" in --context ''
fails 2 'found 8: a comma separates numbers, and is no decimal point' log-prob "$diabetes" in --context '1,5;2,5;3,5;4,5'
fails 2 '--context: expected a number, found "abc"' bench "$diabetes" --context '51,1,31.5,abc'
fails 1 'nofile: No such file or directory' log-prob "$diabetes" in --context nofile
fails 2 'takes no context' sample "$iris" --context 1
fails 2 'takes no context' bench "$iris" --context 1
p '1,2,3,4,5\n1,2,3,4,5\n1,2,3,4,5\n' && printf '1,2,3,4\n1,2,3,4\n' >c
fails 1 'c has 2 rows: expected 1, or as many as in (3)' log-prob "$diabetes" in --context c
p '1,2,3,4,5\n'
code=0 && flowrt log-prob "$diabetes" in --context c >out 2>err || code=$? # after the rows that had one
[ "$code" = 1 ] && grep -qF 'c has 2 rows: expected 1, or as many as in (1)' err || broken "too many contexts: $(cat err)"

# Models.
head -c 3000 "$iris" >cut.flw
fails 1 'cut.flw: ' log-prob cut.flw in
fails 1 'in the header, byte' info "$0"
cp "$iris" damaged.flw && printf 'x' | dd of=damaged.flw bs=1 seek=2000 conv=notrunc status=none
fails 1 'damaged.flw: ' check damaged.flw
[ "$(flowrt check "$iris")" = "$iris: valid, format 1.0, $(wc -c <"$iris") bytes" ] || broken "check of a valid file"
code=0 && flowrt check "$iris" damaged.flw "$iris" >out 2>err || code=$?
[ "$code" = 1 ] && [ "$(wc -l <out)" = 2 ] || broken "check goes on behind a damaged file"

# The command line: exit code 2, and where to read.
fails 2 'expected a command'
fails 2 'unknown command "fly"' fly
fails 2 'log-prob: expected MODEL [ROWS]' log-prob
fails 2 'log-prob: unexpected "c"' log-prob a b c
fails 2 'unknown command "smaple": did you mean sample?' smaple
fails 2 'sample: unknown option --cuont: did you mean --count?' sample "$iris" --cuont 3
fails 2 'sample: unknown option --thread: did you mean --threads?' sample "$iris" --thread 3
fails 2 'sample: unknown option --counts: did you mean --count?' sample "$iris" --counts 3
fails 2 'sample: --count needs N' sample "$iris" --count
fails 2 'info: --json takes no value' info --json=1 "$iris"
fails 2 'sample: --seed is there twice' sample "$iris" --seed 1 --seed 2
fails 2 'sample: --count: expected a whole number from 0 to 2^64 - 1, found "-1"' sample "$iris" -n -1
fails 2 'found "18446744073709551616"' sample "$iris" --seed 18446744073709551616
fails 2 'there are draws 0 to 2^64 - 1 alone' sample "$iris" --index 18446744073709551615 -n 2
fails 2 '--threads: expected 0 to' sample "$iris" --threads 5000
fails 2 '--format: expected csv, tsv or npy, found "xml"' sample "$iris" --format xml
fails 2 'standard input can be one thing only' log-prob "$diabetes" --context -
fails 2 "'int' is a keyword of C or C++" c-array "$iris" --name int
fails 2 "'3d' is not a C identifier" c-array "$iris" --name 3d
