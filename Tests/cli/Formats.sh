#!/bin/sh
# The same rows in every form of text and as .npy give the same bytes; results come back bit for bit through text and .npy.
. "$(dirname "$0")/support.sh"

flowrt sample "$iris" -n 1000 --seed 7 >x.csv
flowrt log-prob "$iris" x.csv >expected
[ "$(wc -l <expected)" = 1000 ] || broken "1000 rows gave $(wc -l <expected)"

check() { # FILE WHAT
    flowrt log-prob "$iris" "$1" >found
    same found expected "log p of rows $2"
}
tr ',' '\t' <x.csv >tabs && check tabs "between tabs"
tr ',' ';' <x.csv >semicolons && check semicolons "between semicolons"
sed 's/$/\r/' x.csv >crlf && check crlf "with CR LF"
{ printf '\357\273\277' && cat x.csv; } >bom && check bom "after a byte order mark"
{ printf '# about\n\n' && sed 's/,/ , /g; s/^/ /' x.csv; } >spaced && check spaced "with comments and blanks"
{ echo 'p,q,"r ""s""",t' && sed 's/[^,]*/"&"/g' x.csv; } >quoted && check quoted "in quotes, under a header"
printf '%s' "$(cat x.csv)" >no_end && check no_end "without a last end of line"

flowrt sample "$iris" -n 1000 --seed 7 -o x.npy
check x.npy "as .npy"
flowrt sample "$iris" -n 1000 --seed 7 --format npy >y.npy
same x.npy y.npy "an array in a file and in a pipe"
flowrt sample "$iris" -n 1000 --seed 7 --format npy | flowrt log-prob "$iris" - >found
same found expected "an array from a pipe"
flowrt sample "$iris" -n 1000 --seed 7 -o x.tsv
flowrt sample "$iris" -n 1000 --seed 7 --format tsv | cmp - x.tsv
same tabs x.tsv "results between tabs"
flowrt sample "$iris" -n 1000 --seed 7 -o again.csv
same again.csv x.csv "results between commas"

# One dimension: log p in a file, in a file that is standard output, and from a pipe into a pipe, where it is kept.
flowrt log-prob "$iris" x.csv -o p.npy
flowrt log-prob "$iris" x.csv --format npy >p2.npy
flowrt log-prob "$iris" --format npy <x.csv | cat >p3.npy
same p.npy p2.npy "log p as .npy in standard output"
same p.npy p3.npy "log p as .npy in a pipe"
[ "$(wc -c <p.npy)" = $((128 + 4 * 1000)) ] || broken "p.npy has $(wc -c <p.npy) bytes"
printf 'old\n' >appended
flowrt log-prob "$iris" x.csv --format npy >>appended
tail -c +5 appended | cmp - p.npy || broken "an array behind other bytes"

# Through z and back, with the last column that is asked for.
flowrt forward "$iris" x.npy -o z.npy
flowrt forward "$iris" x.npy >z.csv
flowrt inverse "$iris" z.npy >back1
flowrt inverse "$iris" z.csv >back2
same back1 back2 "z through .npy and through text"
flowrt forward "$iris" x.csv --log-det | cut -d, -f1-4 >found
same found z.csv "z beside log|det|"
flowrt sample "$iris" -n 1000 --seed 7 --log-prob | cut -d, -f1-4 >found
same found x.csv "x beside log p"
paste -d, x.csv back1 | awk -F, '{for (i = 1; i <= 4; i++) if (($i - $(i+4))^2 > 1e-6) exit 1}' || broken "inverse(forward(x)) is not x"
