#!/bin/bash
# Every command of docs/CLI.md runs as printed and prints what the page says.
. "$(dirname "$0")/support.sh"
export PATH="$work/bin:$PATH"
mkdir bin && printf '#!/bin/sh\nexec %s "$@"\n' "$tool" >bin/flowrt && chmod +x bin/flowrt
unset -f flowrt
ln -s "$source/models" models
sed -n '/^```console$/,/^```$/p' "$source/docs/CLI.md" | sed '/^```/d' >session
grep -c '^\$ ' session >/dev/null || broken "docs/CLI.md has no commands"
: >found
while IFS= read -r line; do
    case $line in
    '$ '*)
        printf '%s\n' "$line" >>found
        bash -c "${line#\$ }" >>found 2>&1 || true
        ;;
    esac
done <session
diff session found || broken "docs/CLI.md prints something else"
