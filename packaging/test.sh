#!/bin/bash
# What `make packages` left in BUILD/packages, as its users meet it:
#   test.sh BUILD [PART...]     parts: again lint multiarch tarballs bare_metal archives meson_project wheels native foreign; all of them without
# Needs root, for a Debian root of its own in BUILD/packages-root (made by debootstrap, once), the cross compilers and qemu-user.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
source=$PWD
build=$(realpath "$1")
shift
packages=$build/packages
parts=${*:-again lint multiarch tarballs bare_metal archives meson_project wheels native foreign}
export PATH=$build/packages-venv/venv/bin:$PATH
version=$(sed -n 's/^#define FLOWRT_VERSION_[A-Z]* \([0-9]*\)$/\1/p' include/flowrt.h | paste -sd.)
work=$(mktemp -d)
root=$build/packages-root
unmount() { if mountpoint -q "$root/proc"; then umount "$root/proc"; fi; }
trap 'unmount; rm -rf "$work"' EXIT
step() { echo "-- $*"; }
fail() { echo "packaging/test.sh: $*" >&2; exit 1; }
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log"; fail "failed: $*"; }; }

# Cross compilers: CPU, Debian's architecture, preset, triplet, emulator
foreign_cpus="aarch64:arm64:aarch64-linux:aarch64-linux-gnu:qemu-aarch64-static
armv7:armhf:armv7hf-linux:arm-linux-gnueabihf:qemu-arm-static
riscv64:riscv64:riscv64-linux:riscv64-linux-gnu:qemu-riscv64-static"

# A program with a model inside, for CMake: `flowrt` is found in an installed tree, or a folder to add.
project() { # folder
    mkdir -p "$1"
    cp models/iris_maf.flw "$1/iris.flw"
    cat >"$1/main.c" <<'C'
#include <flowrt.h>
#include <stdio.h>
#include "iris.h"
IRIS_ALIGNED static unsigned char workspace[IRIS_WORKSPACE_BYTES];
int main(void) {
    flowrt_model model;
    float flower[] = {5.1f, 3.5f, 1.4f, 0.2f}, log_p;
    if (flowrt_model_open(&model, iris, IRIS_SIZE, FLOWRT_OPEN_VERIFY, NULL) != FLOWRT_OK) return 1;
    if (flowrt_log_prob(&model, 1, flower, NULL, 0, &log_p, workspace, sizeof workspace) != FLOWRT_OK) return 2;
    printf("log p = %g\n", log_p);
    return 0;
}
C
    cat >"$1/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.22)
project(program C)
if(FOLDER)
  add_subdirectory("${FOLDER}" flowrt)
else()
  find_package(flowrt 0.1 REQUIRED)
endif()
add_executable(program main.c)
target_link_libraries(program PRIVATE ${LIBRARY})
flowrt_add_model(program iris.flw)
CMAKE
}
answer() { # command...
    local found
    found=$("$@") || fail "$* ended with status $?"
    [ "$found" = "log p = 0.0061486" ] || fail "$* printed '$found'"
}

rounded() { awk '{ printf "log p = %.5g\n", $1 }'; } # what examples-c/density.c prints

again() {
    step "made again: the same bytes"
    (cd "$packages" && sha256sum --quiet -c SHA256SUMS)
    quietly packaging/build.sh "$build" "$work/again"
    diff "$packages/SHA256SUMS" "$work/again/SHA256SUMS" || fail "packages differ from those that were made before"
}

