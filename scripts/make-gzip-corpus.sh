#!/bin/sh
# Makes the corpus of the gzip benchmark from Debian packages: one file for each kind of data, in FOLDER.
# Usage: make-gzip-corpus.sh FOLDER
# Needs apt-get with package lists (apt-get update) and dpkg-deb; installs nothing.
set -eu

folder=${1:?usage: make-gzip-corpus.sh FOLDER}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Unpacks the packages named after the folder; the package files stay in $work/debs.
unpack() {
    target=$1
    shift
    mkdir -p "$target" "$work/debs"
    for package in "$@"; do
        (cd "$work/debs" && apt-get download -qq -o APT::Sandbox::User=root "$package")
        for file in "$work/debs/${package}"_*.deb; do
            dpkg-deb --extract "$file" "$target"
        done
    done
}

# Writes a tar whose bytes depend only on the files.
pack() {
    tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$1" -cf "$2" .
}

unpack "$work/rootfs" base-files bash coreutils dpkg apt libapt-pkg6.0 libc6 libc-bin util-linux mount \
    systemd libsystemd0 libsystemd-shared udev perl-base perl-modules-5.36 libperl5.36 tzdata \
    libssl3 openssl libgnutls30 libstdc++6 libicu72 libsqlite3-0 grep sed tar gzip findutils debianutils login passwd \
    python3.11-minimal libpython3.11-minimal libpython3.11-stdlib git libcurl4
pack "$work/rootfs" "$folder/rootfs.tar"

unpack "$work/elf" gdb containerd
(cd "$work/elf" && cat usr/bin/gdb usr/bin/containerd usr/bin/ctr) > "$folder/elf.bin"

unpack "$work/python" python3-django python3-sympy
pack "$work/python/usr/lib/python3" "$folder/python.tar"

unpack "$work/text" perl-doc
pack "$work/text" "$folder/text.tar"

unpack "$work/jar" libicu4j-java libguava-java
find -L "$work/jar/usr/share/java" -type f -name '*.jar' -print0 | sort -z | xargs -0 cat > "$folder/jars.bin"

cat "$work"/debs/git_*.deb "$work"/debs/containerd_*.deb > "$folder/compressed.bin"

ls -l "$folder"
