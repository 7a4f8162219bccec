"""Images of noise, and a registry to have them in, for the benchmarks of whole processes."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time

OCI = "application/vnd.oci.image."


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
    layers = [blob(layout, OCI + "layer.v1.tar", (os.urandom(1 << 20) for _ in range(mib))) for mib in layers]
    config = {"architecture": architecture, "os": "linux", "config": {},
              "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}}
    config = blob(layout, OCI + "config.v1+json", [json.dumps(config).encode()])
    manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": config, "layers": layers}
    manifest = blob(layout, OCI + "manifest.v1+json", [json.dumps(manifest).encode()])
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
