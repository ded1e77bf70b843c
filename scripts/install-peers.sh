#!/usr/bin/env bash
# Installs the programs that the acceptance, torture, instruction, peer and release scripts call, if they are missing.
# For Debian 12 and later and for Ubuntu; needs root.
set -euo pipefail

# program=package
programs=(
    skopeo=skopeo umoci=umoci dockerd=docker.io docker=docker.io podman=podman
    containerd=containerd ctr=containerd docker-registry=docker-registry curl=curl rsync=rsync
    mkfs.xfs=xfsprogs mkfs.btrfs=btrfs-progs mkfs.vfat=dosfstools mkfs.exfat=exfatprogs mount.exfat-fuse=exfat-fuse
    mkfs.ext2=e2fsprogs filefrag=e2fsprogs mount=mount ntfs-3g=ntfs-3g
    bindfs=bindfs sshfs=sshfs /usr/lib/openssh/sftp-server=openssh-sftp-server ssh=openssh-client sshd=openssh-server
    zstd=zstd xz=xz-utils bzip2=bzip2 jq=jq strace=strace valgrind=valgrind python3=python3 nm=binutils
    busybox=busybox-static man=man-db col=bsdextrautils zsh=zsh fish=fish pip3=python3-pip shellcheck=shellcheck parallel=parallel make=make
)
# libFuzzer is C++.
command -v cargo-fuzz >/dev/null && programs+=("c++=g++")

# again COMMAND... : repeats the command until it succeeds, for some minutes. Mirrors fail now and then, and another apt-get
# may hold the lock on the lists; apt-get waits for dpkg's lock only.
again() {
    local pause
    for pause in 5 10 20 40 80 160; do
        "$@" && return
        printf '%s: tries again in %d seconds: %s\n' "$0" "$pause" "$*" >&2
        sleep "$pause"
    done
    "$@"
}
# An update that reaches no mirror succeeds with the old lists, so only installing the packages shows whether it worked.
install() { # PACKAGE...
    local more=()
    apt-get update -qq || return
    # Newer Debian releases ship the docker client apart from the daemon.
    if [[ " $* " == *" docker.io "* ]] && apt-cache show docker-cli >/dev/null 2>&1; then more=(docker-cli); fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=600 "$@" "${more[@]}" \
        </dev/null >/dev/null
}

packages=()
for entry in "${programs[@]}"; do
    command -v "${entry%%=*}" >/dev/null || packages+=("${entry#*=}")
done
[ ${#packages[@]} -eq 0 ] || again install "${packages[@]}"

if ! python3 -c 'import jsonschema' 2>/dev/null; then
    # The first python3 in PATH may not be the one that Debian's packages install for, so pip is tried first.
    python3 -m pip install --quiet --disable-pip-version-check --break-system-packages jsonschema ||
        again install python3-jsonschema
    python3 -c 'import jsonschema'
fi

if ! python3 -c 'import kubernetes_validate' 2>/dev/null; then
    # Debian has no package of it. scripts/check-examples.sh says so if it is missing.
    python3 -m pip install --quiet --disable-pip-version-check --break-system-packages kubernetes-validate ||
        echo "$0: kubernetes-validate cannot be installed" >&2
fi

skopeo --version
umoci --version
dockerd --version
podman --version
containerd --version
docker-registry --version
