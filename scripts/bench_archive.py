#!/usr/bin/env python3
"""Writes a docker-save archive in the layout of Docker 20.10 from layers that are plain tar files.

usage: bench_archive.py ARCHIVE NAME=LAYER.tar,LAYER.tar... [NAME=...]

The same layers give the same bytes. A layer that several images share is stored once for each v1 ID, and as a symbolic
link where another v1 ID already holds it, as Docker does.
"""
import hashlib
import io
import json
import sys
import tarfile

CREATED = "2024-01-01T00:00:00Z"


def sha256_of_file(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def encode(document):
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


class Archive:
    def __init__(self, path):
        self.tar = tarfile.open(path, "w", format=tarfile.GNU_FORMAT)
        self.folders, self.content_of = set(), {}

    def add(self, name, size, content):
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o644
        self.tar.addfile(member, content)

    def add_bytes(self, name, content):
        self.add(name, len(content), io.BytesIO(content))

    def add_layer(self, v1_id, parent, path, diff_id):
        """`<v1 id>/{VERSION,json,layer.tar}`; layer.tar is a link if the archive already has its content."""
        if v1_id in self.folders:
            return
        self.folders.add(v1_id)
        member = tarfile.TarInfo(v1_id)
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        self.tar.addfile(member)
        self.add_bytes(f"{v1_id}/VERSION", b"1.0")
        v1 = {"id": v1_id, "created": CREATED, "os": "linux"} | ({"parent": parent} if parent else {})
        self.add_bytes(f"{v1_id}/json", encode(v1))
        if diff_id in self.content_of:
            member = tarfile.TarInfo(f"{v1_id}/layer.tar")
            member.type, member.linkname = tarfile.SYMTYPE, f"../{self.content_of[diff_id]}/layer.tar"
            self.tar.addfile(member)
            return
        self.content_of[diff_id] = v1_id
        with open(path, "rb") as file:
            file.seek(0, io.SEEK_END)
            size = file.tell()
            file.seek(0)
            self.add(f"{v1_id}/layer.tar", size, file)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    images = [(name, layers.split(",")) for name, layers in (argument.split("=", 1) for argument in sys.argv[2:])]
    diff_ids = {path: sha256_of_file(path) for _, layers in images for path in layers}
    archive = Archive(sys.argv[1])
    manifest, repositories = [], {}
    for name, layers in images:
        config = encode({
            "architecture": "amd64", "os": "linux", "created": CREATED,
            "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "Labels": {"name": name}},
            "history": [{"created": CREATED, "created_by": f"ADD {path.split('/')[-1]} /"} for path in layers],
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + diff_ids[path] for path in layers]},
        })
        v1_ids = []
        for path in layers:
            parent = v1_ids[-1] if v1_ids else ""
            v1_ids.append(hashlib.sha256(f"{parent} {diff_ids[path]}".encode()).hexdigest())
            archive.add_layer(v1_ids[-1], parent, path, diff_ids[path])
        image_id = hashlib.sha256(config).hexdigest()
        archive.add_bytes(f"{image_id}.json", config)
        manifest.append({"Config": f"{image_id}.json", "RepoTags": [name], "Layers": [f"{v1_id}/layer.tar" for v1_id in v1_ids]})
        repository, tag = name.rsplit(":", 1)
        repositories.setdefault(repository, {})[tag] = v1_ids[-1]
    archive.add_bytes("manifest.json", encode(manifest))
    archive.add_bytes("repositories", encode(repositories))
    archive.tar.close()


if __name__ == "__main__":
    main()