lint() {
    step "lintian: no errors and no warnings"
    # The -dbgsym packages have names without lines, on purpose; a package of symbols may not carry an override.
    quietly lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs,debug-file-with-no-debug-symbols --allow-root "$packages"/*.deb
    grep -v "^running with root" "$work/log" || true
}

tarballs() {
    step "tarballs, with the sources' FLOWRT_PREBUILT, and alone"
    project "$work/program"
    local cpu preset emulator tree options
    while IFS=: read -r cpu _ preset triplet emulator; do
        tree=$work/flowrt-$version-linux-$cpu
        tar -xf "$packages/flowrt-$version-linux-$cpu.tar.gz" -C "$work"
        options=()
        [ -z "$preset" ] || options=("-DCMAKE_TOOLCHAIN_FILE=$source/cmake/toolchain-$preset.cmake")
        quietly cmake -S "$work/program" -B "$work/found-$cpu" "${options[@]}" -DLIBRARY=flowrt::flowrt "-Dflowrt_DIR=$tree/lib/cmake/flowrt"
        quietly cmake -S "$work/program" -B "$work/prebuilt-$cpu" "${options[@]}" -DLIBRARY=flowrt::flowrt_static \
            -DFOLDER="$source" -DFLOWRT_PREBUILT="$tree" -DFLOWRT_SWIFTC=/nonexistent
        for kind in found prebuilt; do
            quietly cmake --build "$work/$kind-$cpu"
            answer ${emulator:+$emulator -L /usr/$triplet} "$work/$kind-$cpu/program"
        done
    done <<<"x86_64::::
$foreign_cpus"
    local taken
    for cpu in aarch64 armv7 riscv64; do
        for taken in "-DFOLDER=$source -DFLOWRT_PREBUILT=$work/flowrt-$version-linux-$cpu" \
            "-Dflowrt_DIR=$work/flowrt-$version-linux-$cpu/lib/cmake/flowrt"; do
            rm -rf "$work/wrong"
            # shellcheck disable=SC2086
            cmake -S "$work/program" -B "$work/wrong" -DLIBRARY=flowrt::flowrt $taken >"$work/log" 2>&1 &&
                fail "a library for $cpu was taken"
            tr -s " \n" "  " <"$work/log" | grep "for $cpu; this build is for the CPU 'x86_64' (64 bit)" >/dev/null ||
                { cat "$work/log"; fail "the reason is not named"; }
        done
    done
}

# Packages of several CPUs that are installed at once may share a path if they agree about its bytes.
multiarch() {
    step "Multi-Arch: same: what the packages of two CPUs share has the same bytes"
    local package arch first
    for package in libflowrt0 libflowrt-dev libflowrt0-dbgsym; do
        for arch in amd64 arm64 armhf riscv64; do
            mkdir -p "$work/multiarch/$package/$arch"
            dpkg-deb -x "$packages/${package}_$version-1_$arch.deb" "$work/multiarch/$package/$arch"
            (cd "$work/multiarch/$package/$arch" && find . -type f -exec sha256sum {} +)
        done | sort -u | awk '{ print $2 }' | sort | uniq -d >"$work/log"
        [ ! -s "$work/log" ] || { cat "$work/log"; fail "$package differs between CPUs there"; }
        first=$(find "$work/multiarch/$package/amd64" -type f | wc -l)
        [ "$first" -gt 0 ] || fail "$package is empty"
    done
}

# Links of the pages in a folder that lead nowhere.
dead_links() { # folder
    (cd "$1" && find . -name '*.md' | while read -r page; do
        sed '/^```/,/^```/d' "$page" | grep -o '](\([^)# ]*\)' | sed 's/^](//' | grep -v '^$\|^[a-z]*:' | while read -r link; do
            [ -e "$(dirname "$page")/$link" ] || echo "$page: $link"
        done
    done)
}

# The example without an operating system, from a tarball alone.
bare_metal() {
    step "examples-c/bare-metal, from the tarball and nothing else"
    local cpu tree example
    for cpu in aarch64 armv7; do
        tree=$work/flowrt-$version-linux-$cpu
        [ -e "$tree" ] || tar -xf "$packages/flowrt-$version-linux-$cpu.tar.gz" -C "$work"
        [ -z "$(dead_links "$tree/share/doc/flowrt")" ] || fail "links that lead nowhere: $(dead_links "$tree/share/doc/flowrt")"
        rm -rf "$work/bare"
        cp -R "$tree/share/doc/flowrt/examples-c" "$work/bare"
        example=$work/bare/bare-metal
        quietly make -C "$example" "CPU=$cpu" "FLOWRT=$tree"
        timeout 60 make -s -C "$example" run "CPU=$cpu" "FLOWRT=$tree" >"$work/found" </dev/null || fail "$cpu: the machine stopped: $(cat "$work/found")"
        "${CC:-cc}" -O2 "-I$source/include" "$example/program.c" "$example/hosted.c" "$build/libflowrt.a" -o "$work/hosted"
        "$work/hosted" | diff - "$work/found" || fail "$cpu: other bits than on this machine"
    done
}

# One archive a CPU, for every C library and for none.
archives() {
    step "the drop-in folder, with glibc, musl, and the linker and flags of Android"
    project "$work/program"
    tar -xf "$packages/flowrt-$version-drop-in.tar.gz" -C "$work"
    local folder=$work/flowrt-$version-drop-in cpu preset triplet emulator options
    while IFS=: read -r cpu _ preset triplet emulator; do
        options=()
        [ -z "$preset" ] || options=("-DCMAKE_TOOLCHAIN_FILE=$source/cmake/toolchain-$preset.cmake")
        quietly cmake -S "$work/program" -B "$work/drop-$cpu" "${options[@]}" -DLIBRARY=flowrt::flowrt -DFOLDER="$folder"
        quietly cmake --build "$work/drop-$cpu"
        answer ${emulator:+$emulator -L /usr/$triplet} "$work/drop-$cpu/program"
    done <<<"x86_64::::
$foreign_cpus"
    quietly cmake -S "$work/program" -B "$work/musl" -DCMAKE_C_COMPILER=musl-gcc -DCMAKE_EXE_LINKER_FLAGS=-static \
        -DLIBRARY=flowrt::flowrt -DFOLDER="$folder"
    quietly cmake --build "$work/musl"
    answer "$work/musl/program"

    # A library as Android's NDK links it: clang, lld, pages of 16 kB, nothing undefined but what Android's libc has. The stub has its
    # functions. A program of this machine then loads it.
    local swift_bin
    swift_bin=$(dirname "$(realpath "$(sed -n 's/^FLOWRT_SWIFTC:[A-Z]*=//p' "$build/CMakeCache.txt")")")
    cat >"$work/android.c" <<'C'
#include <flowrt.h>
extern const unsigned char iris[];
float answer(unsigned size) {
    static _Alignas(64) unsigned char workspace[65536];
    flowrt_model model;
    const float flower[] = {5.1f, 3.5f, 1.4f, 0.2f};
    float log_p = 1;
    if (flowrt_model_open(&model, iris, size, FLOWRT_OPEN_DEFAULT, 0) != FLOWRT_OK) return 2;
    if (flowrt_log_prob(&model, 1, flower, 0, 0, &log_p, workspace, sizeof workspace) != FLOWRT_OK) return 3;
    return log_p;
}
C
    echo 'void memcpy(void) {} void memmove(void) {} void memset(void) {}' >"$work/stub.c"
    cat >"$work/load.c" <<'C'
#include <dlfcn.h>
#include <stdio.h>
int main(int count, char **path) {
    void *library = dlopen(count > 1 ? path[1] : "", RTLD_NOW);
    if (!library) return puts(dlerror()), 1;
    printf("log p = %g\n", ((float (*)(unsigned))dlsym(library, "answer"))(SIZE));
}
C
    local size target
    size=$(stat -c %s models/iris_maf.flw)
    while IFS=: read -r cpu target triplet emulator; do
        quietly "$swift_bin/clang" --target="$target" -O2 -fPIC -ffreestanding -nostdlib "-I$folder/include" -c "$work/android.c" -o "$work/android.o"
        quietly "$swift_bin/clang" --target="$target" -fPIC -Wno-builtin-requires-header -fno-builtin -c "$work/stub.c" -o "$work/stub.o"
        quietly "$swift_bin/clang" --target="$target" -fPIC -c "$work/drop-$cpu/flowrt_models/program/iris.c" -o "$work/iris.o"
        quietly "$swift_bin/clang" --target="$target" -fuse-ld=lld -shared -nostdlib -Wl,-soname,libc.so "$work/stub.o" -o "$work/libc.so"
        quietly "$swift_bin/clang" --target="$target" -fuse-ld=lld -shared -nostdlib -Wl,-z,max-page-size=16384 -Wl,-z,text \
            -Wl,--no-undefined -Wl,--fatal-warnings -Wl,-z,noexecstack -Wl,-z,relro -Wl,-z,now -Wl,--gc-sections -Wl,--build-id=sha1 \
            "$work/android.o" "$work/iris.o" "$folder/lib/$cpu/libflowrt.a" -Wl,--as-needed "$work/libc.so" -o "$work/libandroid.so"
        readelf -lW "$work/libandroid.so" | awk '$1 == "LOAD" && $NF != "0x4000" { exit 1 }' || fail "segments of $cpu not on 16 kB"
        readelf -dW "$work/libandroid.so" | grep TEXTREL && fail "$cpu: relocations in code"
        # The same without Android's libc.so by name, which this machine's loader has not.
        quietly "$swift_bin/clang" --target="$target" -fuse-ld=lld -shared -nostdlib -Wl,-z,max-page-size=16384 -Wl,-z,text \
            "$work/android.o" "$work/iris.o" "$folder/lib/$cpu/libflowrt.a" -o "$work/libandroid.so"
        quietly ${triplet:+$triplet-}gcc "-DSIZE=$size" "$work/load.c" -o "$work/load"
        answer ${emulator:+$emulator -L /usr/$triplet} "$work/load" "$work/libandroid.so"
    done <<'LIST'
x86_64:x86_64-linux-android21::
aarch64:aarch64-linux-android21:aarch64-linux-gnu:qemu-aarch64-static
LIST

    step "the drop-in folder, where CMake knows no system"
    cat >"$work/generic.cmake" <<'CMAKE'
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-linux-gnueabihf-gcc)
set(CMAKE_EXE_LINKER_FLAGS -static)
CMAKE
    quietly cmake -S "$work/program" -B "$work/generic" "-DCMAKE_TOOLCHAIN_FILE=$work/generic.cmake" -DLIBRARY=flowrt::flowrt -DFOLDER="$folder"
    quietly cmake --build "$work/generic"
    answer qemu-arm-static "$work/generic/program"
}

meson_project() {
    step "the drop-in folder with Meson, for this machine and another"
    quietly pip install -q meson ninja
    mkdir -p "$work/meson/subprojects"
    tar -xf "$packages/flowrt-$version-drop-in.tar.gz" -C "$work/meson/subprojects"
    mv "$work/meson/subprojects/flowrt-$version-drop-in" "$work/meson/subprojects/flowrt"
    cp examples-c/density.c examples-c/example.h "$work/meson"
    cat >"$work/meson/meson.build" <<'MESON'
project('program', 'c')
executable('density', 'density.c', dependencies: dependency('flowrt', version: '>=0.1', fallback: 'flowrt'))
MESON
    printf "[binaries]\nc = 'aarch64-linux-gnu-gcc'\n[host_machine]\nsystem = 'linux'\ncpu_family = 'aarch64'\ncpu = 'armv8'\nendian = 'little'\n" \
        >"$work/meson/aarch64.ini"
    for options in "" "--cross-file=$work/meson/aarch64.ini"; do
        rm -rf "$work/meson/build"
        quietly meson setup ${options:+"$options"} "$work/meson/build" "$work/meson"
        quietly meson compile -C "$work/meson/build"
        echo 5.1,3.5,1.4,0.2 | ${options:+qemu-aarch64-static -L /usr/aarch64-linux-gnu} "$work/meson/build/density" models/iris_maf.flw |
            rounded >"$work/answer"
        answer cat "$work/answer"
    done
}

wheels() {
    step "wheels: auditwheel, and an installation without Swift and compiler"
    quietly pip install -q auditwheel
    for wheel in "$packages"/*.whl; do
        # It names the tag with the least demands that the library fulfils. musl is not its question: the file has no needs at all.
        auditwheel show "$wheel" >"$work/log" 2>&1 || { cat "$work/log"; fail "auditwheel refuses $wheel"; }
        tag=$(grep -o '"manylinux_[0-9_]*[a-z][a-z0-9_]*"' "$work/log" | head -n 1 | tr -d '"')
        case $wheel in *"$tag"*) ;; *) cat "$work/log"; fail "${wheel##*/} is $tag, says auditwheel" ;; esac
    done
    quietly python3 -m venv "$work/venv"
    quietly "$work/venv/bin/pip" install "$packages"/flowrt-*x86_64*.whl
    cp models/iris_maf.flw "$work"
    (cd "$work" && env -i PATH=/usr/bin:/bin "$work/venv/bin/python" -c '
import flowrt
m = flowrt.Model("iris_maf.flw")
print("log p = %.5g" % m.log_prob([[5.1, 3.5, 1.4, 0.2]])[0])') >"$work/answer"
    answer cat "$work/answer"
    # The wheel alone serves a C program.
    # shellcheck disable=SC2046
    cc examples-c/density.c $(env -i PATH=/usr/bin:/bin "$work/venv/bin/python" -m flowrt paths --cflags --libs) \
        -o "$work/density"
    echo 5.1,3.5,1.4,0.2 | "$work/density" models/iris_maf.flw | rounded >"$work/answer"
    answer cat "$work/answer"
    # A source distribution installs; it then says what the library needs.
    quietly "$work/venv/bin/pip" uninstall -y flowrt
    quietly "$work/venv/bin/pip" install "$packages/flowrt-$version.tar.gz"
    (cd "$work" && env -i PATH=/usr/bin:/bin "$work/venv/bin/python" -c 'import flowrt; flowrt.Model("iris_maf.flw")') \
        >"$work/log" 2>&1 && fail "a source distribution carries a library"
    grep -q "libflowrt0" "$work/log" || { cat "$work/log"; fail "the error does not say where to get libflowrt"; }
}

