#!/bin/sh
# What a fresh machine lacks, so that `make` needs nothing but swiftc, a C compiler, make and python3. Each thing that is installed is
# announced in a line. Packages of the system need root, or sudo without a password; else the line says what to install.
#   setup.sh tools BUILD                cmake (in BUILD/venv where it cannot be installed system-wide), libraries that swiftc links to
#   setup.sh test-tools BUILD           pkg-config, a C++ compiler, git and others that tests use
#   setup.sh cross-tools BUILD          compilers and emulators of the other CPUs
#   setup.sh package-tools BUILD        what packaging/test.sh uses
#   setup.sh bench-tools BUILD          OpenBLAS for C
#   setup.sh python BUILD [package...]  a virtual environment BUILD/venv with these packages
set -eu
what=$1 build=$2
shift 2
venv=$build/venv

have() { command -v "$1" >/dev/null 2>&1; }
fail() { echo "setup: $*" >&2; exit 1; }

# How packages of the system can be installed: the words before apt-get, or a failure.
may_install() {
    have apt-get || return 1
    if [ "$(id -u)" = 0 ]; then as=; elif have sudo && sudo -n true 2>/dev/null; then as="sudo -n"; else return 1; fi
}

apt() { $as env DEBIAN_FRONTEND=noninteractive apt-get -y -q "$@"; }

# install PURPOSE PACKAGE...: Debian's packages, or their names for who may install them.
install() {
    purpose=$1
    shift
    may_install || fail "$purpose: $* missing. As root: apt-get install $*"
    echo "setup: installing $* ($purpose)"
    mkdir -p "$build"
    apt install --no-install-recommends "$@" >"$build/setup.log" 2>&1 ||
        { apt update && apt install --no-install-recommends "$@"; } >"$build/setup.log" 2>&1 ||
        { tail -n 20 "$build/setup.log" >&2; fail "$purpose: $* could not be installed"; }
}

# lacking COMMAND=PACKAGE...: the packages whose commands are not there.
lacking() {
    for pair in "$@"; do
        have "${pair%%=*}" || echo "${pair#*=}"
    done
}

# packages PURPOSE COMMAND=PACKAGE...: installs those that are missing.
packages() {
    purpose=$1
    shift
    missing=$(lacking "$@")
    # shellcheck disable=SC2086
    [ -z "$missing" ] || install "$purpose" $missing
}

# The libraries that programs of the Swift toolchain ask for and this system has not, as Debian's packages.
swift_libraries() {
    for folder in ${FLOWRT_SWIFTC:+"$(dirname "$FLOWRT_SWIFTC")"} "$(dirname "$(command -v swiftc || echo /nowhere/swiftc)")" \
        /opt/swift/usr/bin /usr/share/swift/usr/bin "$HOME/.local/share/swiftly/bin"; do
        [ -x "$folder/swiftc" ] || continue
        folder=$(dirname "$(readlink -f "$folder/swiftc")")
        ldd "$folder/swift-frontend" "$folder/clang" "$folder/swift-package" 2>/dev/null |
            sed -n 's/^[[:space:]]*\(lib.*\) => not found.*/\1/p' | sort -u | while read -r library; do
            case $library in
            libncurses.so.6 | libform.so.6 | libpanel.so.6) echo libncurses6 ;;
            libcurl.so.4) echo libcurl4 ;;
            libxml2.so.2) echo libxml2 ;;
            libsqlite3.so.0) echo libsqlite3-0 ;;
            libedit.so.2) echo libedit2 ;;
            libz.so.1) echo zlib1g ;;
            libuuid.so.1) echo libuuid1 ;;
            libstdc++.so.6) echo libstdc++6 ;;
            esac
        done | sort -u
        return
    done
}

make_venv() {
    [ -x "$venv/bin/pip" ] && return
    have python3 || install "tools in Python" python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || install "virtual environments of Python" python3-venv
    echo "setup: making $venv"
    rm -rf "$venv"
    python3 -m venv "$venv"
}

case $what in
tools)
    missing=$(swift_libraries)
    # shellcheck disable=SC2086
    [ -z "$missing" ] || install "libraries of swiftc" $missing
    if ! have cmake && ! [ -x "$venv/bin/cmake" ]; then
        if may_install; then
            install "build" cmake
        else
            make_venv
            echo "setup: installing cmake in $venv"
            "$venv/bin/pip" install -q cmake
        fi
    fi
    ;;
test-tools)
    packages "tests" pkg-config=pkg-config git=git c++=g++
    ;;
cross-tools)
    packages "other CPUs" aarch64-linux-gnu-gcc=gcc-aarch64-linux-gnu arm-linux-gnueabihf-gcc=gcc-arm-linux-gnueabihf \
        riscv64-linux-gnu-gcc=gcc-riscv64-linux-gnu qemu-aarch64-static=qemu-user-static
    missing=
    for pair in aarch64-linux-gnu=arm64 arm-linux-gnueabihf=armhf riscv64-linux-gnu=riscv64; do
        [ -e "/usr/${pair%=*}/include/stdio.h" ] || missing="$missing libc6-dev-${pair#*=}-cross"
    done
    # shellcheck disable=SC2086
    [ -z "$missing" ] || install "other CPUs" $missing
    ;;
package-tools)
    packages "tests of packages" lintian=lintian debootstrap=debootstrap musl-gcc=musl-tools pkg-config=pkg-config
    ;;
bench-tools)
    echo '#include <cblas.h>' | ${CC:-cc} -E - >/dev/null 2>&1 || install "benchmarks" libopenblas-dev
    ;;
python)
    make_venv
    [ $# = 0 ] || "$venv/bin/pip" install -q "$@"
    ;;
*)
    fail "unknown part $what"
    ;;
esac
