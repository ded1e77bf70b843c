#!/usr/bin/env python3
"""Makes the archives that scripts/fleet.sh converts.

usage: scripts/fleet_archives.py FOLDER COUNT BASES DAMAGED

COUNT `docker save` archives, each of one of BASES base layers and a layer of its own. DAMAGED of them have a damaged layer or are cut
short. Of the sound ones, every 25th is there twice. Every 50th has a namesake: an archive with the same name and another image, at the
beginning or the end of the list. Writes FOLDER/list, FOLDER/damaged, and FOLDER/conflicts with those whose name a sound archive
before them in the list has.
"""
import hashlib, json, pathlib, random, sys

from make_tar import tar

folder = pathlib.Path(sys.argv[1])
count, base_count, damaged_count = map(int, sys.argv[2:])
(folder / "archives").mkdir(parents=True)


def text(seed, length):
    """Bytes that compress as programs do: half of them random."""
    noise = random.Random(seed).randbytes(length // 2)
    return b"".join(noise[at:at + 64] + b"common text, again and again and" * 2 for at in range(0, len(noise), 64))


def digest(layer):
    return "sha256:" + hashlib.sha256(layer).hexdigest()


bases = [tar([(f"base/{number}", text(f"base {number}", 1 << 20))]) for number in range(base_count)]
base_ids = [digest(base) for base in bases]
damaged = list(range(7, count, max(1, count // damaged_count))[:damaged_count])


def archive(number, environment, damage=None):
    layers = [bases[number % base_count], tar([("app", text(f"app {environment}", 4096))])]
    diff_ids = [base_ids[number % base_count], digest(layers[1])]
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Env": [environment]},
                         "rootfs": {"type": "layers", "diff_ids": diff_ids},
                         "history": [{"created_by": "base"}, {"created_by": "app"}]}).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    files = [f"{digest[7:]}/layer.tar" for digest in diff_ids]
    manifest = json.dumps([{"Config": name, "RepoTags": [f"fleet/app-{number:05d}:1"], "Layers": files}]).encode()
    if damage == "flipped":
        layers[1] = layers[1][:600] + bytes([layers[1][600] ^ 1]) + layers[1][601:]
    content = tar([(name, config), *zip(files, layers), ("manifest.json", manifest)])
    return content[:len(content) // 2] if damage == "cut" else content


def write(name, content):
    path = folder / "archives" / f"{name}.tar"
    path.write_bytes(content)
    return path


before, paths, after, conflicts = [], [], [], []
for number in range(count):
    damage = ("flipped", "cut")[damaged.index(number) % 2] if number in damaged else None
    content = archive(number, f"NUMBER={number}", damage)
    path = write(f"{number:05d}", content)
    paths.append(path)
    if number % 25 == 3 and not damage:
        paths.append(write(f"{number:05d}-again", content))
    if number % 50 == 7:
        namesake = write(f"{number:05d}-namesake", archive(number, f"OTHER={number}"))
        (before if number % 100 == 57 else after).append(namesake)
        if not damage:
            conflicts.append(path if number % 100 == 57 else namesake)
for name, listed in (
        ("list", [*before, *paths, *after]),
        ("damaged", [folder / "archives" / f"{number:05d}.tar" for number in damaged]),
        ("conflicts", conflicts)):
    (folder / name).write_text("".join(f"{path}\n" for path in listed))
