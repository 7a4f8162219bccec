#!/usr/bin/env python3
"""Writing, as whole processes that run in turn: copies of a large image between registries and layouts against crane and
regctl, and an index of 10 platforms from 10 repositories against docker-buildx imagetools. Medians, and the most memory that
each program held. Usage: copies.py PORTOLAN [FOLDER]

The image has 8 layers of 256 MiB each, of noise, which no compression makes smaller (MIB=N: N MiB in all); RUNS=N runs of
each program. Programs that are not on the PATH are left out, and said so. FOLDER is where the gigabytes go."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# Beside this file, and with nothing left there.
sys.dont_write_bytecode = True
from images import Registry, image
from timing import compare

LAYERS = 8
MIB = int(os.environ.get("MIB", "2048"))
RUNS = int(os.environ.get("RUNS", "3"))
ARCHITECTURES = ["386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x", "mips64"]


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
            }, clear, RUNS)
            to = f"{target.host}/b/app"
            compare("layout to registry", {
                "portolan": lambda run: [portolan, "copy", "--quiet", f"oci-layout://{layout}:1", f"{to}:p{run}"],
                "crane": lambda run: ["crane", "push", "--insecure", str(layout), f"{to}:c{run}"],
                "regctl": lambda run: ["regctl", "image", "copy", "--host", f"reg={target.host},tls=disabled",
                                       f"ocidir://{layout}:1", f"{to}:r{run}"],
            }, clear, RUNS)
            compare("registry to registry", {
                "portolan": lambda run: [portolan, "copy", "--quiet", full, f"{to}:p{run}"],
                "crane": lambda run: ["crane", "copy", "--insecure", full, f"{to}:c{run}"],
                "regctl": lambda run: ["regctl", "image", "copy", "--host", f"reg={source.host},tls=disabled", "--host",
                                       f"reg={target.host},tls=disabled", full, f"{to}:r{run}"],
            }, clear, RUNS)
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
