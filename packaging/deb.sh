# Debian packages: functions of build.sh. They install what `make install` installs, with the libraries where Debian has them.

# first_version SYMBOL: the first release whose header has it (Tests/abi), else this one.
first_version() {
    for header in $(ls -d Tests/abi/[0-9]*/flowrt.h | sort -V); do
        if grep -qw "$1" "$header"; then
            basename "$(dirname "$header")"
            return
        fi
    done
    echo "$version"
}

# control PACKAGE ARCH SECTION LINE...: DEBIAN/control of $work/deb/PACKAGE; the lines are further fields, the description last.
control() {
    root=$work/deb/$1
    mkdir -p "$root/DEBIAN"
    {
        printf 'Package: %s\nSource: flowrt\nVersion: %s\nArchitecture: %s\nMaintainer: %s\n' "$1" "$debian_version" "$2" \
            "${DEBIAN_MAINTAINER:-The flowrt authors <flowrt@packages.invalid>}"
        printf 'Installed-Size: %s\nSection: %s\nPriority: optional\n' "$(du -k --apparent-size -s "$root" | cut -f1)" "$3"
        shift 3
        for line in "$@"; do printf '%s\n' "$line"; done
        cat "packaging/debian/${root##*/}.description"
    } >"$root/DEBIAN/control"
}

# finish PACKAGE ARCH: the papers that every package has, then the package.
finish() {
    root=$work/deb/$1
    doc=$root/usr/share/doc/$1
    mkdir -p "$doc"
    if [ "$1" = "$runtime-dbgsym" ]; then # has nothing but symbols
        rmdir "$doc"
        ln -s "$runtime" "$doc"
        seal "$@"
        return
    fi
    cp packaging/debian/copyright "$doc/copyright"
    gzip -9n <CHANGELOG.md >"$doc/changelog.gz"
    printf 'flowrt (%s) unstable; urgency=medium\n\n  * See changelog.gz for what is new.\n\n -- %s  %s\n' "$debian_version" \
        "${DEBIAN_MAINTAINER:-The flowrt authors <flowrt@packages.invalid>}" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" |
        gzip -9n >"$doc/changelog.Debian.gz"
    if [ -f "packaging/debian/$1.lintian-overrides" ]; then
        mkdir -p "$root/usr/share/lintian/overrides"
        cp "packaging/debian/$1.lintian-overrides" "$root/usr/share/lintian/overrides/$1"
    fi
    cp NOTICE "$doc"
    find "$root" -name '*.[13]' -exec gzip -9n {} +
    seal "$@"
}

seal() { # PACKAGE ARCH
    root=$work/deb/$1
    (cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
    chmod -R u=rwX,go=rX "$root"
    find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group -Zxz --build "$root" "$out/$1_${debian_version}_$2.deb" >/dev/null
}

debian_packages() { # CPU FOLDER ARCH TRIPLET
    folder=$2 arch=$3 triplet=$4
    prefix=$triplet-
    # The machine's own tools, where there are no others of this name.
    command -v "${prefix}strip" >/dev/null || prefix=
    deb=$work/deb
    rm -rf "$deb"
    cmake --install "$folder" --prefix "$deb/all/usr" --component debian >"$work/log" || { cat "$work/log"; exit 1; }
    lib=usr/lib/$triplet
    library=libflowrt.so.$version
    soname=libflowrt.so.${version%%.*}
    runtime=libflowrt${version%%.*}

    # The names of all functions, for debuggers and profilers, by the build-id that the library has.
    id=$("${prefix}readelf" -n "$deb/all/$lib/$library" | sed -n 's/^ *Build ID: //p')
    debug=usr/lib/debug/.build-id/$(echo "$id" | cut -c1-2)
    mkdir -p "$deb/$runtime-dbgsym/$debug"
    "${prefix}objcopy" --only-keep-debug "$deb/all/$lib/$library" "$deb/$runtime-dbgsym/$debug/$(echo "$id" | cut -c3-).debug"
    chmod 644 "$deb/$runtime-dbgsym/$debug"/*.debug
    control "$runtime-dbgsym" "$arch" debug "Depends: $runtime (= $debian_version)" "Multi-Arch: same" \
        "Auto-Built-Package: debug-symbols" "Build-Ids: $id"
    finish "$runtime-dbgsym" "$arch"

    mkdir -p "$deb/$runtime/$lib" "$deb/$runtime/DEBIAN"
    "${prefix}strip" --strip-unneeded --remove-section=.comment -o "$deb/$runtime/$lib/$library" "$deb/all/$lib/$library"
    ln -s "$library" "$deb/$runtime/$lib/$soname"
    chmod 644 "$deb/$runtime/$lib/$library"
    echo "libflowrt ${version%%.*} $runtime (>= $version)" >"$deb/$runtime/DEBIAN/shlibs"
    echo "activate-noawait ldconfig" >"$deb/$runtime/DEBIAN/triggers"
    {
        echo "$soname $runtime #MINVER#"
        echo "* Build-Depends-Package: libflowrt-dev"
        "${prefix}nm" -D --defined-only "$deb/all/$lib/$library" | while read -r _ _ symbol; do
            case $symbol in
            FLOWRT_0*) echo " FLOWRT_0@FLOWRT_0 $(first_version flowrt_model_open)" ;;
            *) echo " ${symbol%%@*}@FLOWRT_0 $(first_version "${symbol%%@*}")" ;;
            esac
        done | sort
    } >"$deb/$runtime/DEBIAN/symbols"
    control "$runtime" "$arch" libs "Multi-Arch: same"
    finish "$runtime" "$arch"

    dev=$deb/libflowrt-dev
    mkdir -p "$dev/$lib"
    mv "$deb/all/usr/include" "$dev/usr/include"
    mv "$deb/all/$lib/pkgconfig" "$deb/all/$lib/cmake" "$dev/$lib"
    ln -s "$soname" "$dev/$lib/libflowrt.so"
    "${prefix}strip" --strip-debug --enable-deterministic-archives --remove-section=.comment \
        -o "$dev/$lib/libflowrt.a" "$deb/all/$lib/libflowrt.a"
    manual "$dev/usr/share/man/man3"
    python3 packaging/pages.py "$dev/usr/share/doc/libflowrt-dev" CHANGELOG.md LICENSE # which Debian has by other names
    control libflowrt-dev "$arch" libdevel "Multi-Arch: same" "Depends: $runtime (= $debian_version)" "Suggests: flowrt-tools, pkg-config"
    finish libflowrt-dev "$arch"

    command_line "$deb/flowrt-tools/usr" "$folder"
    "${prefix}strip" --strip-unneeded --remove-section=.comment "$deb/flowrt-tools/usr/bin/flowrt"
    control flowrt-tools "$arch" science "Multi-Arch: foreign" "Suggests: libflowrt-dev"
    finish flowrt-tools "$arch"
}
