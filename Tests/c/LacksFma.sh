#!/bin/sh
# On a 32-bit ARM core without fused multiply-add, the optional headers and the program flowrt say what is missing
# before a call would end the process.
#   LacksFma.sh CC LIBRARY FLOWRT SOURCE EMULATOR...
set -eu
cc=$1 library=$2 flowrt=$3 source=$4
shift 4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/main.c" <<'C'
#include <flowrt_file.h>
int main(int argc, char **argv)
{
    static flowrt_file file;
    const int opened = argc > 1 && flowrt_file_open(&file, argv[1]);
    printf("%s; %s\n", flowrt_cpu_lacks() == NULL ? "nothing" : flowrt_cpu_lacks(), opened ? "open" : file.error);
    return 0;
}
C
"$cc" -std=c99 -I "$source/include" "$work/main.c" "$library" -o "$work/program"
cd "$source/models"
says() { # CPU TEXT EMULATOR...
    cpu=$1 text=$2
    shift 2
    found=$(QEMU_CPU=$cpu "$@" "$work/program" iris_maf.flw)
    test "$found" = "$text" || { echo "$cpu: '$found', not '$text'"; exit 1; }
}
lacks="VFPv4 (fused multiply-add)"
says cortex-a9 "$lacks; iris_maf.flw: this CPU cannot run it: libflowrt needs $lacks" "$@"
says cortex-a8 "$lacks; iris_maf.flw: this CPU cannot run it: libflowrt needs $lacks" "$@"
says cortex-a7 "nothing; open" "$@"
says cortex-a15 "nothing; open" "$@"

for command in log-prob "sample -n 1" bench; do
    # shellcheck disable=SC2086
    found=$(echo 5.1,3.5,1.4,0.2 | QEMU_CPU=cortex-a9 "$@" "$flowrt" $command iris_maf.flw 2>&1) && { echo "$command: no failure"; exit 1; }
    test "$found" = "flowrt: iris_maf.flw: this CPU cannot run it: libflowrt needs $lacks" || { echo "$command: '$found'"; exit 1; }
done
