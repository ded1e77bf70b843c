"""Inputs that decode to far more than the disk holds."""
import io, json, lzma, os, random, struct, subprocess, tarfile, time

from torture_outputs import OCIFY, counts, no, passed


def zstd_run(byte, mebibytes):
    """A zstd frame that repeats one byte: four bytes for 128 KiB of it (RFC 8878, section 3.1.1.2)."""
    frame = bytearray(b"\x28\xb5\x2f\xfd\0" + bytes([7 << 3]))
    count = mebibytes * 8
    for number in range(count):
        frame += ((128 << 10) << 3 | 1 << 1 | (number == count - 1)).to_bytes(3, "little") + bytes([byte])
    return bytes(frame)


def zstd_raw(data):
    """A zstd frame of one stored block."""
    return b"\x28\xb5\x2f\xfd\0" + bytes([7 << 3]) + (len(data) << 3 | 1).to_bytes(3, "little") + data


def zstd_archive(mebibytes):
    """A tar whose member is all zeros, in two zstd frames."""
    member = tarfile.TarInfo("layer.tar")
    member.size = mebibytes << 20
    return zstd_raw(member.tobuf(tarfile.GNU_FORMAT)) + zstd_run(0, mebibytes)


def xz_noise(mebibytes):
    """The same bytes again and again, in xz, at a distance beyond the window of gzip."""
    return lzma.compress(random.Random(3).randbytes(128 << 10) * (mebibytes * 8), preset=0)


def gzip_of_holes(mebibytes):
    """A gzip member of stored blocks of zeros (RFC 1951, section 3.2.4), as a sparse member (GNU tar's format 1.0) that
    has only the blocks' headers. Gives the member's bytes and its PAX records."""
    stored = 0xffff
    fragments = [(0, b"\x1f\x8b\x08\0\0\0\0\0\0\xff")]
    for number in range((mebibytes << 20) // stored):
        fragments.append((10 + number * (5 + stored), struct.pack("<BHH", 0, stored, 0)))
    lines = [len(fragments), *(number for at, data in fragments for number in (at, len(data)))]
    text = "".join(f"{line}\n" for line in lines).encode()
    records = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "layer.tar",
               "GNU.sparse.realsize": str(10 + len(fragments[1:]) * (5 + stored))}
    return text + bytes(-len(text) % 512) + b"".join(data for _, data in fragments), records


def archive_of(path, layer, records=None):
    """A docker-save archive of one layer whose `diff_id` cannot be right."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}}).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": ["bomb:1"], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in {"config.json": config, "layer.tar": layer, "manifest.json": manifest}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.pax_headers = records or {} if name == "layer.tar" else {}
            tar.addfile(info, io.BytesIO(data))
    return path


def bombs(work):
    """They must end with an error while a tenth of the disk, less data in flight, is still free."""
    outer = work / "bomb.tar.zst"
    outer.write_bytes(zstd_archive(1024))
    inner = archive_of(work / "bomb-zeros.tar", zstd_run(1, 1024))
    noise = archive_of(work / "bomb-noise.tar", xz_noise(256))
    holes = archive_of(work / "bomb-holes.tar", *gzip_of_holes(256))
    kinds = [("outer archive", outer, "none"), ("layer of zeros", inner, "none"), ("layer of noise", noise, "keep"),
             ("layer of noise", noise, "gzip:1"), ("layer of holes", holes, "keep")]
    for what, source, compression in kinds:
        for output in ["out", "out.tar"]:
            bomb(work / "small", f"bomb as {what} into {output} with {compression}", source, output, compression)


def bomb(mount, what, source, output, compression):
    size = 64 << 20
    mount.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(mount)], capture_output=True)
    if mounted.returncode:
        print("left out:", what, "since nothing can be mounted here:", mounted.stderr.decode().strip())
        return
    try:
        run = subprocess.Popen([OCIFY, "convert", str(source), "-o", str(mount / output), "-q", "--compression", compression],
                               stderr=subprocess.PIPE, text=True)
        least = size
        while run.poll() is None:
            free = os.statvfs(mount)
            least = min(least, free.f_bavail * free.f_frsize)
            time.sleep(0.001)
        stderr = run.stderr.read()
        counts["full disks"] += 1
        if run.returncode != 1 or "not enough free space" not in stderr:
            no(f"{what}:", run.returncode, stderr)
        elif left := os.listdir(mount):
            no(f"{what}: left behind:", left)
        elif least < size // 20:
            no(f"{what}: only {least} bytes were left free")
        else:
            passed()
    finally:
        subprocess.run(["umount", str(mount)], check=True)
