#!/usr/bin/env python3
"""Empties the vendored crates that no Linux target uses, such as bindings to Windows.

usage: scripts/release_vendor.py VENDOR_FOLDER

Cargo wants the manifest of each crate in Cargo.lock, and compiles none of the others. They stay as a Cargo.toml and an empty
library, so that the build needs no network and Cargo.lock needs no change. The checksum of the package stays as it is.
"""
import json, pathlib, shutil, subprocess, sys

TARGETS = [f"{arch}-unknown-linux-{libc}" for arch in ("x86_64", "aarch64") for libc in ("gnu", "musl")]

vendor = pathlib.Path(sys.argv[1])
used = set()
for target in TARGETS:
    command = ["cargo", "metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", target]
    metadata = json.loads(subprocess.run(command, cwd=vendor.parent, check=True, stdout=subprocess.PIPE).stdout)
    nodes = {node["id"] for node in metadata["resolve"]["nodes"]}
    used |= {f"{package['name']}-{package['version']}" for package in metadata["packages"] if package["id"] in nodes}

for folder in sorted(vendor.iterdir()):
    if folder.name in used:
        continue
    checksum = folder / ".cargo-checksum.json"
    package = json.loads(checksum.read_text())["package"]
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "Cargo.toml" and not path.name.lower().startswith(("license", "copying")):
            path.unlink()
    (folder / "src").mkdir()
    (folder / "src/lib.rs").touch()
    checksum.write_text(json.dumps({"files": {}, "package": package}))
