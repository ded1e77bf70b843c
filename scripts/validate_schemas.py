#!/usr/bin/env python3
"""Validates every document of OCI image layouts against the JSON Schemas of image-spec.

usage: validate_schemas.py SCHEMAS LAYOUT...

SCHEMAS is the folder that holds image-spec's schema/*.json; a LAYOUT is a folder or a plain tar. Checked are
oci-layout, index.json and each index, manifest and image config that can be reached from it. Uses no network.
"""
import json
import os
import sys
import tarfile

import jsonschema

OCI = "application/vnd.oci.image."
SCHEMA_OF = {
    OCI + "index.v1+json": "image-index-schema.json",
    OCI + "manifest.v1+json": "image-manifest-schema.json",
    OCI + "config.v1+json": "config-schema.json",
}


def expand(schema, schemas, document):
    """The schema with each `$ref` replaced by its target, so that nothing is looked up by URL."""
    if isinstance(schema, list):
        return [expand(item, schemas, document) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        file, _, pointer = schema["$ref"].partition("#")
        document = file or document
        target = schemas[document]
        for key in pointer.strip("/").split("/") if pointer.strip("/") else []:
            target = target[key]
        return expand(target, schemas, document)
    # draft-04 "id" only gives a base URL; a property named "id" is an object and stays.
    return {key: expand(value, schemas, document) for key, value in schema.items()
            if not (key in ("id", "$schema") and isinstance(value, str))}


def load_validators(folder):
    schemas = {name: json.load(open(os.path.join(folder, name))) for name in os.listdir(folder) if name.endswith(".json")}
    return {name: jsonschema.Draft4Validator(expand(schemas[name], schemas, name))
            for name in [*SCHEMA_OF.values(), "image-layout-schema.json"]}


class Layout:
    """Reads files of a layout by their path, from a folder or a tar."""

    def __init__(self, path):
        self.tar = tarfile.open(path, "r:") if os.path.isfile(path) else None
        self.path = path

    def read(self, name):
        if self.tar:
            return self.tar.extractfile(name).read()
        with open(os.path.join(self.path, name), "rb") as file:
            return file.read()


def validate(layout, validators):
    """Yields a line for each violation, then the number of documents checked."""
    checked = 0

    def check(where, document, schema):
        nonlocal checked
        checked += 1
        for error in validators[schema].iter_errors(document):
            place = "/".join(str(part) for part in error.absolute_path)
            yield f"{layout.path}: {where}: /{place}: {error.message}"

    index = json.loads(layout.read("index.json"))
    yield from check("oci-layout", json.loads(layout.read("oci-layout")), "image-layout-schema.json")
    yield from check("index.json", index, "image-index-schema.json")
    pending, seen = list(index["manifests"]), set()
    while pending:
        descriptor = pending.pop()
        schema = SCHEMA_OF.get(descriptor["mediaType"])
        if schema is None or descriptor["digest"] in seen:
            continue
        seen.add(descriptor["digest"])
        document = json.loads(layout.read("blobs/" + descriptor["digest"].replace(":", "/")))
        yield from check(f"{descriptor['mediaType']} {descriptor['digest']}", document, schema)
        pending += document.get("manifests", [])
        if isinstance(document.get("config"), dict) and "layers" in document:
            pending.append(document["config"])
    yield checked


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    validators = load_validators(sys.argv[1])
    violations = checked = 0
    for path in sys.argv[2:]:
        for result in validate(Layout(path), validators):
            if isinstance(result, int):
                checked += result
            else:
                violations += 1
                print("FAIL", result)
    print(f"{checked} documents, {violations} violations")
    sys.exit(1 if violations or not checked else 0)


if __name__ == "__main__":
    main()
