#!/usr/bin/env python3
"""A registry that is far away: 20 ms before every request passes, and 100 MB (10^6) a second on each connection. One large
layer into a layout against crane, regctl and skopeo, and an index of eight platforms with attestations, inspected, against
docker-buildx imagetools. Medians. Usage: line.py PORTOLAN SLOW_LINE [FOLDER]

MIB=N: the layer has N MiB; RUNS=N runs of each program. Programs that are not on the PATH are left out, and said so."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# Beside this file, and with nothing left there.
sys.dont_write_bytecode = True
from images import OCI, Registry, blob, image
from timing import compare

MIB = int(os.environ.get("MIB", "2048"))
RUNS = int(os.environ.get("RUNS", "3"))
DELAY, WIDTH = 20, 100
ARCHITECTURES = ["386", "amd64", "arm", "arm64", "mips64le", "ppc64le", "riscv64", "s390x"]


def with_attestations(layout):
    """An index of all platforms as BuildKit writes it, each with SBOM and provenance."""
    image(layout, "base", [1])
    manifests = []
    for architecture in ARCHITECTURES:
        image(layout, architecture, [1], architecture)
        entry = json.loads((layout / "index.json").read_text())["manifests"][-1]
        entry = {key: entry[key] for key in ("mediaType", "digest", "size")}
        manifests.append(entry | {"platform": {"architecture": architecture, "os": "linux"}})
    for entry in list(manifests):
        said = []
        for predicate in ("https://spdx.dev/Document", "https://slsa.dev/provenance/v0.2"):
            statement = {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": predicate,
                         "subject": [{"name": "app", "digest": {"sha256": entry["digest"][7:]}}], "predicate": {}}
            layer = blob(layout, "application/vnd.in-toto+json", [json.dumps(statement).encode()])
            said.append(layer | {"annotations": {"in-toto.io/predicate-type": predicate}})
        config = {"architecture": "unknown", "os": "unknown", "config": {},
                  "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in said]}}
        config = blob(layout, OCI + "config.v1+json", [json.dumps(config).encode()])
        manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": config, "layers": said}
        manifest = blob(layout, OCI + "manifest.v1+json", [json.dumps(manifest).encode()])
        manifests.append(manifest | {
            "annotations": {"vnd.docker.reference.digest": entry["digest"],
                            "vnd.docker.reference.type": "attestation-manifest"},
            "platform": {"architecture": "unknown", "os": "unknown"}})
    index = {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": manifests}
    index = blob(layout, OCI + "index.v1+json", [json.dumps(index).encode()])
    index["annotations"] = {"org.opencontainers.image.ref.name": "1"}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [index]}))


def main():
    portolan, slow_line = (str(Path(program).resolve()) for program in sys.argv[1:3])
    where = sys.argv[3] if len(sys.argv) > 3 else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        work = Path(folder)
        os.environ.update(DOCKER_CONFIG=folder, XDG_CACHE_HOME=str(work / "cache"))
        large, platforms, out = work / "large", work / "platforms", work / "out"
        image(large, "1", [MIB])
        with_attestations(platforms)
        registry = Registry(work / "registry")
        line = subprocess.Popen([slow_line, registry.host, str(DELAY), str(WIDTH)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        try:
            host = line.stdout.readline().strip()
            for layout, name in ((large, "large"), (platforms, "platforms")):
                subprocess.run([portolan, "copy", "--quiet", f"oci-layout://{layout}:1", f"{registry.host}/{name}:1"],
                               check=True, stdout=subprocess.DEVNULL)
            shutil.rmtree(large)
            print(f"==> {DELAY} ms away, {WIDTH} MB/s a connection: one layer of {MIB} MiB, medians of {RUNS} runs in turn",
                  flush=True)
            full = f"{host}/large:1"
            compare("registry to layout", {
                "portolan": lambda _: [portolan, "copy", "--quiet", full, f"oci-layout://{out}:1"],
                "crane": lambda _: ["crane", "pull", "--insecure", "--format=oci", full, str(out)],
                "regctl": lambda _: ["regctl", "image", "copy", "--host", f"reg={host},tls=disabled", full,
                                     f"ocidir://{out}:1"],
                "skopeo": lambda _: ["skopeo", "copy", "--quiet", "--src-tls-verify=false", f"docker://{full}",
                                     f"oci:{out}:1"],
            }, lambda: shutil.rmtree(out, ignore_errors=True), RUNS)
            print(f"==> {DELAY} ms away: an index of {len(ARCHITECTURES)} platforms with attestations", flush=True)

            def forget():
                shutil.rmtree(work / "cache/portolan/documents", ignore_errors=True)

            full = f"{host}/platforms:1"
            compare("inspect", {
                "portolan": lambda _: [portolan, "inspect", full],
                "docker-buildx": lambda _: ["docker-buildx", "imagetools", "inspect", full],
            }, forget, max(RUNS, 11))
            compare("inspect, all documents", {
                "portolan": lambda _: [portolan, "inspect", "--format", "json", full],
                "docker-buildx": lambda _: ["docker-buildx", "imagetools", "inspect", "--format", "{{json .}}", full],
            }, forget, max(RUNS, 11))
        finally:
            line.stdin.close()
            line.wait()
            registry.stop()


main()
