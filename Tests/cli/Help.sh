#!/bin/sh
# Help, manual page and page tell of every command and option.
. "$(dirname "$0")/support.sh"

page=$source/docs/flowrt.1
flowrt --help >help
for command in info check log-prob sample forward inverse bench c-array completion help; do
    grep -q "^  $command " help || broken "help lacks $command"
    flowrt help "$command" >one
    flowrt "$command" --help | cmp - one || broken "$command --help"
    grep -q "^\.It Cm $command\( \|\$\)" "$page" || broken "flowrt.1 lacks the command $command"
    grep -q "flowrt $command" "$source/docs/CLI.md" || broken "docs/CLI.md lacks the command $command"
    sed -n 's/^.*  --\([a-z-]*\) .*/\1/p; s/^.*, --\([a-z-]*\) .*/\1/p' one
done | sort -u >options
[ "$(wc -l <options)" = 14 ] || broken "help has other options: $(cat options)"
while read -r option; do
    grep -q -e "Fl -$option\b" "$page" || broken "flowrt.1 lacks --$option"
    grep -q -e "--$option" "$source/docs/CLI.md" || broken "docs/CLI.md lacks --$option"
done <options
version=$(sed -n 's/^#define FLOWRT_VERSION_M[AI][JN]OR //p; s/^#define FLOWRT_VERSION_PATCH //p' \
    "$source/include/flowrt.h" | paste -sd.)
flowrt --version | grep -q "^flowrt $version" || broken "$(flowrt --version)"
