#!/bin/sh
# What a fresh machine lacks, so that `make` needs nothing but swiftc, a C compiler, make and python3.
#   setup.sh tools BUILD                cmake, in BUILD/venv where it cannot be installed system-wide
#   setup.sh test-tools BUILD           pkg-config, a C++ compiler and git, which tests use
#   setup.sh bench-tools BUILD          OpenBLAS for C
#   setup.sh python BUILD [package...]  a virtual environment BUILD/venv with these packages
set -eu
what=$1 build=$2
shift 2
venv=$build/venv

install_system() { # package...
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        DEBIAN_FRONTEND=noninteractive
        export DEBIAN_FRONTEND
        apt-get install -y -q --no-install-recommends "$@" >/dev/null 2>&1 ||
            { apt-get update -q >/dev/null && apt-get install -y -q --no-install-recommends "$@" >/dev/null; }
    else
        return 1
    fi
}

make_venv() {
    [ -x "$venv/bin/pip" ] && return
    command -v python3 >/dev/null || install_system python3 || { echo "python3 is needed" >&2; exit 1; }
    python3 -c 'import ensurepip, venv' 2>/dev/null || install_system python3-venv ||
        { echo "python3 has no venv module: install python3-venv" >&2; exit 1; }
    rm -rf "$venv"
    python3 -m venv "$venv"
}

case $what in
tools)
    command -v cmake >/dev/null || [ -x "$venv/bin/cmake" ] || install_system cmake ||
        { make_venv && "$venv/bin/pip" install -q cmake; }
    ;;
test-tools)
    command -v pkg-config >/dev/null || install_system pkg-config || { echo "pkg-config is needed" >&2; exit 1; }
    command -v git >/dev/null || install_system git || { echo "git is needed" >&2; exit 1; }
    command -v c++ >/dev/null || install_system g++ || { echo "a C++ compiler (c++) is needed" >&2; exit 1; }
    ;;
bench-tools)
    echo '#include <cblas.h>' | ${CC:-cc} -E - >/dev/null 2>&1 || install_system libopenblas-dev ||
        { echo "OpenBLAS for C (libopenblas-dev) is needed" >&2; exit 1; }
    ;;
python)
    make_venv
    [ $# = 0 ] || "$venv/bin/pip" install -q "$@"
    ;;
*)
    echo "setup.sh: unknown part $what" >&2
    exit 2
    ;;
esac
