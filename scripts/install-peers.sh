#!/usr/bin/env bash
# Installs the programs that the acceptance, torture, instruction and peer runs call, those that are missing and no others.
# For Debian 12 and later and for Ubuntu; needs root.
set -euo pipefail

# program=package
programs=(
    skopeo=skopeo umoci=umoci dockerd=docker.io docker=docker.io podman=podman
    containerd=containerd ctr=containerd
    mkfs.xfs=xfsprogs mkfs.btrfs=btrfs-progs mkfs.vfat=dosfstools mkfs.exfat=exfatprogs mount.exfat-fuse=exfat-fuse
    ntfs-3g=ntfs-3g bindfs=bindfs sshfs=sshfs /usr/lib/openssh/sftp-server=openssh-sftp-server
    zstd=zstd xz=xz-utils bzip2=bzip2 jq=jq strace=strace valgrind=valgrind python3=python3
)

packages=()
for entry in "${programs[@]}"; do
    command -v "${entry%%=*}" >/dev/null || packages+=("${entry#*=}")
done
# Newer Debian releases ship the docker client apart from the daemon.
if [ ${#packages[@]} -gt 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    if [[ " ${packages[*]} " == *" docker.io "* ]] && apt-cache show docker-cli >/dev/null 2>&1; then
        packages+=(docker-cli)
    fi
    apt-get install -y -qq --no-install-recommends "${packages[@]}" </dev/null >/dev/null
fi

if ! python3 -c 'import jsonschema' 2>/dev/null; then
    # The python3 in the path may not be the one that Debian's packages serve, so pip comes first.
    python3 -m pip install --quiet --disable-pip-version-check --break-system-packages jsonschema ||
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-jsonschema </dev/null >/dev/null; }
    python3 -c 'import jsonschema'
fi

skopeo --version
umoci --version | head -n 1
dockerd --version
podman --version
containerd --version
