"""Copies of a large image between registries and layouts, and an index of ten platforms from ten repositories.

The image has 8 layers of 256 MiB each (MIB=N: N MiB in all). What a copy costs is also compared with bare-transfer,
which receives, hashes and writes the same bytes and does nothing else. crane and oras do not hash what they read from a
layout, so that there they need next to no CPU time."""

import os
import shutil

import images
from registry import Registry
from table import against, against_all, against_best, alone
from timing import Program, in_turn, setting

LAYERS = 8
ARCHITECTURES = [*images.ARCHITECTURES, "loong64", "mips64"]
BARE = "bare loop"


def rows(tools, work):
    with Registry(work / "one") as source, Registry(work / "two") as target:
        yield from copied(tools, work, source, target)
        yield from created(tools.portolan, work, target)


def copied(tools, work, source, target):
    portolan, runs = tools.portolan, setting("RUNS", 3)
    each = max(setting("MIB", 2048) // LAYERS, 1)
    layout, out = work / "image", work / "out"
    images.image(layout, [each] * LAYERS)
    source.fill("a/app", layout)
    here, there = f"{source.host}/a/app:1", f"{target.host}/b/app:1"
    from_regctl, to_regctl = ([f"--host=reg={registry.host},tls=disabled"] for registry in (source, target))
    # skopeo would compress layers on the way.
    skopeo = ["skopeo", "copy", "--quiet", "--preserve-digests"]
    oras = ["oras", "cp", "--no-tty"]

    def clear():
        shutil.rmtree(out, ignore_errors=True)
        target.forget()
        os.sync()

    def compared(what, programs):
        what = f"copy of {each * LAYERS} MiB, {what}"
        found = in_turn(what, programs, runs, clear)
        peers = [program.name for program in programs if program.name not in ("portolan", BARE)]
        wished = BARE in found
        yield from against_all(what, found, peers, 0.85 if wished else None)
        yield against_best(what, found, peers, "cpu", 0.9 if wished else None)
        if wished:
            yield against(what, found, BARE, "cpu", 1.25)
        yield alone(what, found, "memory")

    yield from compared("registry to layout", [
        Program("portolan", [portolan, "copy", "--quiet", here, f"oci-layout://{out}:1"]),
        Program("crane", ["crane", "pull", "--insecure", "--format=oci", here, out]),
        Program("regctl", ["regctl", "image", "copy", *from_regctl, here, f"ocidir://{out}:1"]),
        Program("skopeo", [*skopeo, "--src-tls-verify=false", f"docker://{here}", f"oci:{out}:1"]),
        Program("oras", [*oras, "--from-plain-http", here, "--to-oci-layout", f"{out}:1"]),
        Program(BARE, [tools.bare_transfer, "pull", source.host, "a/app", "1", out]),
    ])
    yield from compared("layout to registry", [
        Program("portolan", [portolan, "copy", "--quiet", f"oci-layout://{layout}:1", there]),
        Program("crane", ["crane", "push", "--insecure", layout, there]),
        Program("regctl", ["regctl", "image", "copy", *to_regctl, f"ocidir://{layout}:1", there]),
        Program("skopeo", [*skopeo, "--dest-tls-verify=false", f"oci:{layout}:1", f"docker://{there}"]),
        Program("oras", [*oras, "--from-oci-layout", f"{layout}:1", "--to-plain-http", there]),
        Program(BARE, [tools.bare_transfer, "push", layout, "1", target.host, "b/app"]),
    ])
    yield from compared("registry to registry", [
        Program("portolan", [portolan, "copy", "--quiet", here, there]),
        Program("crane", ["crane", "copy", "--insecure", here, there]),
        Program("regctl", ["regctl", "image", "copy", *from_regctl, *to_regctl, here, there]),
    ])


def created(portolan, work, registry):
    registry.forget()
    sources = []
    for architecture in ARCHITECTURES:
        layout = work / f"one-{architecture}"
        images.image(layout, [1], architecture)
        registry.fill(f"one/{architecture}", layout)
        sources.append(f"{registry.host}/one/{architecture}:1")

    def to(who, run):
        return f"{registry.host}/all/{who}{run}:1"

    found = in_turn("create", [
        Program("portolan", lambda run: [portolan, "create", "--quiet", "-t", to("p", run), *sources]),
        Program("imagetools create",
                lambda run: ["docker-buildx", "imagetools", "create", "-t", to("b", run), *sources]),
    ], max(setting("RUNS", 10), 3))
    yield against(f"create, index of {len(ARCHITECTURES)} platforms", found, "imagetools create", target=0.5)
