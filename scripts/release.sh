#!/usr/bin/env bash
# Builds everything that a release consists of, from the commit that is checked out.
#
# usage: scripts/release.sh [--out DIR] [--work DIR] [--arch ARCH]...
#
# DIR is target/dist and target/release-work by default; ARCH is x86_64 (default) or aarch64. Uses the Rust toolchain that
# `rustc` is, or RUSTC; for aarch64 also scripts/aarch64-toolchain.sh where that toolchain has no std for it. Needs git,
# python3, dpkg-deb, objcopy, a C compiler for each ARCH, and crates.io for `cargo vendor`.
#
# The results depend on the commit and the toolchain only, not on the folder, the clock or the machine: timestamps are those
# of the commit, paths are remapped, and archives are sorted. scripts/check-release.sh proves it.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
cd "$here/.."

out=$PWD/target/dist work=$PWD/target/release-work archs=()
while [ $# -gt 0 ]; do
    case $1 in
        --out) out=$(realpath -m "$2"); shift 2 ;;
        --work) work=$(realpath -m "$2"); shift 2 ;;
        --arch) archs+=("$2"); shift 2 ;;
        *) sed -n '/^# usage/s/^# //p' "$0" >&2; exit 2 ;;
    esac
done
[ ${#archs[@]} -gt 0 ] || archs=(x86_64)

if [ -n "$(git status --porcelain --untracked-files=no)" ]; then
    echo "$0: uncommitted changes are left out: only what is committed is built" >&2
fi
commit=$(git rev-parse HEAD)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "$commit")
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | sed -n 1p)
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
umask 022
# Nothing that a user has set may show in the result.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET CARGO_BUILD_RUSTFLAGS RUSTC_WRAPPER CFLAGS OCIFY_CACHE
# xz of dpkg-deb splits its output differently with more threads.
export DPKG_DEB_THREADS_MAX=1

source=$work/ocify-$version
rm -rf "$out" "$source"
mkdir -p "$out" "$source"

echo "== source: $commit"
git archive "$commit" | tar -xC "$source"
mkdir -p "$source/.cargo"
(cd "$source" && cargo vendor --quiet --locked --versioned-dirs vendor >/dev/null)
cat >"$source/.cargo/config.toml" <<CONFIG
[source.crates-io]
replace-with = "vendored-sources"

[source.vendored-sources]
directory = "vendor"
CONFIG

# pack FOLDER: a tar of it on standard output that says nothing about when, where and by whom it was made.
pack() {
    tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u+rw,go=rX,a-s --format=gnu \
        -C "$(dirname "$1")" -c "$(basename "$1")"
}
# Crates for other systems are needed for their names only: without them, the tar is a fifth as large.
python3 "$here/release_vendor.py" "$source/vendor"
pack "$source" | gzip -9n >"$out/ocify-$version-source.tar.gz"

# build TARGET COMPILER: the program, with what cargo-auditable would put into it, as $work/$target/ocify.
build() {
    local target=$1 compiler=$2 flags variable
    variable=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")
    flags="-C target-feature=+crt-static -C strip=symbols --remap-path-prefix=$source=/ocify --remap-path-prefix=$work/target=/target"
    echo "== $target: $(cd "$source" && "${RUSTC:-rustc}" --version)"
    (
        cd "$source"
        export "${variable}_LINKER=$compiler" "${variable}_RUSTFLAGS=$flags" CARGO_TARGET_DIR=$work/target CARGO_INCREMENTAL=0
        export "CC_${target//-/_}=$compiler" "CFLAGS_${target//-/_}=-ffile-prefix-map=$source=/ocify -ffile-prefix-map=$work/target=/target"
        cargo build --quiet --release --locked --offline --target "$target" --bin ocify
    )
    mkdir -p "$work/$target"
    (cd "$source" && python3 "$here/release_sbom.py" "$target" "$commit" "$work/$target/ocify.cdx.json" "$work/$target/dependencies")
    "${3:-}objcopy" --add-section .dep-v0="$work/$target/dependencies" --set-section-flags .dep-v0=noload,readonly \
        "$work/target/$target/release/ocify" "$work/$target/ocify"
    {
        printf 'commit: %s\nSOURCE_DATE_EPOCH: %s\ntarget: %s\nRUSTFLAGS: -C target-feature=+crt-static -C strip=symbols\n\n' \
            "$commit" "$SOURCE_DATE_EPOCH" "$target"
        (cd "$source" && "${RUSTC:-rustc}" --version --verbose && cargo --version)
        "$compiler" --version | sed -n 1p
        "${3:-}ld" --version | sed -n 1p
        dpkg-deb --version | sed -n 1p
        gzip --version | sed -n 1p
        python3 -c 'import sys, zlib; print("python", sys.version.split()[0], "with zlib", zlib.ZLIB_RUNTIME_VERSION)'
    } >"$out/ocify-$version-$arch-toolchain.txt"
}

