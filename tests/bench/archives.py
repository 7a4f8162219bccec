#!/usr/bin/env python3
"""Archives, as whole processes that run in turn: the last layer of an image in a packed archive against unpacking it with
gzip and listing it with tar, of one in a plain archive of 10 GiB against one of 10 MiB with as many members, and of one among
100 000 names in a layout's index.json against one alone. Medians, and the most memory that each program held. Usage: archives.py PORTOLAN [FOLDER]

MIB=N: the packed archive holds N MiB, 1024 else, which pack to half; RUNS=N runs of each. FOLDER is where they go; the large
plain ones have holes and take no room."""

import hashlib
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

# Beside this file, and with nothing left there.
sys.dont_write_bytecode = True
from timing import timed

MIB = int(os.environ.get("MIB", "1024"))
RUNS = int(os.environ.get("RUNS", "5"))
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
    """Makes it in a process of its own: what we hold when a program is started counts for that program."""
    child = os.fork()
    if child == 0:
        write_layout(folder, names)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit("portolan: no layout could be made")
    return (folder / "index.json").stat().st_size / (1 << 20)


def write_layout(folder, names):
    """A layout in which an image is the last of so many names, each of an image of its own."""
    found, _ = documents([described("layer.v1.tar", b"layer")])
    for called, content in found.items():
        (folder / called).parent.mkdir(parents=True, exist_ok=True)
        (folder / called).write_bytes(content)
    [entry] = json.loads(found["index.json"])["manifests"]
    others = [described("manifest.v1+json", b"%d" % at) |
              {"annotations": {"org.opencontainers.image.ref.name": f"n{at}"}} for at in range(1, names)]
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": others + [entry]}))


class Noise:
    """Without end, and in hexadecimal: it packs to half. Little of it is here at a time, since what we hold when a program
    is started counts for that program."""

    def read(self, size):
        return os.urandom((size + 1) // 2).hex().encode()[:size]


def packed(path):
    """A gzip of an archive whose layers are noise and have nobody's digest."""
    pack = subprocess.Popen(["gzip", "-1c"], stdin=subprocess.PIPE, stdout=path.open("wb"))
    with tarfile.open(fileobj=pack.stdin, mode="w|") as tar:
        layers = []
        for at in range(LAYERS):
            layers.append(described("layer.v1.tar", b"%d" % at, (MIB << 20) // LAYERS))
            tar.addfile(member(name(layers[-1]), layers[-1]["size"]), Noise())
        for called, content in documents(layers)[False].items():
            tar.addfile(member(called, len(content)), io.BytesIO(content))
    pack.stdin.close()
    if pack.wait():
        sys.exit("portolan: gzip failed")


def compare(title, ours, theirs, what):
    """Each so many times, in turn, after one of each that does not count."""
    found = {False: [], True: []}
    for run in range(RUNS + 1):
        for other, command in [(False, ours), (True, theirs)]:
            took = timed(command)
            if run:
                found[other].append(took)
    (one, memory), (other, _) = ([statistics.median(values) for values in zip(*runs)] for runs in found.values())
    print(f"{title:<22} / {what:<20} {one / other:5.2f} x   ({one * 1000:7.1f} ms, {memory:3.0f} MiB against "
          f"{other * 1000:7.1f} ms)", flush=True)


def main():
    portolan = str(Path(sys.argv[1]).resolve())
    where = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        work = Path(folder)
        os.environ.update(DOCKER_CONFIG=folder, XDG_CACHE_HOME=str(work / "cache"))
        print(f"==> the last layer of an image in an archive, medians of {RUNS} runs in turn", flush=True)
        for scheme, docker in [("oci-archive", False), ("docker-archive", True)]:
            large, small = work / f"large-{scheme}.tar", work / f"small-{scheme}.tar"
            with_holes(large, 10 << 30, docker)
            with_holes(small, 10 << 20, docker)
            last = lambda file: [portolan, "layers", "--last", f"{scheme}://{file}:1"]
            compare(f"{scheme} of 10 GiB", last(large), last(small), "of 10 MiB")
        many, one = work / "many", work / "one"
        size = layout(many, 100_000)
        layout(one, 1)
        last = lambda folder: [portolan, "layers", "--last", f"oci-layout://{folder}:1"]
        compare(f"100 000 names, {size:.0f} MiB", last(many), last(one), "a name alone")
        file = work / "app.tar.gz"
        packed(file)
        subprocess.run(["sync"], check=True)
        compare(f"{MIB} MiB in gzip", [portolan, "layers", "--last", f"oci-archive://{file}:1"],
                ["bash", "-c", 'set -o pipefail; gzip -dc "$0" | tar t', str(file)], "gzip -dc | tar t")


main()
