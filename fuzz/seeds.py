#!/usr/bin/env python3
"""Makes the seed corpora in fuzz/corpus from testdata. The same bytes at every run.

usage: fuzz/seeds.py
"""
import bz2, gzip, hashlib, io, json, lzma, pathlib, shutil, subprocess, tarfile, tempfile

FUZZ = pathlib.Path(__file__).resolve().parent
TESTDATA = FUZZ.parent / "testdata"
CORPUS = FUZZ / "corpus"
SEPARATOR = b"\n%%\n"


def write(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def text(value):
    return json.dumps(value, separators=(",", ":")).encode()


def tar(members, format=tarfile.GNU_FORMAT):
    """members: name to bytes, or to ("link", target), ("hard", target), ("folder",)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name, value in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(value, bytes):
                info.size = len(value)
                archive.addfile(info, io.BytesIO(value))
                continue
            kinds = {"link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "folder": tarfile.DIRTYPE}
            info.type = kinds[value[0]]
            info.linkname = value[1] if len(value) > 1 else ""
            archive.addfile(info)
    data = out.getvalue()
    # tarfile pads to 20 blocks; two zero blocks are enough.
    return data.rstrip(b"\0").ljust(-(-len(data.rstrip(b"\0")) // 512) * 512, b"\0") + bytes(1024)


def sha(data):
    return hashlib.sha256(data).hexdigest()


LAYER = tar({"etc/": ("folder",), "etc/motd": b"hello\n"})
CONFIG = text({"architecture": "amd64", "os": "linux", "config": {},
               "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha(LAYER)]},
               "history": [{"created_by": "COPY / /"}]})


def docker_save(layer=LAYER, links=False):
    manifest = text([{"Config": sha(CONFIG) + ".json", "RepoTags": ["app:1"], "Layers": ["a/layer.tar"]}])
    members = {sha(CONFIG) + ".json": CONFIG, "manifest.json": manifest}
    if links:
        members.update({"b/layer.tar": layer, "a/layer.tar": ("link", "../b/layer.tar")})
    else:
        members["a/layer.tar"] = layer
    return members


def layout(layer=gzip.compress(LAYER, mtime=0), kind="gzip", config=CONFIG):
    def descriptor(data, media_type, **more):
        return {"mediaType": media_type, "digest": "sha256:" + sha(data), "size": len(data), **more}
    oci = "application/vnd.oci.image."
    suffix = {"gzip": ".tar+gzip", "zstd": ".tar+zstd", "none": ".tar"}[kind]
    manifest = text({"schemaVersion": 2, "mediaType": oci + "manifest.v1+json",
                     "config": descriptor(config, oci + "config.v1+json"),
                     "layers": [descriptor(layer, oci + "layer.v1" + suffix)]})
    index = text({"schemaVersion": 2, "manifests": [descriptor(
        manifest, oci + "manifest.v1+json", annotations={"org.opencontainers.image.ref.name": "app:1"})]})
    blobs = {"blobs/sha256/" + sha(data): data for data in (config, layer, manifest)}
    return {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', **blobs, "index.json": index}


def old_docker():
    first = text({"id": "a" * 64, "created": "2015-01-01T00:00:00Z", "container_config": {"Cmd": ["sh"]},
                  "architecture": "amd64", "os": "linux"})
    second = text({"id": "b" * 64, "parent": "a" * 64, "created": "2015-01-02T03:04:05.6Z", "config": {}})
    return {"repositories": text({"app": {"1": "b" * 64}}),
            "a" * 64 + "/json": first, "a" * 64 + "/layer.tar": LAYER, "a" * 64 + "/VERSION": b"1.0",
            "b" * 64 + "/json": second, "b" * 64 + "/layer.tar": LAYER}


def without_process_id(archive):
    """GNU tar puts its process ID into the names of sparse members."""
    archive = bytearray(archive)
    for at in range(0, len(archive), 512):
        header = archive[at:at + 512]
        if b"/GNUSparseFile." in header[:100]:
            header[:100] = b"./GNUSparseFile.0/sparse".ljust(100, b"\0")
            header[148:156] = b" " * 8
            header[148:156] = b"%06o\0 " % sum(header)
            archive[at:at + 512] = header
    return bytes(archive)


def sparse_tars():
    """Each of GNU tar's ways to write a sparse member."""
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/sparse", "wb") as file:
            file.seek(8192)
            file.write(b"x" * 512)
            file.truncate(32768)
        plain = "exthdr.name=%d/pax/%f,delete=atime,delete=ctime,delete=mtime"
        for name, options in [("gnu", ["--format=gnu"]),
                              ("pax00", ["--format=pax", "--pax-option=" + plain, "--sparse-version=0.0"]),
                              ("pax01", ["--format=pax", "--pax-option=" + plain, "--sparse-version=0.1"]),
                              ("pax10", ["--format=pax", "--pax-option=" + plain, "--sparse-version=1.0"])]:
            made = subprocess.run(
                ["tar", "--create", "--blocking-factor=1", "--sparse", "--mtime=@0", "--owner=0:0", "--group=0:0",
                 "--mode=644", *options, "-C", folder, "sparse"], capture_output=True, check=True)
            yield "sparse-" + name, without_process_id(made.stdout)


def zstd(data, *options):
    return subprocess.run(["zstd", "-q", "-c", *options], input=data, stdout=subprocess.PIPE, check=True).stdout


def tar_index():
    write("tar_index", "docker", tar(docker_save(links=True)))
    write("tar_index", "pax-names", tar({"a" * 150 + "/b": b"x", "manifest.json": b"[]"}, tarfile.PAX_FORMAT))
    write("tar_index", "gnu-names", tar({"a" * 150 + "/b": b"x", "l": ("link", "c" * 120)}))
    write("tar_index", "folder", tar({"x/": ("folder",), "x/oci-layout": b"{}", "x/index.json": b"{}", "h": ("hard", "x/index.json")}))
    for name, data in sparse_tars():
        write("tar_index", name, data)


def docker_manifest():
    diff_id = "sha256:" + sha(bytes(1024))
    config = text({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff_id]},
                   "history": [{"created": "2020-01-01T00:00:00Z"}, {"empty_layer": True}]})
    item = {"Config": "config.json", "RepoTags": ["app:1", "host:5000/app:2"], "Layers": ["layer.tar"]}
    write("docker_manifest", "plain", text([item]) + SEPARATOR + config)
    write("docker_manifest", "hex", text([{**item, "Config": "@1.json", "RepoTags": None}]) + SEPARATOR + config)
    source = {diff_id: {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "size": 1,
                        "digest": diff_id, "urls": ["https://example.test/layer"]}}
    write("docker_manifest", "foreign", text([{**item, "Layers": ["gone.tar"], "LayerSources": source}]) + SEPARATOR + config)
    write("docker_manifest", "two", text([item, {**item, "RepoTags": ["b:1"], "Layers": ["a\\layer.tar"]}]) + SEPARATOR + config)


