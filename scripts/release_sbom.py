#!/usr/bin/env python3
"""Writes what a program is made of, in two formats.

usage: scripts/release_sbom.py TARGET COMMIT CYCLONEDX_FILE AUDITABLE_FILE

CYCLONEDX_FILE gets a CycloneDX 1.5 document (https://cyclonedx.org/docs/1.5/json/), AUDITABLE_FILE the content of the section
`.dep-v0`, as cargo-auditable makes it (https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md), which
scanners find in the program. Run in the source folder.
"""
import json, os, subprocess, sys, time, tomllib, uuid, zlib

target, commit, cyclonedx_file, auditable_file = sys.argv[1:]
metadata = json.loads(subprocess.run(
    ["cargo", "metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", target],
    check=True, stdout=subprocess.PIPE).stdout)
with open("Cargo.lock", "rb") as file:
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in tomllib.load(file)["package"]}
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
root = metadata["resolve"]["root"]


def dependencies(identity):
    """The dependencies of a package, each with whether it only takes part in the build."""
    for dependency in nodes[identity]["deps"]:
        kinds = {kind["kind"] for kind in dependency["dep_kinds"]}
        if kinds & {None, "build"}:
            yield dependency["pkg"], None not in kinds


def is_macro(identity):
    return any("proc-macro" in kind["kind"] for kind in packages[identity]["targets"])


def reached(is_wanted):
    """The packages that `is_wanted` dependencies lead to."""
    found, todo = set(), [root]
    while todo:
        identity = todo.pop()
        if identity not in found:
            found.add(identity)
            todo += [other for other, is_build in dependencies(identity) if is_wanted(other, is_build)]
    return found


runtime = reached(lambda other, is_build: not is_build and not is_macro(other))
order = sorted(reached(lambda other, is_build: True), key=lambda i: (packages[i]["name"], packages[i]["version"]))
position = {identity: number for number, identity in enumerate(order)}


def purl(identity):
    return f"pkg:cargo/{packages[identity]['name']}@{packages[identity]['version']}"


def component(identity):
    package = packages[identity]
    result = {
        "type": "application" if identity == root else "library",
        "bom-ref": purl(identity),
        "name": package["name"],
        "version": package["version"],
        "scope": "required" if identity in runtime else "excluded",
        "licenses": [{"expression": package["license"].replace("/", " OR ")}],
        "purl": purl(identity),
    }
    checksum = checksums[package["name"], package["version"]]
    if checksum:
        result["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if identity == root:
        del result["scope"]
    return result


def references(identity):
    return sorted(purl(other) for other, _ in dependencies(identity))


document = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, commit + target)}",
    "version": 1,
    "metadata": {
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))),
        "component": component(root),
        "properties": [{"name": "commit", "value": commit}, {"name": "target", "value": target}],
    },
    "components": [component(identity) for identity in order if identity != root],
    "dependencies": [{"ref": purl(identity), "dependsOn": references(identity)} for identity in order],
}
with open(cyclonedx_file, "w") as file:
    json.dump(document, file, indent=2)
    file.write("\n")

auditable = []
for identity in order:
    package = packages[identity]
    entry = {
        "name": package["name"],
        "version": package["version"],
        "source": "crates.io" if package["source"] else "local",
    }
    if identity not in runtime:
        entry["kind"] = "build"
    found = sorted({position[other] for other, _ in dependencies(identity)})
    if found:
        entry["dependencies"] = found
    if identity == root:
        entry["root"] = True
    auditable.append(entry)
with open(auditable_file, "wb") as file:
    file.write(zlib.compress(json.dumps({"packages": auditable}, separators=(",", ":")).encode(), 9))
