"""A frontend in Python: when was an image made?

It walks the whole way that every question about an image takes: a reference, its root, the manifest for a platform, the
config. Where a judgement is needed (which entry does a name mean, which one is for the platform) it asks the strategy, so
that it answers as every other command does.

`docs/writing-a-frontend.md` says how it is built and run.
"""

import json
import re
from urllib.parse import unquote

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.frontend import (
    Body_Text,
    Info,
    Kind_PullReference,
    Kind_Text,
    Parameter,
    Request,
    Response,
)
from wit_world.imports import fetcher, host, resolver, strategy
from wit_world.imports.resolver import Resolved
from wit_world.imports.types import Descriptor, Error, Failure

INDEXES = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
}

# Deeper than any tool nests. The host bounds what a run may read; this bounds what a person waits for.
DEEPEST = 8


class Frontend(exports.Frontend):
    """What the world asks a component to export: the interface `frontend`."""

    def describe(self) -> Info:
        return Info(
            name="created",
            version="1.0.0",
            summary="Say when an image was made",
            parameters=[
                parameter("ref", Kind_PullReference(), "The image", required=True, positional=True),
                parameter("platform", Kind_Text(), "For which platform; this machine's otherwise", short="p"),
            ],
            formats=["text", "json"],
        )

    def solve(self, request: Request) -> Response:
        # A request has what was given, in the order given: nothing is repeated here, so the last one counts.
        asked = dict(request.arguments)
        platform = asked.get("platform") or host.platform()
        try:
            return created(asked["ref"], platform, asked.get("mode", "strict"), asked.get("format", "text"))
        except Err as error:
            # The host's errors and ours meet here. The code of a cause decides the command's exit status.
            match error.value:
                case Error() as cause:
                    raise Err(Failure(message=cause.message, hint=None, cause=cause)) from None
                case _:
                    raise
        except Exception as fault:
            # Nobody would see it otherwise: a component that throws has trapped.
            raise Err(Failure(trace(fault), None, None)) from None


def trace(fault: Exception) -> str:
    """Where it came from. The module `traceback` would look for the sources, and there are no files here."""
    lines, at = [f"{type(fault).__name__}: {fault}"], fault.__traceback__
    while at:
        code = at.tb_frame.f_code
        lines.append(f"  {code.co_filename}:{at.tb_lineno} in {code.co_name}")
        at = at.tb_next
    return "\n".join(lines)


def parameter(name, kind, text, short=None, required=False, positional=False) -> Parameter:
    return Parameter(
        name=name,
        short=short,
        kind=kind,
        help=text,
        default=None,
        required=required,
        repeated=False,
        positional=positional,
    )


def created(reference: str, platform: str, mode: str, wanted: str) -> Response:
    root = find(reference, mode)
    manifest = select(root.repository, root.descriptor, platform, mode)
    if manifest is None:
        raise not_found(f"{unquote(reference)} has no image for {platform}")
    config = descriptor(document(root.repository, manifest)["config"])
    made = document(root.repository, config).get("created")
    if wanted == "json":
        answer = {"reference": unquote(reference), "manifest": manifest.digest, "created": made}
        text, media_type = json.dumps(answer, indent=2), "application/json"
    else:
        text, media_type = made or "unknown", "text/plain"
    return Response(
        status=0, media_type=media_type, body=Body_Text(text + "\n"), metadata=[("image.digest", manifest.digest)]
    )


def find(reference: str, mode: str) -> Resolved:
    """What the reference means now. A registry knows its names; those in a store are a judgement on its entries."""
    in_store = re.fullmatch(r"([a-z-]+://[^/:@]+)([^@]*)(@.*)?", reference)
    if not in_store or reference.startswith(("docker:", "oci:")):
        return resolver.resolve(reference)
    store, name, digest = in_store.groups()
    if digest and not name:
        return resolver.resolve(reference)
    entries = resolver.entries(store)
    listed = fetcher.fetch(store, entries.descriptor)
    named = [json.loads(listed)["manifests"][at] for at in strategy.match_name(listed, name, mode)]
    if digest:
        named = [entry for entry in named if entry["digest"] == digest[1:]]
    # One image may have several names.
    roots = {entry["digest"]: entry for entry in named}
    if not roots:
        # What a store is called is percent-encoded, so that it fits into a reference.
        raise not_found(f"nothing in {unquote(store)} is called {name[1:] or 'latest'}")
    if len(roots) > 1:
        raise Err(Failure(f"{unquote(reference)} may be each of {', '.join(roots)}", "name one by @DIGEST", None))
    (entry,) = roots.values()
    return Resolved(entries.repository, descriptor(entry))


def select(repository: str, at: Descriptor, platform: str, mode: str, depth: int = 0) -> Descriptor | None:
    """The manifest for a platform: `at` itself, or the best below it."""
    if at.media_type not in INDEXES:
        return at
    if depth == DEEPEST:
        raise Err(Failure(f"{at.digest} is an index {DEEPEST} levels deep", None, None))
    index = fetcher.fetch(repository, at)
    entries = json.loads(index)["manifests"]
    for position in strategy.select(index, platform, mode):
        entry = entries[position]
        found = select(repository, descriptor(entry), platform, mode, depth + 1)
        # An entry that does not say what it is for: its config does.
        if found and (found.media_type in INDEXES or "platform" in entry or suits(repository, found, platform, mode)):
            return found
    return None


def suits(repository: str, manifest: Descriptor, platform: str, mode: str) -> bool:
    """Whether an image is for a platform by its config: asked as if an index said so."""
    config = document(repository, descriptor(document(repository, manifest)["config"]))
    names = ("os", "architecture", "variant", "os.version", "os.features")
    entry = {
        "mediaType": manifest.media_type,
        "digest": manifest.digest,
        "size": manifest.size,
        "platform": {name: config[name] for name in names if name in config},
    }
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]}
    return bool(strategy.select(json.dumps(index).encode(), platform, mode))


def document(repository: str, at: Descriptor) -> dict:
    """Verified by the host: these bytes have this digest."""
    return json.loads(fetcher.fetch(repository, at))


def descriptor(said: dict) -> Descriptor:
    return Descriptor(said["mediaType"], said["digest"], said["size"])


def not_found(message: str) -> Err:
    return Err(Failure(message, None, Error("not-found", message, None)))
