#!/bin/sh
# A million rows pass through bounded memory (64 MB of address space for data).
. "$(dirname "$0")/support.sh"
ulimit -d 65536
flowrt sample "$iris" -n 1000000 --seed 1 --threads 2 | flowrt log-prob "$iris" --threads 2 | wc -l >lines
[ "$(cat lines)" = 1000000 ] || broken "$(cat lines) rows of 1000000"
