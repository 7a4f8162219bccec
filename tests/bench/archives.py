"""The last layer of an image in an archive: in a packed one against unpacking it with gzip and listing it with tar, in
a plain one of 10 GiB against one of 10 MiB with as many members, and of one among 100 000 names in a layout's
index.json against one alone.

MIB=N: the packed archive holds N MiB, 1024 else, which pack to half. The large plain ones have holes and take no
room."""

import hashlib
import io
import json
import os
import subprocess
import tarfile

from table import against, alone
from timing import Program, in_turn, setting

LAYERS = 16
OCI = "application/vnd.oci.image."


def described(kind, content, size=None):
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return {"mediaType": OCI + kind, "digest": digest, "size": len(content) if size is None else size}


def documents(layers):
    """What an image of these layers has besides them, by name: as a layout, and as a docker archive."""
    config = json.dumps({"architecture": "amd64", "os": "linux",
                         "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}}).encode()
    manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                           "config": described("config.v1+json", config), "layers": layers}).encode()
    entry = described("manifest.v1+json", manifest) | {"annotations": {"org.opencontainers.image.ref.name": "1"}}
    config_name = name(described("", config))
    listed = [{"Config": config_name, "RepoTags": ["acme/app:1"], "Layers": [name(layer) for layer in layers]}]
    return ({config_name: config, name(entry): manifest, "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
             "index.json": json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()},
            {config_name: config, "manifest.json": json.dumps(listed).encode()})


def name(descriptor):
    return "blobs/" + descriptor["digest"].replace(":", "/")


def member(name, size):
    info = tarfile.TarInfo(name)
    info.size = size
    return info


def with_holes(path, size, docker):
    """An archive whose layers have so many bytes altogether, none of them written, and nobody's digest."""
    layers = [described("layer.v1.tar", b"%d" % at, size // LAYERS) for at in range(LAYERS)]
    with path.open("wb") as file:
        for layer in layers:
            file.write(member(name(layer), layer["size"]).tobuf())
            file.seek((layer["size"] + 511) // 512 * 512, os.SEEK_CUR)
        with tarfile.open(fileobj=file, mode="w") as tar:
            for called, content in documents(layers)[docker].items():
                tar.addfile(member(called, len(content)), io.BytesIO(content))


def layout(folder, names):
    """A layout in which an image is the last of so many names, each of an image of its own; the MiB of its
    index.json."""
    found, _ = documents([described("layer.v1.tar", b"layer")])
    for called, content in found.items():
        (folder / called).parent.mkdir(parents=True, exist_ok=True)
        (folder / called).write_bytes(content)
    [entry] = json.loads(found["index.json"])["manifests"]
    others = [described("manifest.v1+json", b"%d" % at) |
              {"annotations": {"org.opencontainers.image.ref.name": f"n{at}"}} for at in range(1, names)]
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": others + [entry]}))
    return (folder / "index.json").stat().st_size / (1 << 20)


class Noise:
    """Without end, and in hexadecimal: it packs to half."""

    def read(self, size):
        return os.urandom((size + 1) // 2).hex().encode()[:size]


def packed(path, mib):
    """A gzip of an archive whose layers are noise and have nobody's digest."""
    pack = subprocess.Popen(["gzip", "-1c"], stdin=subprocess.PIPE, stdout=path.open("wb"))
    with tarfile.open(fileobj=pack.stdin, mode="w|") as tar:
        layers = []
        for at in range(LAYERS):
            layers.append(described("layer.v1.tar", b"%d" % at, (mib << 20) // LAYERS))
            tar.addfile(member(name(layers[-1]), layers[-1]["size"]), Noise())
        for called, content in documents(layers)[False].items():
            tar.addfile(member(called, len(content)), io.BytesIO(content))
    pack.stdin.close()
    assert pack.wait() == 0, "gzip failed"


def rows(tools, work):
    runs = setting("RUNS", 5)

    def last(place):
        return [tools.portolan, "layers", "--last", f"{place}:1"]

    for scheme, docker in (("oci-archive", False), ("docker-archive", True)):
        large, small = work / f"large-{scheme}.tar", work / f"small-{scheme}.tar"
        with_holes(large, 10 << 30, docker)
        with_holes(small, 10 << 20, docker)
        what = f"layers --last, {scheme} of 10 GiB"
        found = in_turn(what, [Program("portolan", last(f"{scheme}://{large}")),
                               Program("one of 10 MiB", last(f"{scheme}://{small}"))], runs)
        yield against(what, found, "one of 10 MiB")
    many, one = work / "many", work / "one"
    size = layout(many, 100_000)
    layout(one, 1)
    what = f"layers --last, 100 000 names in {size:.0f} MiB"
    found = in_turn(what, [Program("portolan", last(f"oci-layout://{many}")),
                           Program("a name alone", last(f"oci-layout://{one}"))], runs)
    yield against(what, found, "a name alone")
    yield alone(what, found, "memory")
    mib, file = setting("MIB", 1024), work / "app.tar.gz"
    packed(file, mib)
    os.sync()
    what = f"layers --last, {mib} MiB in gzip"
    listed = ["bash", "-c", 'set -o pipefail; gzip -dc "$0" | tar t', file]
    found = in_turn(what, [Program("portolan", last(f"oci-archive://{file}")),
                           Program("gzip -dc | tar t", listed)], runs)
    yield against(what, found, "gzip -dc | tar t")
    yield alone(what, found, "memory")
