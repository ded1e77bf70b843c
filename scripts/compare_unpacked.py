#!/usr/bin/env python3
"""Compares a root file system that another program unpacked with what the layers of the image say.

usage: compare_unpacked.py LAYOUT NAME ROOTFS

Applies the layers of the image NAME of an OCI layout folder in memory (whiteouts and hard links included) and compares
names, types, permissions, link targets, sizes and contents with ROOTFS. Owners and times are left out: a rootless
unpack cannot keep the former. Folders that no layer lists are expected to exist with any permissions.
"""
import gzip
import hashlib
import io
import json
import os
import posixpath
import stat
import subprocess
import sys
import tarfile


def read_blob(layout, digest):
    with open(os.path.join(layout, "blobs", *digest.split(":")), "rb") as file:
        return file.read()


def image_layers(layout, name):
    """The layers' tar bytes, base first."""
    with open(os.path.join(layout, "index.json")) as file:
        manifests = json.load(file)["manifests"]
    names = [(m.get("annotations") or {}).get("org.opencontainers.image.ref.name") for m in manifests]
    manifest = json.loads(read_blob(layout, manifests[names.index(name)]["digest"]))
    for layer in manifest["layers"]:
        content = read_blob(layout, layer["digest"])
        if layer["mediaType"].endswith("+gzip"):
            content = gzip.decompress(content)
        elif layer["mediaType"].endswith("+zstd"):
            content = subprocess.run(["zstd", "-dc"], input=content, stdout=subprocess.PIPE, check=True).stdout
        yield content


def remove(tree, path):
    for name in [name for name in tree if name == path or name.startswith(path + "/")]:
        del tree[name]


def describe(member, content):
    """(type, permissions, details) of a tar member; details are everything that distinguishes two members of one type."""
    mode = stat.S_IMODE(member.mode)
    if member.isdir():
        return ("folder", mode, None)
    if member.issym():
        return ("symbolic link", None, member.linkname)
    if member.isfile():
        return ("file", mode, (member.size, hashlib.sha256(content).hexdigest()))
    return ("device or pipe", None, None)


def apply_layer(tree, content):
    """Applies a layer as image-spec's layer.md says: its whiteouts hide entries of lower layers, never its own."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        members = [(posixpath.normpath("/" + m.name).lstrip("/"), m) for m in tar]
        for path, _ in members:
            folder, base = posixpath.split(path)
            if base == ".wh..wh..opq":
                for name in [name for name in tree if not folder or name.startswith(folder + "/")]:
                    del tree[name]
            elif base.startswith(".wh."):
                remove(tree, posixpath.join(folder, base[len(".wh."):]))
        for path, member in members:
            if not path or posixpath.basename(path).startswith(".wh."):
                continue
            if member.islnk():
                entry = tree[posixpath.normpath("/" + member.linkname).lstrip("/")]
            else:
                entry = describe(member, tar.extractfile(member).read() if member.isfile() else b"")
            if entry[0] != "folder":
                remove(tree, path)
            tree[path] = entry
            while path := posixpath.dirname(path):
                tree.setdefault(path, ("folder", None, None))


def unpacked(root):
    tree = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            mode = stat.S_IMODE(status.st_mode)
            if stat.S_ISLNK(status.st_mode):
                entry = ("symbolic link", None, os.readlink(path))
            elif stat.S_ISDIR(status.st_mode):
                entry = ("folder", mode, None)
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    entry = ("file", mode, (status.st_size, hashlib.sha256(file.read()).hexdigest()))
            else:
                entry = ("device or pipe", None, None)
            tree[os.path.relpath(path, root)] = entry
    return tree


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    layout, name, root = sys.argv[1:]
    expected = {}
    for layer in image_layers(layout, name):
        apply_layer(expected, layer)
    found = unpacked(root)
    differences = 0
    for path in sorted(expected.keys() | found.keys()):
        want, have = expected.get(path), found.get(path)
        if want == have or (want and have and want[0] == have[0] == "folder" and want[1] is None):
            continue
        differences += 1
        print(f"{path}: the layers say {want}, unpacked is {have}")
    print(f"{len(expected)} entries, {differences} differences")
    sys.exit(1 if differences or not expected else 0)


if __name__ == "__main__":
    main()
