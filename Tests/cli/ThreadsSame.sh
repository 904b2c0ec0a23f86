#!/bin/sh
# The output has the same bytes for every number of threads and however the rows come, and draws are those of the seed.
. "$(dirname "$0")/support.sh"

n=20001
flowrt sample "$iris" -n $n --seed 3 --threads 1 --log-prob >expected
for threads in 2 3 8; do
    flowrt sample "$iris" -n $n --seed 3 --threads $threads --log-prob >found
    same found expected "$threads threads"
done
cut -d, -f1-4 expected >x.csv
flowrt log-prob "$iris" x.csv --threads 1 >expected
flowrt log-prob "$iris" x.csv --threads 4 >found
same found expected "log p with 4 threads"
{ head -5000 x.csv; sleep 0.2; tail -n +5001 x.csv; } | flowrt log-prob "$iris" --threads 3 >found
same found expected "log p of rows that come in two parts"

flowrt sample "$iris" -n 100 --seed 3 --index 40 >found
sed -n 41,140p x.csv | cmp - found || broken "--index goes on in the middle"
flowrt sample "$iris" -n 100 --seed 3 --stream 1 >found
! cmp -s found expected || broken "another stream has the same draws"
flowrt sample "$iris" -n 5 >one 2>err
flowrt sample "$iris" -n 5 >two 2>err2
! cmp -s one two || broken "two seeds at random are the same"
# shellcheck disable=SC2046
flowrt sample "$iris" -n 5 $(sed 's/^flowrt: //' err) >two
same one two "the seed that is printed draws the same"

awk -F, -v OFS=, '{print $1*30+100, $2*30, 50, 5, 90}' x.csv | head -5000 >rows.csv
awk -F, -v OFS=, '{print 50+$1, NR%2, 25+$2, 90}' x.csv | head -5000 >contexts.csv
flowrt log-prob "$diabetes" rows.csv --context contexts.csv --threads 1 >expected
flowrt log-prob "$diabetes" rows.csv --context contexts.csv --threads 4 >found
same found expected "a context for each row"
flowrt log-prob "$diabetes" --context "$(sed -n 3p contexts.csv)" rows.csv | sed -n 3p >found
sed -n 3p expected | cmp - found || broken "one context for all rows"
sed -n 3p contexts.csv | flowrt log-prob "$diabetes" rows.csv --context - | sed -n 3p >found
sed -n 3p expected | cmp - found || broken "one context from standard input"
flowrt sample "$diabetes" --context contexts.csv --seed 1 >found
[ "$(wc -l <found)" = 5000 ] || broken "a draw for each context"

# Draws for several contexts: as many for each, the numbers of draws go on from one to the next.
head -3 contexts.csv >three.csv
for each in 1 40 5000; do
    flowrt sample "$diabetes" --context three.csv --seed 1 -n $each >found
    for i in 1 2 3; do
        flowrt sample "$diabetes" --context "$(sed -n ${i}p three.csv)" --seed 1 -n $each --index $((each * (i - 1)))
    done >expected
    same found expected "$each draws for each of three contexts"
done
