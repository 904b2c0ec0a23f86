# Tarballs and drop-in folder: functions of build.sh.

# archive FOLDER: $work/FOLDER as $out/FOLDER.tar.gz, with nothing of this machine or day in it.
archive() {
    chmod -R u=rwX,go=rX "$work/$1"
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --format=ustar -C "$work" -cf - "$1" |
        gzip -9n >"$out/$1.tar.gz"
}

# manual FOLDER: the manual pages of the headers, and one for each function that leads there.
manual() {
    python3 packaging/manual.py "$1" "$version" "$(date -u -d "@$SOURCE_DATE_EPOCH" +%F)"
}

# command_line ROOT FOLDER: the program flowrt with its manual page and completions.
command_line() {
    cmake --install "$2" --prefix "$1" --component tools >"$work/log" || { cat "$work/log"; exit 1; }
    # This machine runs only its own; they all write the same.
    mkdir -p "$1/share/bash-completion/completions" "$1/share/zsh/vendor-completions"
    "$build/bin/flowrt" completion bash >"$1/share/bash-completion/completions/flowrt"
    "$build/bin/flowrt" completion zsh >"$1/share/zsh/vendor-completions/_flowrt"
}

tarball() { # CPU FOLDER
    name=flowrt-$version-linux-$1
    root=$work/$name
    cmake --install "$2" --prefix "$root" --component flowrt >"$work/log" || { cat "$work/log"; exit 1; }
    rm -rf "$root/share/doc"
    python3 packaging/pages.py "$root/share/doc/flowrt"
    manual "$root/share/man/man3"
    command_line "$root" "$2"
    archive "$name"
}

drop_in_cpu() { # CPU FOLDER
    mkdir -p "$work/flowrt-$version-drop-in/lib/$1"
    cp "$2/libflowrt.a" "$work/flowrt-$version-drop-in/lib/$1"
}

drop_in() {
    root=$work/flowrt-$version-drop-in
    mkdir -p "$root/include"
    cp include/*.h "$root/include"
    cp packaging/drop-in/* cmake/FlowrtModel.cmake cmake/FlowrtModelSource.cmake cmake/FlowrtPrebuiltCpu.cmake LICENSE NOTICE "$root"
    sed -i "s/@VERSION@/$version/" "$root/meson.build"
    archive "flowrt-$version-drop-in"
}