def legacy():
    archive = tarfile.open(TESTDATA / "docker-before-1.10.tar")
    documents = [archive.extractfile(m).read() for m in archive.getmembers() if m.name.endswith("/json")][:4]
    write("legacy", "real", SEPARATOR.join([text({"app": {"1": "a"}}), *documents]))
    made = old_docker()
    chain = [text({"app": {"1": "b", "2": "a"}}), made["a" * 64 + "/json"],
             made["b" * 64 + "/json"].replace(b"a" * 64, b"a")]
    write("legacy", "chain", SEPARATOR.join(chain))
    loop = [text({"app": {"1": "a"}}), text({"id": "a", "parent": "b"}), text({"id": "b", "parent": "a"})]
    write("legacy", "loop", SEPARATOR.join(loop))


def schema1():
    for path in sorted(TESTDATA.glob("signed/*.json")) + [TESTDATA / "schema1/manifest.json"]:
        write("schema1", path.stem, path.read_bytes())
    unsigned = json.loads((TESTDATA / "schema1/manifest.json").read_bytes())
    unsigned.pop("signatures", None)
    write("schema1", "unsigned", text(unsigned))


def oci_layout():
    oci = "application/vnd.oci.image."
    config = text({"architecture": "arm64", "variant": "v8", "os": "linux",
                   "rootfs": {"type": "layers", "diff_ids": ["sha256:@3"]}})
    def descriptor(number, media_type, **more):
        return text({"mediaType": media_type, "digest": "sha256:@%d" % number, **more})[:-1] + b',"size":#%d}' % number
    def manifest(config_at, layer_at):
        return (b'{"schemaVersion":2,"config":' + descriptor(config_at, oci + "config.v1+json") + b',"layers":['
                + descriptor(layer_at, oci + "layer.v1.tar") + b"]}")
    def index(*descriptors):
        return b'{"schemaVersion":2,"manifests":[' + b",".join(descriptors) + b"]}"
    name = {"annotations": {"org.opencontainers.image.ref.name": "app:1"}}
    layer = bytes(1024)
    write("oci_layout", "image", SEPARATOR.join(
        [index(descriptor(1, oci + "manifest.v1+json", **name)), manifest(2, 3), config, layer]))
    nested = index(descriptor(2, oci + "manifest.v1+json", platform={"os": "linux", "architecture": "arm64"}))
    write("oci_layout", "index", SEPARATOR.join(
        [index(descriptor(1, oci + "index.v1+json", **name)), nested, manifest(3, 4),
         config.replace(b"@3", b"@4"), layer]))
    artifact = (b'{"schemaVersion":2,"artifactType":"text/plain","config":' + descriptor(2, oci + "empty.v1+json")
                + b',"layers":[' + descriptor(3, "text/plain") + b'],"subject":' + descriptor(4, oci + "manifest.v1+json") + b"}")
    write("oci_layout", "artifact", SEPARATOR.join(
        [index(descriptor(1, oci + "manifest.v1+json")), artifact, b"{}", b"hello", manifest(5, 6),
         config.replace(b"@3", b"@6"), layer]))


