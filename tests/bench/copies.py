#!/usr/bin/env python3
"""Copies of a large image between registries and layouts, against crane and regctl: medians of whole processes that run in
turn, and the most memory that each of them held. Usage: copies.py PORTOLAN [FOLDER]

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

LAYERS = 8
MIB = int(os.environ.get("MIB", "2048"))
RUNS = int(os.environ.get("RUNS", "3"))


def blob(layout, media_type, pieces):
    """Writes a blob piece by piece; its descriptor."""
    digest, size, path = hashlib.sha256(), 0, layout / "blobs/sha256/new"
    with path.open("wb") as file:
        for piece in pieces:
            digest.update(piece)
            size += file.write(piece)
    path.rename(path.with_name(digest.hexdigest()))
    return {"mediaType": media_type, "digest": f"sha256:{digest.hexdigest()}", "size": size}


def image(layout):
    """A layout with one image of noise, called 1."""
    (layout / "blobs/sha256").mkdir(parents=True)
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    noise = lambda: (os.urandom(1 << 20) for _ in range(MIB // LAYERS))
    oci = "application/vnd.oci.image."
    layers = [blob(layout, oci + "layer.v1.tar", noise()) for _ in range(LAYERS)]
    config = {"architecture": "amd64", "os": "linux", "config": {},
              "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}}
    config = blob(layout, oci + "config.v1+json", [json.dumps(config).encode()])
    manifest = {"schemaVersion": 2, "mediaType": oci + "manifest.v1+json", "config": config, "layers": layers}
    manifest = blob(layout, oci + "manifest.v1+json", [json.dumps(manifest).encode()])
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "1"}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))


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


def timed(command):
    """Seconds, and MiB at the most."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.monotonic() - start
    if status:
        sys.exit(f"portolan: {' '.join(map(str, command))} failed: {said.decode(errors='replace')}")
    return took, usage.ru_maxrss / 1024


def compare(title, programs, clear):
    """Each program RUNS times, in turn."""
    there = {name: command for name, command in programs.items() if shutil.which(command("x")[0])}
    for name in programs.keys() - there.keys():
        print(f"{title:<22} {name} is not on the PATH")
    found = {name: [] for name in there}
    for run in range(RUNS):
        for name, command in there.items():
            clear()
            found[name].append(timed(command(run)))
    clear()
    ours, ours_memory = (statistics.median(values) for values in zip(*found.pop("portolan")))
    for name, times in found.items():
        theirs, memory = (statistics.median(values) for values in zip(*times))
        print(f"{title:<22} / {name:<7} {ours / theirs:5.2f} x   ({ours:6.2f} s, {ours_memory:4.0f} MiB against "
              f"{theirs:6.2f} s, {memory:4.0f} MiB)", flush=True)


def main():
    portolan = str(Path(sys.argv[1]).resolve())
    where = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        work = Path(folder)
        os.environ.update(DOCKER_CONFIG=folder, XDG_CACHE_HOME=str(work / "cache"))
        print(f"==> copies of {MIB} MiB in {LAYERS} layers, medians of {RUNS} runs in turn", flush=True)
        layout, out = work / "image", work / "out"
        image(layout)
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
        finally:
            source.stop()
            target.stop()


main()
