#!/usr/bin/env python3
"""Writing, as whole processes that run in turn: copies of a large image between registries and layouts against crane and
regctl, and an index of 10 platforms from 10 repositories against docker-buildx imagetools. Medians, and the most memory that
each program held. Usage: copies.py PORTOLAN [FOLDER]

The image has 8 layers of 256 MiB each, of noise, which no compression makes smaller (MIB=N: N MiB in all); RUNS=N runs of
each program. Programs that are not on the PATH are left out, and said so. FOLDER is where the gigabytes go."""

import hashlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Beside this file, and with nothing left there.
sys.dont_write_bytecode = True
from timing import timed

LAYERS = 8
MIB = int(os.environ.get("MIB", "2048"))
RUNS = int(os.environ.get("RUNS", "3"))
ARCHITECTURES = ["386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x", "mips64"]


def blob(layout, media_type, pieces):
    """Writes a blob piece by piece; its descriptor."""
    digest, size, path = hashlib.sha256(), 0, layout / "blobs/sha256/new"
    with path.open("wb") as file:
        for piece in pieces:
            digest.update(piece)
            size += file.write(piece)
    path.rename(path.with_name(digest.hexdigest()))
    return {"mediaType": media_type, "digest": f"sha256:{digest.hexdigest()}", "size": size}


def image(layout, name, layers, architecture="amd64"):
    """Adds an image of noise to a layout, under a tag; each of its layers has so many MiB."""
    (layout / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    oci = "application/vnd.oci.image."
    layers = [blob(layout, oci + "layer.v1.tar", (os.urandom(1 << 20) for _ in range(mib))) for mib in layers]
    config = {"architecture": architecture, "os": "linux", "config": {},
              "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}}
    config = blob(layout, oci + "config.v1+json", [json.dumps(config).encode()])
    manifest = {"schemaVersion": 2, "mediaType": oci + "manifest.v1+json", "config": config, "layers": layers}
    manifest = blob(layout, oci + "manifest.v1+json", [json.dumps(manifest).encode()])
    manifest["annotations"] = {"org.opencontainers.image.ref.name": name}
    index = layout / "index.json"
    known = json.loads(index.read_text())["manifests"] if index.exists() else []
    index.write_text(json.dumps({"schemaVersion": 2, "manifests": known + [manifest]}))


class Registry:
    """docker-registry on a free port of loopback."""

    def __init__(self, folder):
        folder.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = "127.0.0.1:%d" % free.getsockname()[1]
        config = folder / "config.yml"
        config.write_text(f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
                          f"http: {{addr: '{self.host}'}}\n")
        self.data = folder / "data"
        self.server = subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                host, port = self.host.split(":")
                socket.create_connection((host, int(port)), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        sys.exit("portolan: docker-registry does not start")

    def forget(self):
        """Empties it: what a run pushed must not be there for the next."""
        shutil.rmtree(self.data, ignore_errors=True)

    def stop(self):
        self.server.kill()
        self.server.wait()


def compare(title, programs, clear, runs=RUNS):
    """Each program so many times, in turn."""
    there = {name: command for name, command in programs.items() if shutil.which(command("x")[0])}
    for name in programs.keys() - there.keys():
        print(f"{title:<22} {name} is not on the PATH")
    found = {name: [] for name in there}
    for run in range(runs):
        for name, command in there.items():
            clear()
            found[name].append(timed(command(run)))
    clear()
    ours, ours_memory = (statistics.median(values) for values in zip(*found.pop("portolan")))
    for name, times in found.items():
        theirs, memory = (statistics.median(values) for values in zip(*times))
        print(f"{title:<22} / {name:<13} {ours / theirs:5.2f} x   ({ours:6.2f} s, {ours_memory:4.0f} MiB against "
              f"{theirs:6.2f} s, {memory:4.0f} MiB)", flush=True)


def main():
    portolan = str(Path(sys.argv[1]).resolve())
    where = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        work = Path(folder)
        os.environ.update(DOCKER_CONFIG=folder, XDG_CACHE_HOME=str(work / "cache"))
        print(f"==> copies of {MIB} MiB in {LAYERS} layers, medians of {RUNS} runs in turn", flush=True)
        layout, out = work / "image", work / "out"
        image(layout, "1", [MIB // LAYERS] * LAYERS)
        source, target = Registry(work / "one"), Registry(work / "two")
        try:
            full = f"{source.host}/a/app:1"
            subprocess.run([portolan, "copy", "--quiet", f"oci-layout://{layout}:1", full], check=True,
                           stdout=subprocess.DEVNULL)

            def clear():
                shutil.rmtree(out, ignore_errors=True)
                target.forget()
                os.sync()

            compare("registry to layout", {
                "portolan": lambda _: [portolan, "copy", "--quiet", full, f"oci-layout://{out}:1"],
                "crane": lambda _: ["crane", "pull", "--insecure", "--format=oci", full, str(out)],
                "regctl": lambda _: ["regctl", "image", "copy", "--host", f"reg={source.host},tls=disabled", full,
                                     f"ocidir://{out}:1"],
            }, clear)
            to = f"{target.host}/b/app"
            compare("layout to registry", {
                "portolan": lambda run: [portolan, "copy", "--quiet", f"oci-layout://{layout}:1", f"{to}:p{run}"],
                "crane": lambda run: ["crane", "push", "--insecure", str(layout), f"{to}:c{run}"],
                "regctl": lambda run: ["regctl", "image", "copy", "--host", f"reg={target.host},tls=disabled",
                                       f"ocidir://{layout}:1", f"{to}:r{run}"],
            }, clear)
            compare("registry to registry", {
                "portolan": lambda run: [portolan, "copy", "--quiet", full, f"{to}:p{run}"],
                "crane": lambda run: ["crane", "copy", "--insecure", full, f"{to}:c{run}"],
                "regctl": lambda run: ["regctl", "image", "copy", "--host", f"reg={source.host},tls=disabled", "--host",
                                       f"reg={target.host},tls=disabled", full, f"{to}:r{run}"],
            }, clear)
            print(f"==> an index of {len(ARCHITECTURES)} platforms from as many repositories, blobs mounted", flush=True)
            small = work / "platforms"
            repositories = []
            for architecture in ARCHITECTURES:
                image(small, architecture, [1], architecture)
                repositories.append(f"{target.host}/one/{architecture}:1")
                subprocess.run([portolan, "copy", "--quiet", f"oci-layout://{small}:{architecture}", repositories[-1]],
                               check=True, stdout=subprocess.DEVNULL)
            compare("create", {
                "portolan": lambda run: [portolan, "create", "--quiet", "-t", f"{target.host}/all/p{run}:1", *repositories],
                "docker-buildx": lambda run: ["docker-buildx", "imagetools", "create", "-t", f"{target.host}/all/b{run}:1",
                                              *repositories],
            }, lambda: None, max(RUNS, 10))
        finally:
            source.stop()
            target.stop()


main()
