#!/bin/bash
# The completion of bash loads, and offers commands, options and values; that of zsh parses.
. "$(dirname "$0")/support.sh"

eval "$(flowrt completion bash)"
offers() { # WORDS EXPECTED: of the last word
    read -r -a COMP_WORDS <<<"$1"
    [ "${1% }" = "$1" ] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _flowrt
    [ "${COMPREPLY[*]}" = "$2" ] || broken "after '$1': ${COMPREPLY[*]}, not $2"
}
offers 'flowrt s' sample
offers 'flowrt c' 'check c-array completion'
offers 'flowrt sample --se' --seed
offers 'flowrt sample --format n' npy
offers 'flowrt completion z' zsh
offers 'flowrt help ben' bench
offers 'flowrt log-prob --co' --context
offers 'flowrt log-prob mod' ''
flowrt completion zsh >_flowrt
for command in info check log-prob sample forward inverse bench c-array completion help; do
    grep -q "^    $command)" _flowrt || broken "zsh lacks $command"
done
if command -v zsh >/dev/null; then zsh -n _flowrt; fi
fails 2 'completion: expected bash or zsh, found "fish"' completion fish
