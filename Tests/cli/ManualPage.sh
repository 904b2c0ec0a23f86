#!/bin/sh
# The manual page is well-formed:  ManualPage.sh MANDOC PAGE
set -eu
"$1" -T lint -W warning "$2"
"$1" -T utf8 "$2" | grep -q 'flowrt' # it is not empty
