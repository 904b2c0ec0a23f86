#!/bin/bash
# Pipes: standard input and output, readers who stop, writers who pause, disks that are full; a file is written whole or not.
. "$(dirname "$0")/support.sh"

printf '1,2,3,4\n' >x.csv
flowrt log-prob "$iris" x.csv >expected
flowrt log-prob "$iris" <x.csv >found && same found expected "rows from standard input"
flowrt log-prob "$iris" - -o - <x.csv >found && same found expected "- for both"
flowrt log-prob - x.csv <"$iris" >found && same found expected "a model from standard input"
flowrt log-prob "$iris" x.csv -o /dev/stdout | cmp - expected || broken "/dev/stdout"

set -o pipefail
flowrt sample "$iris" -n 1000000 --seed 1 2>err | head -1 >/dev/null || broken "a reader who stops is a failure: $?"
[ ! -s err ] || broken "a reader who stops: $(cat err)"

# An answer comes while the writer of the pipe waits.
mkfifo rows answers
flowrt log-prob "$iris" - <rows >answers &
exec 8>rows 9<answers
for i in 1 2 3; do
    echo 1,2,3,4 >&8
    read -r -t 20 line <&9 || broken "no answer to row $i before the next one"
    [ "$line" = "$(cat expected)" ] || broken "row $i: $line"
done
exec 8>&- 9<&-
wait

if [ -w /dev/full ]; then
    code=0 && flowrt sample "$iris" -n 10 --seed 1 2>err >/dev/full || code=$?
    [ "$code" = 1 ] && grep -q 'flowrt: standard output: No space left on device' err || broken "a full disk: $code $(cat err)"
    code=0 && flowrt sample "$iris" -n 10 --seed 1 -o /dev/full 2>err || code=$?
    [ "$code" = 1 ] && grep -q 'flowrt: /dev/full: No space left on device' err || broken "-o on a full disk: $code $(cat err)"
fi
code=0 && flowrt sample "$iris" --seed 1 2>err >&- || code=$?
[ "$code" = 1 ] && grep -q 'standard output: Bad file descriptor' err || broken "closed standard output: $code $(cat err)"

# -o: the old file stays until the new one is whole, and keeps its permissions.
echo previous >out.csv && chmod 640 out.csv
printf '1,2,3,4\n1,2,3\n' >wrong.csv
flowrt log-prob "$iris" wrong.csv -o out.csv 2>err && broken "a wrong row is no failure"
[ "$(cat out.csv)" = previous ] || broken "a failure changed the output"
(ulimit -f 1 && exec $tool sample "$iris" -n 100000 --seed 1 -o out.csv) 2>err && broken "a limit of the file size is no failure"
[ "$(cat out.csv)" = previous ] && grep -q 'out.csv: File too large' err || broken "a file that grows too large: $(cat err)"
(ulimit -f 1 && exec $tool sample "$iris" -n 100000 --seed 1 >limited.csv) 2>err && broken "a limit is no failure"
grep -q 'standard output: File too large' err || broken "standard output that grows too large: $(cat err)"
mkfifo slow
$tool log-prob "$iris" slow -o out.csv & # not the function: the signal is for the program
tool_id=$!
exec 8>slow
echo 1,2,3,4 >&8
for _ in $(seq 200); do
    [ -z "$(find . -name '.flowrt-*')" ] || break
    sleep 0.1
done
kill $tool_id
code=0 && wait $tool_id || code=$?
[ "$code" = 143 ] || broken "SIGTERM ended the program with $code"
exec 8>&-
[ -z "$(find . -name '.flowrt-*')" ] || broken "a temporary file is left: $(find . -name '.flowrt-*')"
ln -s out.csv link.csv
flowrt log-prob "$iris" x.csv -o link.csv
same out.csv expected "the output of a link"
[ -L link.csv ] && [ "$(stat -c %a out.csv)" = 640 ] || broken "the link or the permissions are gone"
fails 1 'nowhere/out.csv: No such file or directory' log-prob "$iris" x.csv -o nowhere/out.csv
