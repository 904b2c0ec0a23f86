# For the tests of the command line tool. Each is called as
#   NAME.sh SOURCE METADATA EMULATOR... PROGRAM      (METADATA, see with_metadata.c, runs under the emulator, too)
# and then has: flowrt (the tool), named (makes a model with other metadata), $source, $work (a folder of its own),
# and the models $iris (4 numbers), $diabetes (5 numbers, context of 4), $named (iris with names).
set -eu
source=$1 with_metadata=$2
shift 2
tool="$*"
emulator=${tool% *}
[ "$emulator" != "$tool" ] || emulator=
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
iris=$source/models/iris_maf.flw diabetes=$source/models/diabetes_maf.flw named=$work/named.flw
flowrt() { $tool "$@"; }
$emulator "$with_metadata" "$iris" '{"names": ["a", "b", "c", "d"]}' "$named"

broken() { echo "$@" >&2; exit 1; }

# same A B WHAT: both files have the same bytes.
same() { cmp "$1" "$2" || broken "$3"; }

# fails CODE TEXT ARGUMENT...: the tool ends with this exit code, and standard error has one line, with this text (and the
# line that names the help, after a wrong command line). Standard output has nothing.
fails() {
    expected=$1 text=$2
    shift 2
    code=0
    flowrt "$@" >out 2>err || code=$?
    [ "$code" = "$expected" ] || broken "flowrt $*: exit code $code, not $expected: $(cat err)"
    grep -qF -e "$text" err || broken "flowrt $*: expected '$text', found: $(cat err)"
    lines=$(wc -l <err)
    [ "$lines" = "$((expected == 2 ? 2 : 1))" ] || broken "flowrt $*: $lines lines on standard error: $(cat err)"
    [ ! -s out ] || broken "flowrt $*: printed $(head -c 200 out)"
}
