#!/bin/sh
# Columns are found by the names that the model has; a header is otherwise passed over.
. "$(dirname "$0")/support.sh"

printf '1,2,3,4\n5,3,1,0\n' >plain
flowrt log-prob "$named" plain >expected
printf 'd;id;c;b;a\n4;x;3;2;1\n0;;1;3;5\n' >mixed
flowrt log-prob "$named" mixed >found
same found expected "columns in another order, with one more"
printf 'a,b,c,d\n1,2,3,4\n5,3,1,0\n' | flowrt log-prob "$named" >found
same found expected "columns in the model's order"
printf 'd,c,b,a\n1,2,3,4\n5,3,1,0\n' | flowrt log-prob "$iris" - >found
same found expected "a header for a model without names"
printf 'd,c,b,a\n1,2,3,4\n5,3,1,0\n' | flowrt inverse "$named" - >found
flowrt inverse "$iris" plain >expected
same found expected "z has no names"

printf 'a,b,e,d\n1,2,3,4\n' >wrong
fails 1 'wrong, line 1: expected a column "c", found a, b, e, d' log-prob "$named" wrong
printf 'a,b,c,d,c\n1,2,3,4,5\n' >twice
fails 1 'twice, line 1, column 5: a second column "c"' log-prob "$named" twice
printf 'a,b,c,c\n1,2,3,4\n' >twice
fails 1 'twice, line 1, column 4: a second column "c"' log-prob "$iris" twice
printf 'd,id,c,b,a\n4,7,x,2,1\n' >place
fails 1 'place, line 2, column 3 (c): expected a number, found "x"' log-prob "$named" place

[ "$(flowrt sample "$named" --seed 1 --header | head -1)" = a,b,c,d ] || broken "the names of draws"
[ "$(flowrt forward "$named" plain --header --log-det | head -1)" = z0,z1,z2,z3,log_det ] || broken "the names of z"
[ "$(flowrt log-prob "$named" plain --header | head -1)" = log_prob ] || broken "the name of log p"
flowrt sample "$named" --seed 1 -n 9 --header | flowrt log-prob "$named" >found
[ "$(wc -l <found)" = 9 ] || broken "draws with a header are read again"