def absent():
    layer = bytes(1024)
    blob = {"digest": "sha256:" + sha(layer), "size": len(layer), "mediaType": "application/vnd.oci.image.layer.v1.tar"}
    whole = {**blob, "diffId": blob["digest"]}
    gzip_layer = {**whole, "mediaType": blob["mediaType"] + "+gzip", "codec": "gzip", "level": 3, "encoder": "0123456789abcdef"}
    write("absent", "plain", text({"absent": [whole]}))
    write("absent", "gzip", text({"absent": [gzip_layer]}))
    write("absent", "volume", text({"absent": [{**gzip_layer, "volume": "app.002.tar"}]}))
    write("absent", "not-a-layer", text({"absent": [blob]}))


def decoders():
    data = LAYER[:2048]
    streams = [(0, "gzip", gzip.compress(data, mtime=0)), (1, "zstd", zstd(data, "--check")), (2, "bzip2", bz2.compress(data)),
               (3, "xz", lzma.compress(data))]
    for number, name, stream in streams:
        write("decoders", name, bytes([number]) + stream)
        write("decoders", name + "-two", bytes([number]) + stream + stream)
    write("decoders", "zstd-skippable", b"\x01" + b"\x50\x2a\x4d\x18\x04\0\0\0skip" + zstd(data))
    write("decoders", "zstd-19", b"\x01" + zstd(data * 40, "-19", "--no-check"))
    write("decoders", "xz-crc32", b"\x03" + lzma.compress(data, check=lzma.CHECK_CRC32))


