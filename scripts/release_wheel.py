#!/usr/bin/env python3
"""Writes a wheel that holds the program, so that `pip install` puts it into the PATH.

usage: scripts/release_wheel.py PROGRAM SOURCE_FOLDER ARCH OUTPUT_FOLDER

The program is linked statically, so the wheel fits glibc and musl of any version
(https://packaging.python.org/en/latest/specifications/binary-distribution-format/).
"""
import base64, hashlib, os, pathlib, sys, time, tomllib, zipfile

program, source, arch, output = sys.argv[1:]
source = pathlib.Path(source)
package = tomllib.loads((source / "Cargo.toml").read_text())["package"]
version = package["version"]
platforms = [f"{libc}_{arch}" for libc in ("manylinux_2_17", "manylinux2014", "musllinux_1_1")]
info = f"ocify-{version}.dist-info"

headers = [
    "Metadata-Version: 2.4",
    "Name: ocify",
    f"Version: {version}",
    f"Summary: {package['description']}",
    f"License-Expression: {package['license']}",
    "License-File: LICENSE-APACHE",
    "License-File: LICENSE-MIT",
    f"Keywords: {','.join(package['keywords'])}",
    "Requires-Python: >=3.7",
    "Description-Content-Type: text/markdown",
]
tags = [f"Tag: py3-none-{platform}" for platform in platforms]
wheel = ["Wheel-Version: 1.0", "Generator: ocify", "Root-Is-Purelib: false", *tags]
files = {
    f"ocify-{version}.data/scripts/ocify": pathlib.Path(program).read_bytes(),
    f"{info}/METADATA": ("\n".join(headers) + "\n\n" + (source / "README.md").read_text()).encode(),
    f"{info}/WHEEL": ("\n".join(wheel) + "\n").encode(),
}
for name in ("LICENSE-APACHE", "LICENSE-MIT"):
    files[f"{info}/licenses/{name}"] = (source / name).read_bytes()


def row(name, content):
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"


record = "".join(row(name, content) for name, content in files.items())
files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()

# zip has no time before 1980.
made = time.gmtime(max(int(os.environ["SOURCE_DATE_EPOCH"]), 315532800))[:6]
with zipfile.ZipFile(pathlib.Path(output) / f"ocify-{version}-py3-none-{'.'.join(platforms)}.whl", "w") as archive:
    for name, content in files.items():
        member = zipfile.ZipInfo(name, made)
        member.external_attr = (0o100755 if "/scripts/" in name else 0o100644) << 16
        member.create_system = 3
        archive.writestr(member, content, zipfile.ZIP_DEFLATED, 9)
