#!/usr/bin/env bash
# Checks what scripts/release.sh has made: that the program runs anywhere, and that the packages work.
#
# usage: scripts/check-release.sh [--twice] [--offline-build] [--old-root] [DIST]
#
# DIST is target/dist by default. --twice builds all again in another folder and compares every byte; --offline-build builds the
# program from the source tar, without a network. Both take as long as a release build does. --old-root also runs the program in a
# root of the oldest release that Debian's mirrors have, Debian 11 with glibc 2.31, which it downloads. Needs root, and busybox, bash,
# zsh, fish and man from scripts/install-peers.sh. The Debian package must not be installed.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
twice=0 offline=0 old=0
while [ $# -gt 0 ]; do
    case $1 in
        --twice) twice=1; shift ;;
        --offline-build) offline=1; shift ;;
        --old-root) old=1; shift ;;
        -*) sed -n '/^# usage/s/^# //p' "$0" >&2; exit 2 ;;
        *) break ;;
    esac
done
dist=$(realpath "${1:-$here/../target/dist}")
scratch=$(mktemp -d)
installed=0
cleanup() {
    [ $installed -eq 0 ] || dpkg --purge ocify >/dev/null
    rm -rf "$scratch"
}
trap cleanup EXIT
fail() { echo "FAIL: $*" >&2; exit 1; }
pass() { echo "ok: $*"; }

version=$(basename "$dist"/ocify-*-source.tar.gz | sed 's/^ocify-\(.*\)-source.tar.gz$/\1/')
program=$dist/ocify-$version-x86_64-linux
image=$(realpath "$here/../testdata/docker-save.tar")
export RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup} CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} HOME=$scratch OCIFY_CACHE=''

(cd "$dist" && sha256sum --check --quiet SHA256SUMS) || fail "SHA256SUMS"
listed=$(cut -c 67- "$dist/SHA256SUMS" | sort)
[ "$listed" = "$(cd "$dist" && printf '%s\n' * | grep -v SHA256SUMS | sort)" ] || fail "SHA256SUMS does not list every file"
pass "SHA256SUMS lists every file"

# The program alone.
cp "$program" "$scratch/ocify"
chmod 755 "$scratch/ocify"
size=$(stat -c %s "$program")
[ "$size" -lt 8000000 ] || fail "the program has $size bytes, expected less than 8000000"
linked=$(ldd "$scratch/ocify" 2>&1 || true)
case $linked in *"statically linked"* | *"not a dynamic executable"*) ;; *) fail "ldd finds libraries: $linked" ;; esac
readelf --program-headers --wide "$program" >"$scratch/headers"
grep -q INTERP "$scratch/headers" && fail "the program asks for a loader"
grep -aq 'registry/src' "$program" && fail "the program has paths of the machine that built it"
pass "$size bytes, linked statically"

mkdir -p "$scratch"/{empty,busybox/bin,busybox/tmp}
cp "$scratch/ocify" "$image" "$scratch/empty/"
"$scratch/ocify" convert "$image" -o "$scratch/expected" -q
chroot "$scratch/empty" /ocify convert docker-save.tar -o layout -q || fail "in an empty root"
chroot "$scratch/empty" /ocify verify layout >/dev/null || fail "in an empty root: verify"
diff -r "$scratch/expected" "$scratch/empty/layout" || fail "in an empty root, the layout is another one"
chroot "$scratch/empty" /ocify convert docker-save.tar -o - 2>/dev/null >"$scratch/out.tar" && [ -s "$scratch/out.tar" ]
pass "an empty root"
cp "$(command -v busybox)" "$scratch/busybox/bin/sh"
ldd "$scratch/busybox/bin/sh" >/dev/null 2>&1 && fail "busybox is not linked statically: install busybox-static"
cp "$scratch/ocify" "$scratch/busybox/bin/"
cp "$image" "$scratch/busybox/tmp/"
chroot "$scratch/busybox" /bin/sh -c 'cd /tmp && ocify convert - -o layout -q <docker-save.tar' || fail "in a root with busybox"
diff -r "$scratch/expected" "$scratch/busybox/tmp/layout" || fail "in a root with busybox, the layout is another one"
pass "a root with busybox"

