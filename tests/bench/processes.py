"""Looking at images, as whole processes: what a reference means and what an image is, in a registry on loopback and in
a layout, where what is asked is little and starting counts."""

import shutil
from pathlib import Path

import images
from registry import Registry
from table import against, alone
from timing import Program, in_turn, setting

LAYOUTS = Path(__file__).resolve().parent.parent / "fixtures/layouts"
JSON = "{{json .}}"


def rows(tools, work):
    portolan, runs = tools.portolan, setting("RUNS", 40)
    with Registry(work / "registry") as registry:
        yield from resolved(portolan, registry, runs)
        yield from inspected(portolan, registry, work, runs)
    yield from in_layout(portolan, runs)


def resolved(portolan, registry, runs):
    registry.fill("acme/app", LAYOUTS / "buildkit-multi")
    image = f"{registry.host}/acme/app:1.4"
    tls = ["--host", f"reg={registry.host},tls=disabled"]
    ours = Program("portolan", [portolan, "resolve", "--digest", image])
    what = "resolve, registry"
    # In pairs: a program begins the slower the more others had the processor's caches since its last turn.
    for peer, command, target in (
        ("crane digest", ["crane", "digest", image], 0.6),
        ("imagetools inspect", ["docker-buildx", "imagetools", "inspect", image], 0.15),
        ("regctl manifest head", ["regctl", "manifest", "head", *tls, image], None),
        ("oras resolve", ["oras", "resolve", "--plain-http", image], None),
    ):
        found = in_turn("resolve", [ours, Program(peer, command)], runs)
        yield against(what, found, peer, target=target)
    yield alone(what, found, "memory", target=20)
    found = in_turn("resolve --platform", [
        Program("portolan", [portolan, "resolve", "--digest", "--platform", "linux/arm64", image]),
        Program("crane digest", ["crane", "digest", "--platform", "linux/arm64", image]),
    ], runs)
    yield against("resolve --platform, registry", found, "crane digest")
    found = in_turn("inspect --raw", [
        Program("portolan", [portolan, "inspect", "--raw", image]),
        Program("skopeo inspect", ["skopeo", "inspect", "--tls-verify=false", "--raw", f"docker://{image}"]),
    ], runs)
    yield against("inspect --raw, registry", found, "skopeo inspect")
    found = in_turn("inspect", [
        Program("portolan", [portolan, "inspect", image]),
        Program("imagetools inspect", ["docker-buildx", "imagetools", "inspect", image]),
    ], runs)
    yield against("inspect, registry", found, "imagetools inspect")


def inspected(portolan, registry, work, runs):
    found = attested(portolan, registry, registry.host, work, runs)
    for ours, what in (("portolan", "inspect"), ("portolan, JSON", "inspect --format json")):
        yield against(f"{what}, 8 attested platforms", found, "imagetools, JSON", target=0.25, ours=ours)


def attested(portolan, registry, host, work, runs):
    """All of an index of eight platforms with attestations in that registry, by this way to it, with no document of it
    kept from before: `portolan` and `portolan, JSON` and `imagetools, JSON`."""
    images.attested(work / "attested")
    registry.fill("attested", work / "attested")
    image = f"{host}/attested:1"

    def forget():
        shutil.rmtree(work / "cache/portolan/documents", ignore_errors=True)

    return in_turn("inspect, 8 attested platforms", [
        Program("portolan", [portolan, "inspect", image]),
        Program("portolan, JSON", [portolan, "inspect", "--format", "json", image]),
        Program("imagetools, JSON", ["docker-buildx", "imagetools", "inspect", "--format", JSON, image]),
    ], runs, forget)


def in_layout(portolan, runs):
    image = f"{LAYOUTS / 'buildkit-multi'}:1.4"
    found = in_turn("resolve, layout", [
        Program("portolan", [portolan, "resolve", f"oci-layout://{image}"]),
        Program("skopeo inspect --raw", ["skopeo", "inspect", "--raw", f"oci:{image}"]),
    ], runs)
    yield against("resolve, layout", found, "skopeo inspect --raw")
    found = in_turn("inspect, layout", [
        Program("portolan", [portolan, "inspect", f"oci-layout://{image}"]),
        Program("imagetools inspect", ["docker-buildx", "imagetools", "inspect", f"oci-layout://{image}"]),
    ], runs)
    yield against("inspect, layout", found, "imagetools inspect")
