#!/usr/bin/env python3
"""Prints the copyright file of a package: the licence of ocify, and of each crate that is part of the program.

usage: scripts/release_copyright.py SOURCE_FOLDER CYCLONEDX_FILE
"""
import json, pathlib, sys

source = pathlib.Path(sys.argv[1])
document = json.loads(pathlib.Path(sys.argv[2]).read_text())
print("ocify is licensed under Apache-2.0 or MIT, at your option. It contains these crates:\n")
parts = [part for part in document["components"] if part["scope"] == "required"]
for part in parts:
    print(f"{part['name']} {part['version']}: {part['licenses'][0]['expression']}")
seen = {}
for part in parts:
    folder = source / "vendor" / f"{part['name']}-{part['version']}"
    # crates/deflate-chunks is part of the project.
    for path in sorted(folder.rglob("*")) if folder.exists() else []:
        if path.is_file() and path.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE")):
            text = path.read_text(errors="replace").strip()
            seen.setdefault(text, []).append(f"{part['name']} {part['version']}")
for path in ("LICENSE-APACHE", "LICENSE-MIT"):
    seen.setdefault((source / path).read_text().strip(), []).insert(0, "ocify")
for text, names in seen.items():
    print(f"\n{'-' * 100}\n{', '.join(dict.fromkeys(names))}\n\n{text}")
