#!/bin/sh
# bench prints times of both verbs for four numbers of rows, with and without a context.
. "$(dirname "$0")/support.sh"
for model in "$iris" "$diabetes --context 51,1,31.5,93"; do
    # shellcheck disable=SC2086
    flowrt bench $model >table
    tail -4 table | awk '$1 < 1 || $2 <= 0 || $3 <= 0 || NF != 3 {exit 1} {rows = rows $1 " "} END {exit rows != "1 16 256 4096 "}' ||
        broken "$(cat table)"
done
fails 2 'takes no context' bench "$iris" --context 1