# share FOLDER: the manual, completions and documents in the places below FOLDER where Debian looks for them.
share() {
    local share=$1/share generator
    generator=$work/$(uname -m)-unknown-linux-gnu/ocify
    mkdir -p "$share"/{man/man1,bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d,doc/ocify/docs}
    "$generator" --generate man | gzip -9n >"$share/man/man1/ocify.1.gz"
    "$generator" --generate complete-bash >"$share/bash-completion/completions/ocify"
    "$generator" --generate complete-zsh >"$share/zsh/vendor-completions/_ocify"
    "$generator" --generate complete-fish >"$share/fish/vendor_completions.d/ocify.fish"
    (cd "$source" && cp README.md SECURITY.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT "$share/doc/ocify/")
    cp "$source"/docs/*.md "$source"/docs/*.svg "$share/doc/ocify/docs/"
    cp "$work/$target/ocify.cdx.json" "$share/doc/ocify/"
    python3 "$here/release_copyright.py" "$source" "$work/$target/ocify.cdx.json" >"$share/doc/ocify/copyright"
}

# deb ARCHITECTURE
deb() {
    local root=$work/deb-$1
    rm -rf "$root"
    mkdir -p "$root/DEBIAN" "$root/usr/bin"
    cp "$work/$target/ocify" "$root/usr/bin/"
    share "$root/usr"
    gzip -9n "$root/usr/share/doc/ocify/CHANGELOG.md"
    cat >"$root/DEBIAN/control" <<CONTROL
Package: ocify
Version: $version
Architecture: $1
Maintainer: The ocify authors <ocify@invalid>
Installed-Size: $(du -sk --apparent-size "$root/usr" | cut -f 1)
Section: utils
Priority: optional
Description: convert container images on disk, offline
 ocify converts docker save archives, OCI layouts and schema 1 images on
 disk to an OCI image layout, and verifies every digest on the way.
 .
 The program is linked statically and uses no network.
CONTROL
    (cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
    find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group -Zxz --build "$root" "$out/ocify_${version}_$1.deb" >/dev/null
}

for arch in "${archs[@]}"; do
    target=$arch-unknown-linux-gnu
    case $arch in
        x86_64) build "$target" cc; debian=amd64 ;;
        aarch64)
            # The manual is printed by a program that runs here.
            [ -x "$work/$(uname -m)-unknown-linux-gnu/ocify" ] || { echo "$0: build $(uname -m) first" >&2; exit 2; }
            if [ -z "${RUSTC:-}" ] && [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ]; then
                RUSTC=$("$here/aarch64-toolchain.sh" "$work/aarch64-toolchain")
                export RUSTC
            fi
            build "$target" aarch64-linux-gnu-gcc aarch64-linux-gnu-
            debian=arm64
            ;;
        *) echo "$0: unknown architecture \`$arch\`, expected x86_64 or aarch64" >&2; exit 2 ;;
    esac
    deb "$debian"
    folder=$work/ocify-$version-$arch-linux
    rm -rf "$folder"
    mkdir -p "$folder/bin"
    cp "$work/$target/ocify" "$folder/bin/"
    share "$folder"
    pack "$folder" | gzip -9n >"$out/ocify-$version-$arch-linux.tar.gz"
    python3 "$here/release_wheel.py" "$work/$target/ocify" "$source" "$arch" "$out"
    cp "$work/$target/ocify" "$out/ocify-$version-$arch-linux"
    cp "$work/$target/ocify.cdx.json" "$out/ocify-$version-$arch-linux.cdx.json"
done
(cd "$out" && sha256sum -- * >../SHA256SUMS.new && mv ../SHA256SUMS.new SHA256SUMS)
(cd "$out" && wc -c -- * | sed '$d')
