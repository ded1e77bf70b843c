#!/usr/bin/env bash
# Measures ocify against skopeo, in turn, on an image of real content: a Debian base of about 170 MB and an application
# layer of about 63 MB. Prints medians of wall time, CPU time and peak memory, output sizes and their ratios, and writes
# them to FOLDER/bench.md and FOLDER/bench.svg. Also measures waiting for the disk, and how much of the time hashing
# and encoding take.
#
# usage: scripts/bench.sh [--runs N] [--routes ROUTE,…] [--folder FOLDER] [--output FOLDER] [BINARY]
#   --runs N         runs of each command (default 7)
#   --routes LIST    of folder-gzip tar-gzip folder-zstd folder-none schema1 gzip-zstd unchanged docker-archive registry
#                    six-images cached
#   --folder FOLDER  inputs and results (default target/bench); the inputs, 800 MB, are made once and kept
#   --output FOLDER  where both programs write (default FOLDER). skopeo waits for the disk after each blob; on a tmpfs
#                    (/dev/shm) that costs nothing, so only the programs are compared
#   SKOPEO=PATH in the environment chooses the skopeo that is measured.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/checks.sh

runs=7
routes=
folder=target/bench
output=
ocify=target/release/ocify
while [ $# -gt 0 ]; do
    case $1 in
        --runs) runs=$2; shift 2 ;;
        --routes) routes=$2; shift 2 ;;
        --folder) folder=$2; shift 2 ;;
        --output) output=$2; shift 2 ;;
        -*) sed -n '7,16s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
        *) ocify=$1; shift ;;
    esac
done
output=${output:-$folder}
skopeo=${SKOPEO:-skopeo}
require "$ocify" "$skopeo" python3

# Packages of Debian 12; their files are the content. Packages that a release lacks are left out.
base_packages=(apt base-files base-passwd bash bsdutils coreutils curl dash debconf debianutils diffutils dpkg e2fsprogs
    findutils gcc-12-base gnupg gpg gpgv grep gzip hostname iproute2 less libapt-pkg6.0 libc-bin libc6 libcrypt1
    libcurl4 libgcrypt20 libgnutls30 libperl5.36 libpam-modules libsqlite3-0 libssl3 libstdc++6 libsystemd0 login mawk
    mount ncurses-base ncurses-bin openssl passwd perl-base perl-modules-5.36 procps sed sysvinit-utils tar tzdata
    util-linux)
app_packages=(libpython3.11-stdlib python3-lxml python3-numpy python3-sqlalchemy python3.11-minimal redis-tools)

# layer NAME PACKAGE... : $inputs/NAME.tar, the packages' files as a layer, with sorted names and fixed times and owners.
layer() {
    local name=$1 package
    shift
    rm -rf "$work/root"
    mkdir "$work/root"
    for package in "$@"; do dpkg-deb --extract "$package" "$work/root"; done
    tar -C "$work/root" --sort=name --mtime=@1704067200 --owner=0 --group=0 --numeric-owner -cf "$inputs/$name.tar" .
}

download() { # FOLDER PACKAGE...
    local package available=()
    for package in "${@:2}"; do
        if apt-cache show "$package" >/dev/null 2>&1; then available+=("$package"); else echo "left out: $package" >&2; fi
    done
    (cd "$1" && apt-get download -qq -o APT::Sandbox::User=root "${available[@]}")
}

make_inputs() {
    local six=() part
    require apt-get apt-cache dpkg-deb
    rm -rf "$inputs"
    mkdir -p "$inputs" "$work/base" "$work/app"
    download "$work/base" "${base_packages[@]}"
    download "$work/app" "${app_packages[@]}"
    layer base "$work"/base/*.deb
    layer app "$work"/app/*.deb
    scripts/bench_archive.py "$inputs/app.tar.new" "bench/app:1.0=$inputs/base.tar,$inputs/app.tar"

    # Six images, each with one package of the application over the same base.
    local debs=("$work"/app/*.deb)
    for part in "${!debs[@]}"; do
        layer "part-$part" "${debs[$part]}"
        six+=("bench/app-$part:1.0=$inputs/base.tar,$inputs/part-$part.tar")
    done
    scripts/bench_archive.py "$inputs/six-images.tar" "${six[@]}"
    rm "$inputs"/base.tar "$inputs"/app.tar "$inputs"/part-*.tar
    mv "$inputs/app.tar.new" "$inputs/docker-save.tar"

    local source=docker-archive:$inputs/docker-save.tar
    "$skopeo" --insecure-policy copy --quiet "$source" "oci:$inputs/oci-gzip:bench/app:1.0"
    "$skopeo" --insecure-policy copy --quiet --format v2s1 --dest-compress "$source" "dir:$inputs/schema1"
    touch "$inputs/complete"
}

inputs=$(realpath -m "$folder")/inputs
if [ ! -e "$inputs/complete" ]; then
    echo "Making the inputs in $inputs" >&2
    make_inputs
fi
python3 scripts/bench_run.py --ocify "$(realpath "$ocify")" --skopeo "$(command -v "$skopeo")" --inputs "$inputs" \
    --output "$(realpath -m "$output")" --results "$folder" --runs "$runs" ${routes:+--routes "$routes"}
if [ -z "$routes" ]; then
    # The same conversions in one process, compared with hashing and encoding alone.
    cargo bench --locked --quiet --bench limit -- "$inputs/docker-save.tar" "$(realpath -m "$output")" "$runs" | tee -a "$folder/bench.md"
fi