# The packages of PACKAGES again as version -2, in this folder: what an upgrade installs.
next_revision() { # architecture folder
    mkdir -p "$2"
    for package in "$packages"/*_"$1".deb; do
        dpkg-deb -R "$package" "$work/relabelled"
        sed -i "s/$version-1/$version-2/" "$work/relabelled/DEBIAN/control"
        dpkg-deb --root-owner-group -Znone --build "$work/relabelled" "$2/$(basename "$package" | sed 's/-1_/-2_/')" >/dev/null
        rm -r "$work/relabelled"
    done
}

native() {
    if [ ! -e "$root/usr/bin/pkg-config" ]; then
        step "a Debian root of its own"
        rm -rf "$root"
        quietly debootstrap --variant=minbase --include=gcc,libc6-dev,pkg-config "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root" \
            "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
    fi
    inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }
    mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
    rm -rf "$root/packages"
    mkdir "$root/packages"
    cp "$packages"/*_amd64.deb models/iris_maf.flw "$root/packages"
    next_revision amd64 "$root/packages"
    inside dpkg --purge libflowrt-dev libflowrt0-dbgsym libflowrt0 flowrt-tools >/dev/null 2>&1 || true
    local before
    use() {
        inside sh -c 'cd /packages && cp -R /usr/share/doc/libflowrt-dev/examples-c/* . &&
            cc density.c $(pkg-config --cflags --libs flowrt) -o shared &&
            cc density.c $(pkg-config --cflags flowrt) -l:libflowrt.a -o static &&
            for program in shared static; do echo 5.1,3.5,1.4,0.2 | ./$program iris_maf.flw; done | uniq' >"$work/found"
        rounded <"$work/found" >"$work/answer"
        answer cat "$work/answer"
        inside sh -c 'ldd /packages/shared' | grep "libflowrt.so.0 => /lib/x86_64-linux-gnu/libflowrt.so.0" >/dev/null || fail "not the library of the package"
        inside sh -c 'echo 5.1,3.5,1.4,0.2 | flowrt log-prob /packages/iris_maf.flw -' | rounded >"$work/answer"
        answer cat "$work/answer"
        for page in man1/flowrt.1.gz man3/flowrt.3.gz man3/flowrt_log_prob.3.gz man3/flowrt_file.3.gz man3/flowrt_file_open.3.gz; do
            test -s "$root/usr/share/man/$page" || fail "no manual page $page"
        done
        # Each example by the command at its beginning.
        inside sh -e -c 'cd /packages && for example in /usr/share/doc/libflowrt-dev/examples-c/*.c; do
                cc $(sed -n "s/^ \*   cc \(.*\)$/\1/p" "$example" | head -n 1) || { echo "$example"; exit 1; }
            done' || fail "an example of the package is not built by the command that it names"
        [ -z "$(dead_links "$root/usr/share/doc/libflowrt-dev")" ] ||
            fail "links that lead nowhere: $(dead_links "$root/usr/share/doc/libflowrt-dev")"
    }
    demo() {
        inside sh -e -c 'mkdir /packages/built && cp -R /usr/share/doc/libflowrt-dev/examples-c /usr/share/doc/libflowrt-dev/models \
            /packages/built && sh /packages/built/examples-c/demo.sh /packages/built' >"$work/demo" 2>&1 || { cat "$work/demo"; fail "demo.sh"; }
        grep -q "20000 draws by one thread, and by two: the same bits" "$work/demo" || { cat "$work/demo"; fail "demo.sh stops early"; }
    }
    # A crash is located from the packages alone: names from the symbols, frames up to main.
    crash() {
        cat >"$work/crash.c" <<'C'
#include <flowrt_file.h>
int main(int count, char **argument) {
    flowrt_file file;
    if (count != 2 || !flowrt_file_open(&file, argument[1])) return 1;
    float log_p[64];
    flowrt_log_prob(&file.model, 64, (const float *)4096, NULL, 0, log_p, file.workspace, file.workspace_size);
}
C
        quietly cc -g "-I$root/usr/include" "$work/crash.c" "-L$root/usr/lib/x86_64-linux-gnu" -lflowrt -o "$work/crash"
        LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu gdb -batch -iex "set debug-file-directory $root/usr/lib/debug" -ex run \
            -ex backtrace --args "$work/crash" models/iris_maf.flw >"$work/trace" 2>&1 </dev/null || true
        for name in Evaluation "in flowrt_log_prob ()" "in main "; do
            grep -qF "$name" "$work/trace" || { cat "$work/trace"; fail "gdb does not show '$name'"; }
        done
    }
    step "install, use, upgrade, use, purge"
    before=$(cd "$root" && find etc usr var/lib -xdev ! -path '*/dpkg/*' ! -path '*/apt/*' ! -name ld.so.cache | sort)
    quietly inside sh -c 'apt-get install -y --no-install-recommends /packages/*-1_amd64.deb'
    inside ldconfig -p | grep libflowrt.so.0 >/dev/null || fail "ldconfig was not run"
    use
    quietly inside sh -c 'apt-get install -y --no-install-recommends /packages/*-2_amd64.deb'
    [ "$(inside dpkg-query -W -f '${Version}' libflowrt-dev)" = "$version-2" ] || fail "not upgraded"
    use
    demo
    crash
    # Symbols for the library that is installed, by its build-id.
    id=$(readelf -n "$root/usr/lib/x86_64-linux-gnu/libflowrt.so.0" | sed -n 's/^ *Build ID: //p')
    [ "$(nm "$root/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug" | wc -l)" -gt 100 ] || fail "no symbols in the -dbgsym package"
    quietly inside sh -c 'dpkg --purge $(dpkg-query -W -f "\${db:Status-Abbrev} \${Package}\n" | sed -n "s/^ii *\(.*flowrt.*\)/\1/p")'
    inside ldconfig -p | grep libflowrt && fail "ldconfig still knows libflowrt"
    diff <(echo "$before") <(cd "$root" && find etc usr var/lib -xdev ! -path '*/dpkg/*' ! -path '*/apt/*' ! -name ld.so.cache | sort) ||
        fail "a purge leaves files"
}

foreign() {
    step "Debian packages of other CPUs: install, use, upgrade, purge"
    local cpu arch triplet emulator other
    while IFS=: read -r cpu arch _ triplet emulator; do
        other=$work/root-$arch
        mkdir -p "$other/var/lib/dpkg/info" "$other/var/lib/dpkg/updates"
        touch "$other/var/lib/dpkg/status"
        next_revision "$arch" "$work/next-$arch"
        manage() { quietly dpkg --root="$other" --log=/dev/null --force-architecture --force-not-root --force-bad-path "$@"; }
        for folder in "$packages" "$work/next-$arch"; do
            manage --install "$folder"/*_"$arch".deb
            PKG_CONFIG_SYSROOT_DIR=$other PKG_CONFIG_LIBDIR=$other/usr/lib/$triplet/pkgconfig pkg-config --cflags --libs flowrt >"$work/flags"
            # shellcheck disable=SC2046
            quietly "$triplet-gcc" "$other/usr/share/doc/libflowrt-dev/examples-c/density.c" $(cat "$work/flags") -o "$work/density"
            echo 5.1,3.5,1.4,0.2 | "$emulator" -L "/usr/$triplet" -E "LD_LIBRARY_PATH=$other/usr/lib/$triplet" "$work/density" \
                models/iris_maf.flw | rounded >"$work/answer"
            answer cat "$work/answer"
            echo 5.1,3.5,1.4,0.2 | "$emulator" "$other/usr/bin/flowrt" log-prob models/iris_maf.flw - | rounded >"$work/answer"
            answer cat "$work/answer"
        done
        # shellcheck disable=SC2046
        manage --purge $(dpkg-query --admindir="$other/var/lib/dpkg" -W -f '${db:Status-Abbrev} ${Package}:${Architecture}\n' |
            awk '$1 == "ii" { print $2 }')
        [ -z "$(find "$other" -name '*flowrt*' ! -path '*/dpkg/*')" ] || fail "$arch: a purge leaves files"
    done <<<"$foreign_cpus"
}

for part in $parts; do $part; done
echo "packaging/test.sh: all passed"
