#!/bin/sh
# The golden files of every format version are those that were written then: all of them, and no others.
#   GoldenHashes.sh GOLDEN
set -eu
versions=0
for folder in "$1"/[0-9]*.[0-9]*; do
    cd "$folder"
    sha256sum --check --quiet --strict SHA256SUMS ||
        { echo "files of a released format are never written again: git checkout -- $folder"; exit 1; }
    for file in *.flw *.golden; do
        grep -q " $file\$" SHA256SUMS || {
            echo "$folder/$file is not in SHA256SUMS: cd $folder && sha256sum *.flw *.golden > SHA256SUMS"
            exit 1
        }
    done
    echo "$(basename "$folder"): $(wc -l <SHA256SUMS) files"
    versions=$((versions + 1))
done
test $versions -gt 0
