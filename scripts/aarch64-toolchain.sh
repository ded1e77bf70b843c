#!/usr/bin/env bash
# Makes a Rust compiler that builds for aarch64 Linux out of Debian's packages, in a folder; nothing is installed.
#
# usage: scripts/aarch64-toolchain.sh FOLDER
#
# Prints the path of the compiler, for RUSTC. For machines whose own toolchain has no std for aarch64 and must not download
# one: Debian has the std of its rustc-web for arm64, and `apt-get download` gets it without touching the system.
set -euo pipefail
folder=$(realpath -m "$1")
if [ -x "$folder/rustc" ]; then
    echo "$folder/rustc"
    exit
fi
mkdir -p "$folder"/{lists/partial,cache/archives/partial,packages,root}
cat >"$folder/apt.conf" <<CONF
APT::Architectures {"amd64"; "arm64";};
APT::Sandbox::User "root";
Dir::State::lists "$folder/lists";
Dir::Cache "$folder/cache";
CONF
export APT_CONFIG=$folder/apt.conf
apt-get update -qq >&2
std=$(apt-cache depends libstd-rust-web-dev | sed -n 's/^ *Depends: \(libstd-rust-web-[0-9.]*\)$/\1/p')
llvm=$(apt-cache depends "$std" | sed -n 's/^ *Depends: \(libllvm[0-9.]*\)$/\1/p')
(cd "$folder/packages" && apt-get download -qq rustc-web "$std" "$llvm" libstd-rust-web-dev libstd-rust-web-dev:arm64 >&2)
for package in "$folder"/packages/*.deb; do
    dpkg-deb --extract "$package" "$folder/root"
done
cat >"$folder/rustc" <<WRAPPER
#!/bin/sh
LD_LIBRARY_PATH=$folder/root/usr/lib/x86_64-linux-gnu exec $folder/root/usr/bin/rustc --sysroot $folder/root/usr "\$@"
WRAPPER
chmod +x "$folder/rustc"
"$folder/rustc" --version >&2
rm -rf "$folder"/{packages,lists,cache}
echo "$folder/rustc"
