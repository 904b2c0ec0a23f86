#!/bin/sh
# Everything that a release hands out, from the libraries in BUILD and BUILD/<preset>: `make packages`.
#   build.sh BUILD [OUTPUT]     leaves in OUTPUT (BUILD/packages)
#     flowrt-VERSION-linux-CPU.tar.gz       a tree for any prefix: libraries, header, pkg-config, CMake, manual, pages, examples
#     flowrt-VERSION-drop-in.tar.gz         one folder to copy into a project: header, libflowrt.a of each CPU, a CMake file
#     libflowrt0, libflowrt0-dbgsym, libflowrt-dev, flowrt-tools _VERSION-1_ARCH.deb
#     flowrt-VERSION-py3-none-....whl       Python with the library; flowrt-VERSION.tar.gz, without
#     SHA256SUMS
# The same commit gives the same bytes. DEBIAN_REVISION (1) is for a second package of the same version.
set -eu
umask 022
export LC_ALL=C
cd "$(dirname "$0")/.."
build=$(realpath "$1")
out=$(realpath -m "${2:-$build/packages}")
version=$(sed -n 's/^#define FLOWRT_VERSION_[A-Z]* \([0-9]*\)$/\1/p' include/flowrt.h | paste -sd.)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1767225600)}
export SOURCE_DATE_EPOCH
debian_version=$version-${DEBIAN_REVISION:-1}
work=$out/work
if [ -e "$out" ] && [ ! -e "$out/SHA256SUMS" ] && [ ! -e "$work" ]; then
    echo "build.sh: $out is there, and no earlier output of this script" >&2
    exit 1
fi
test "$(uname -m)" = x86_64 || { echo "build.sh: the packages of all CPUs are made on x86-64, not on $(uname -m)" >&2; exit 1; }
rm -rf "$out"
mkdir -p "$work"

# cpu, its folder of the build, Debian's architecture, GNU triplet
cpus="x86_64:$build:amd64:x86_64-linux-gnu
aarch64:$build/aarch64-linux:arm64:aarch64-linux-gnu
armv7:$build/armv7hf-linux:armhf:arm-linux-gnueabihf
riscv64:$build/riscv64-linux:riscv64:riscv64-linux-gnu"

. packaging/parts.sh
. packaging/deb.sh

for line in $cpus; do
    IFS=: read -r cpu folder arch triplet <<LINE
$line
LINE
    test -f "$folder/libflowrt.a" || { echo "build.sh: no $folder/libflowrt.a; 'make packages' builds it" >&2; exit 1; }
    echo "== $cpu"
    tarball "$cpu" "$folder"
    debian_packages "$cpu" "$folder" "$arch" "$triplet"
    drop_in_cpu "$cpu" "$folder"
done
drop_in
echo "== Python"
"$build/packages-venv/venv/bin/python" packaging/wheels.py "$version" "$out" "$work"

rm -rf "$work"
cd "$out"
sha256sum -- * >SHA256SUMS
ls -l