# old_root FOLDER: unpacks the C library, bash and coreutils of Debian 11 there; nothing is installed.
old_root() {
    local work=$scratch/old package
    mkdir -p "$work"/{lists/partial,cache/archives/partial,packages} "$1/tmp"
    touch "$work/status"
    echo "deb http://deb.debian.org/debian bullseye main" >"$work/sources.list"
    cat >"$work/apt.conf" <<CONF
APT::Architecture "amd64";
APT::Sandbox::User "root";
Dir::State::lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
CONF
    APT_CONFIG=$work/apt.conf apt-get update -qq
    (cd "$work/packages" && APT_CONFIG=$work/apt.conf apt-get download -qq \
        bash coreutils libacl1 libattr1 libc6 libgmp10 libpcre2-8-0 libselinux1 libtinfo6)
    for package in "$work"/packages/*.deb; do dpkg-deb --extract "$package" "$1"; done
}
if [ $old -eq 1 ]; then
    old_root "$scratch/debian-11"
    cp "$scratch/ocify" "$scratch/debian-11/bin/"
    cp "$image" "$scratch/debian-11/tmp/"
    chroot "$scratch/debian-11" /bin/bash -c 'cd /tmp && cat docker-save.tar | ocify convert - -o layout -q && ocify verify layout -q' \
        || fail "in a root of Debian 11"
    diff -r "$scratch/expected" "$scratch/debian-11/tmp/layout" || fail "in a root of Debian 11, the layout is another one"
    pass "a root with $(chroot "$scratch/debian-11" /lib/x86_64-linux-gnu/libc.so.6 | sed -n '1s/\. *$//p')"
else
    echo "left out: a root with an old C library (--old-root)"
fi

# What scanners find in the program is what the SBOM says.
objcopy --dump-section .dep-v0="$scratch/dependencies" "$program" "$scratch/copy"
python3 - "$scratch/dependencies" "$dist/ocify-$version-x86_64-linux.cdx.json" <<'PYTHON'
import json, sys, zlib
inside = json.loads(zlib.decompress(open(sys.argv[1], "rb").read()))["packages"]
document = json.load(open(sys.argv[2]))
beside = document["components"] + [document["metadata"]["component"]]
assert sorted((p["name"], p["version"]) for p in inside) == sorted((p["name"], p["version"]) for p in beside)
assert all(number < len(inside) for package in inside for number in package.get("dependencies", []))
print(f"ok: {len(inside)} packages in the SBOM and in the program")
PYTHON

# The Debian package.
if dpkg -s ocify >/dev/null 2>&1; then fail "ocify is installed already"; fi
dpkg --info "$dist/ocify_${version}_amd64.deb" >/dev/null
installed=1
dpkg --path-include='/usr/share/*' --install "$dist/ocify_${version}_amd64.deb" >/dev/null
[ "$(/usr/bin/ocify --version)" = "ocify $version" ] || fail "the installed program"
dpkg --verify ocify || fail "dpkg --verify"
# Every option of every command, with the command in front.
for command in convert inspect verify prune; do
    /usr/bin/ocify "$command" --help | sed -n 's/^ *\(-., \)\?\(--[a-z-]*\).*/\2/p' | sed "s/^/$command /"
done >"$scratch/options"
[ "$(wc -l <"$scratch/options")" -gt 20 ] || fail "the options in --help"
MANPAGER=cat MANROFFOPT='-rHY=0' man --warnings ocify 2>"$scratch/warnings" | col -bx >"$scratch/manual" || fail "man ocify"
[ ! -s "$scratch/warnings" ] || fail "man ocify: $(cat "$scratch/warnings")"
while read -r command option; do
    grep -q -- "$option\b" "$scratch/manual" || fail "man ocify lacks $option of $command"
    bash --norc -c '
        . /usr/share/bash-completion/completions/ocify
        COMP_WORDS=(ocify "$1" "$2") COMP_CWORD=2
        _ocify ocify "$2" "$1"
        [[ " ${COMPREPLY[*]} " == *" $2 "* ]]' _ "$command" "$option" || fail "bash does not complete $option of $command"
    fish --command "complete --do-complete 'ocify $command $option'" | cut -f 1 >"$scratch/found"
    grep -qx -- "$option" "$scratch/found" || fail "fish does not complete $option of $command"
done <"$scratch/options"
zsh -f -c '
    autoload -Uz compinit && compinit -u -d $HOME/zcompdump
    [[ $_comps[ocify] = _ocify ]] || exit 1
    autoload +X -Uz _ocify && whence -f _ocify >/dev/null' || fail "zsh does not load the completions"
while read -r command option; do
    sed -n "/^ *($command)\$/,/^ *;;\$/p" /usr/share/zsh/vendor-completions/_ocify >"$scratch/found"
    grep -q -- "$option\b" "$scratch/found" || fail "zsh does not complete $option of $command"
done <"$scratch/options"
pass "man page and completions know $(wc -l <"$scratch/options") options in bash, zsh and fish"
dpkg --purge ocify >/dev/null
installed=0
[ ! -e /usr/bin/ocify ] && [ ! -e /usr/share/doc/ocify ] || fail "the removed package leaves files"
pass "the package installs, verifies and goes"

# The tar and the wheel have the same program.
tar -xzf "$dist/ocify-$version-x86_64-linux.tar.gz" -C "$scratch"
cmp "$program" "$scratch/ocify-$version-x86_64-linux/bin/ocify"
python3 -m pip install --quiet --no-index --disable-pip-version-check --root-user-action=ignore --target "$scratch/wheel" \
    "$dist"/ocify-"$version"-*x86_64*.whl
cmp "$program" "$scratch/wheel/bin/ocify"
[ "$("$scratch/wheel/bin/ocify" --version)" = "ocify $version" ] || fail "the program of the wheel"
pass "tar and wheel have the same program"

arm=$dist/ocify-$version-aarch64-linux
if [ -e "$arm" ]; then
    cp "$arm" "$scratch/ocify-aarch64"
    chmod 755 "$scratch/ocify-aarch64"
    [ "$(stat -c %s "$arm")" -lt 8000000 ] || fail "the aarch64 program has 8000000 bytes or more"
    qemu-aarch64 "$scratch/ocify-aarch64" convert "$image" -o "$scratch/layout-aarch64" -q || fail "aarch64"
    diff -r "$scratch/expected" "$scratch/layout-aarch64" || fail "aarch64 makes another layout"
    qemu-aarch64 "$scratch/ocify-aarch64" verify "$scratch/layout-aarch64" >/dev/null || fail "aarch64: verify"
    readelf --program-headers --wide "$arm" | grep -c INTERP >"$scratch/interpreters" || true
    [ "$(cat "$scratch/interpreters")" -eq 0 ] || fail "the aarch64 program asks for a loader"
    mkdir "$scratch/arm64"
    [ "$(dpkg-deb --field "$dist/ocify_${version}_arm64.deb" Architecture)" = arm64 ] || fail "the architecture of the arm64 package"
    dpkg-deb --extract "$dist/ocify_${version}_arm64.deb" "$scratch/arm64/deb"
    tar -xzf "$arm.tar.gz" -C "$scratch/arm64"
    python3 -m zipfile -e "$dist"/ocify-"$version"-*aarch64*.whl "$scratch/arm64/wheel"
    for copy in deb/usr/bin/ocify "ocify-$version-aarch64-linux/bin/ocify" "wheel/ocify-$version.data/scripts/ocify"; do
        cmp "$arm" "$scratch/arm64/$copy" || fail "$copy for aarch64 is another program"
    done
    pass "aarch64 makes the same layout, under qemu-user; package, tar and wheel have its program"
else
    echo "left out: aarch64, which is not in $dist"
fi

# No network, and no crates that are on this machine.
mkdir "$scratch/source"
tar -xzf "$dist/ocify-$version-source.tar.gz" -C "$scratch/source"
(cd "$scratch/source/ocify-$version" && CARGO_HOME=$scratch/cargo unshare --net \
    cargo metadata --offline --locked --format-version 1 >/dev/null) || fail "the source tar lacks crates"
pass "the source tar has all crates"
if [ $offline -eq 1 ]; then
    (cd "$scratch/source/ocify-$version" && CARGO_HOME=$scratch/cargo unshare --net \
        cargo build --quiet --offline --locked)
    "$scratch/source/ocify-$version/target/debug/ocify" convert "$image" -o "$scratch/from-source" -q
    diff -r "$scratch/expected" "$scratch/from-source" || fail "the build from the source tar makes another layout"
    pass "the source tar builds without a network"
else
    echo "left out: the build of the source tar (--offline-build)"
fi

if [ $twice -eq 1 ]; then
    archs=(--arch x86_64)
    [ ! -e "$arm" ] || archs+=(--arch aarch64)
    "$here/release.sh" "${archs[@]}" --work "$scratch/another-folder-of-another-length" --out "$scratch/again" >/dev/null
    for path in "$scratch/again"/*; do
        [[ $path == */SHA256SUMS ]] || cmp "$path" "$dist/$(basename "$path")" || fail "the second build differs"
    done
    pass "two builds in two folders give the same bytes"
else
    echo "left out: the comparison of two builds (--twice)"
fi
