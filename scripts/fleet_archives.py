#!/usr/bin/env python3
"""Makes the archives that scripts/fleet.sh converts.

usage: scripts/fleet_archives.py FOLDER COUNT BASES DAMAGED

COUNT `docker save` archives, each of one of BASES base layers and a layer of its own. DAMAGED of them have a damaged layer or are cut
short. Of the sound ones, every 25th is there twice. Writes FOLDER/list, and FOLDER/damaged with the paths of the damaged ones.
"""
import hashlib, io, json, pathlib, random, sys, tarfile

folder = pathlib.Path(sys.argv[1])
count, base_count, damaged_count = map(int, sys.argv[2:])
(folder / "archives").mkdir(parents=True)


def tar(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def text(seed, length):
    """Bytes that compress as programs do: half of them random."""
    noise = random.Random(seed).randbytes(length // 2)
    return b"".join(noise[at:at + 64] + b"common text, again and again and" * 2 for at in range(0, len(noise), 64))


bases = [tar([(f"base/{number}", text(f"base {number}", 1 << 20))]) for number in range(base_count)]
damaged, paths = set(range(7, count, max(1, count // damaged_count))[:damaged_count]), []
for number in range(count):
    layers = [bases[number % base_count], tar([("app", text(f"app {number}", 4096))])]
    diff_ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Env": [f"NUMBER={number}"]},
                         "rootfs": {"type": "layers", "diff_ids": diff_ids},
                         "history": [{"created_by": "base"}, {"created_by": "app"}]}).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    files = [f"{digest[7:]}/layer.tar" for digest in diff_ids]
    manifest = json.dumps([{"Config": name, "RepoTags": [f"fleet/app-{number:05d}:1"], "Layers": files}]).encode()
    if number in damaged:
        layers[1] = layers[1][:600] + bytes([layers[1][600] ^ 1]) + layers[1][601:]
    archive = tar([(name, config), *zip(files, layers), ("manifest.json", manifest)])
    if number in damaged and number % 2:
        archive = archive[:len(archive) // 2]
    copies = ["", "-again"] if number % 25 == 3 and number not in damaged else [""]
    for copy in copies:
        path = folder / "archives" / f"{number:05d}{copy}.tar"
        path.write_bytes(archive)
        paths.append((path, number in damaged))
(folder / "list").write_text("".join(f"{path}\n" for path, _ in paths))
(folder / "damaged").write_text("".join(f"{path}\n" for path, is_damaged in paths if is_damaged))