def whole_convert():
    write("whole_convert", "docker", tar(docker_save()))
    write("whole_convert", "docker-links-gzip", tar(docker_save(gzip.compress(LAYER, mtime=0), links=True)))
    write("whole_convert", "docker-xz", tar(docker_save(lzma.compress(LAYER))))
    write("whole_convert", "layout", tar(layout()))
    write("whole_convert", "layout-zstd", tar(layout(zstd(LAYER), "zstd")))
    write("whole_convert", "layout-plain", tar(layout(LAYER, "none")))
    both = layout(LAYER, "none")
    config = "blobs/sha256/" + sha(CONFIG)
    both["manifest.json"] = text([{"Config": config, "RepoTags": ["app:1"], "Layers": ["blobs/sha256/" + sha(LAYER)]}])
    write("whole_convert", "docker-25", tar(both))
    write("whole_convert", "before-1.10", tar(old_docker()))
    write("whole_convert", "oci-archive", (TESTDATA / "oci-archive.tar").read_bytes())
    folder = {path.name: path.read_bytes() for path in sorted((TESTDATA / "schema1").iterdir())}
    write("whole_convert", "schema1", tar(folder))


def registry_tree():
    oci = "application/vnd.oci.image."
    def descriptor(number, media_type):
        return b'{"mediaType":"%s","digest":"sha256:@%d","size":#%d}' % (media_type.encode(), number, number)
    manifest = (b'{"schemaVersion":2,"mediaType":"' + oci.encode() + b'manifest.v1+json","config":'
                + descriptor(2, oci + "config.v1+json") + b',"layers":[' + descriptor(3, oci + "layer.v1.tar+gzip") + b"]}")
    config = CONFIG.replace(sha(LAYER).encode(), sha(bytes(1024)).encode())
    blobs = [manifest, config, gzip.compress(bytes(1024), mtime=0)]
    tags, revisions = b"app/_manifests/tags/1/current/link sha256:@1", b"app/_manifests/revisions/sha256/@1/link sha256:@1"
    write("registry_tree", "tagged", SEPARATOR.join([tags + b"\n" + revisions, *blobs]))
    write("registry_tree", "untagged", SEPARATOR.join([revisions + b"\n" + revisions.replace(b"app", b"b/c"), *blobs]))
    write("registry_tree", "blobs-alone", SEPARATOR.join([b"app/_uploads/1/data x", *blobs]))
    payload = (TESTDATA / "schema1/manifest.json").read_bytes()
    unsigned = json.loads(payload)
    unsigned.pop("signatures", None)
    unsigned["history"], unsigned["fsLayers"] = unsigned["history"][-1:], [{"blobSum": "sha256:@2"}]
    write("registry_tree", "schema1", SEPARATOR.join([tags + b"\n" + revisions, text(unsigned), gzip.compress(LAYER, mtime=0)]))


def schema1_write():
    config = {"architecture": "amd64", "os": "linux", "created": "2024-01-02T03:04:05.6Z", "author": "a <b>",
              "config": {"Cmd": ["sh"], "Labels": {"a": "b&c"}}, "rootfs": {"type": "layers", "diff_ids": ["sha256:@1"]},
              "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "COPY / /", "comment": "first"},
                          {"created_by": "CMD [\"sh\"]", "empty_layer": True}]}
    write("schema1_write", "one", SEPARATOR.join([text(config), LAYER]))
    config["rootfs"]["diff_ids"] += ["sha256:@2", "sha256:@1"]
    config["history"] += [{"created_by": "RUN x"}, {"author": "me"}]
    write("schema1_write", "three", SEPARATOR.join([text(config), LAYER, bytes(1024), LAYER]).replace(b"@3", b"@1"))
    config["history"] = [{"empty_layer": True}]
    config["rootfs"]["diff_ids"] = []
    write("schema1_write", "none", text(config))


shutil.rmtree(CORPUS, ignore_errors=True)
for make in (tar_index, docker_manifest, legacy, schema1, oci_layout, absent, decoders, whole_convert, registry_tree,
             schema1_write):
    make()
