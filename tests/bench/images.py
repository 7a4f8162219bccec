"""Images of noise, which no compression makes smaller, in layouts."""

import hashlib
import json
import os

OCI = "application/vnd.oci.image."
ARCHITECTURES = ["386", "amd64", "arm", "arm64", "mips64le", "ppc64le", "riscv64", "s390x"]


def blob(layout, media_type, pieces):
    """Writes a blob piece by piece; its descriptor."""
    (layout / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    digest, size, path = hashlib.sha256(), 0, layout / "blobs/sha256/new"
    with path.open("wb") as file:
        for piece in pieces:
            digest.update(piece)
            size += file.write(piece)
    path.rename(path.with_name(digest.hexdigest()))
    return {"mediaType": media_type, "digest": f"sha256:{digest.hexdigest()}", "size": size}


def document(layout, kind, content):
    return blob(layout, OCI + kind, [json.dumps(content).encode()])


def noise(layout, mib):
    """A layer of so many MiB."""
    return blob(layout, OCI + "layer.v1.tar", (os.urandom(1 << 20) for _ in range(mib)))


def manifest(layout, layers, architecture="amd64"):
    """The manifest of an image of these layers."""
    config = document(layout, "config.v1+json", {
        "architecture": architecture, "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}})
    return document(layout, "manifest.v1+json", {
        "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": config, "layers": layers})


def name(layout, roots):
    """Makes it a layout that has these roots by name, and no others."""
    entries = [root | {"annotations": {"org.opencontainers.image.ref.name": name}} for name, root in roots.items()]
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))


def image(layout, sizes, architecture="amd64"):
    """A layout with one image, named 1, whose layers have so many MiB each."""
    name(layout, {"1": manifest(layout, [noise(layout, mib) for mib in sizes], architecture)})


def attested(layout):
    """A layout with an index, named 1, of eight platforms as BuildKit writes it, each with SBOM and provenance."""
    manifests = []
    for architecture in ARCHITECTURES:
        entry = manifest(layout, [noise(layout, 1)], architecture)
        manifests.append(entry | {"platform": {"architecture": architecture, "os": "linux"}})
    for entry in list(manifests):
        said = []
        for predicate in ("https://spdx.dev/Document", "https://slsa.dev/provenance/v0.2"):
            statement = {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": predicate,
                         "subject": [{"name": "app", "digest": {"sha256": entry["digest"][7:]}}], "predicate": {}}
            layer = blob(layout, "application/vnd.in-toto+json", [json.dumps(statement).encode()])
            said.append(layer | {"annotations": {"in-toto.io/predicate-type": predicate}})
        config = document(layout, "config.v1+json", {
            "architecture": "unknown", "os": "unknown", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in said]}})
        statements = document(layout, "manifest.v1+json", {
            "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": config, "layers": said})
        manifests.append(statements | {
            "annotations": {"vnd.docker.reference.digest": entry["digest"],
                            "vnd.docker.reference.type": "attestation-manifest"},
            "platform": {"architecture": "unknown", "os": "unknown"}})
    name(layout, {"1": document(layout, "index.v1+json", {
        "schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": manifests})})


def alike(layout, count):
    """A layout with so many small images, named 0, 1, …: a base of 1 MiB that all of them share, a layer of 64 KiB that
    twenty of them share, one of 1 KiB of each one's own."""
    base, roots = noise(layout, 1), {}
    for at in range(count):
        if at % 20 == 0:
            middle = blob(layout, OCI + "layer.v1.tar", [os.urandom(64 << 10)])
        own = blob(layout, OCI + "layer.v1.tar", [os.urandom(1 << 10)])
        roots[str(at)] = manifest(layout, [base, middle, own])
    name(layout, roots)
