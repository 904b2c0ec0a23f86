#!/bin/sh
# A row that is NaN or infinite ends with exit code 3 after all rows were written; the message says which and why.
. "$(dirname "$0")/support.sh"

printf '1,2,3,4\n\n1,nan,3,4\n5,3,1,0\n1,2,inf,4\n' >x.csv
code=0
flowrt log-prob "$iris" x.csv >out 2>err || code=$?
[ "$code" = 3 ] || broken "exit code $code"
[ "$(cat err)" = "flowrt: x.csv, line 3: the row has a NaN or an infinity (2 of 4 rows are NaN or infinite)" ] || broken "$(cat err)"
[ "$(wc -l <out)" = 4 ] && [ "$(sed -n 2p out)" = nan ] || broken "$(cat out)"
printf '1,2,3,4\n5,3,1,0\n' | flowrt log-prob "$iris" >expected
sed -n '1p;3p' out | cmp - expected || broken "a NaN changed another row"

code=0
flowrt sample "$diabetes" --context 1,2,nan,4 -n 3 --index 5 --seed 1 >out 2>err || code=$?
[ "$code" = 3 ] && [ "$(wc -l <out)" = 3 ] || broken "draws of a context with NaN: exit code $code"
grep -q 'draw 5: the context has a NaN or an infinity (3 of 3 rows' err || broken "$(cat err)"

code=0
printf '1e30,1e30,1e30,1e38\n' | flowrt log-prob "$iris" >out 2>err || code=$?
[ "$code" = 3 ] || broken "a far row: exit code $code, $(cat out)"
grep -q 'standard input, line 1: the result is NaN or infinite, of finite numbers (1 of 1' err || broken "$(cat err)"
