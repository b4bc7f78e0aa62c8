"""A tree as an image that `docker load` takes: the same tree gives the same bytes, hence the same image id."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from toolwright.images.tree import Entry, Tree

EPOCH = 1_754_697_600
"""Time of every file and of the image, in seconds: the day Debian 13 came out. A real time would change the digest."""
_CREATED = "2025-08-09T00:00:00Z"

_KINDS = {"file": tarfile.REGTYPE, "directory": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}


def write_layer(tree: Tree, output: IO[bytes]) -> str:
    """Write `tree` as the one layer of an image and return its content digest, `sha256:` and 64 hex digits."""
    hashing = _Hashing(output)
    with tarfile.open(fileobj=hashing, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for path, entry in sorted(tree.items()):
            tar.addfile(_member(path, entry), io.BytesIO(entry.content))
    return f"sha256:{hashing.digest.hexdigest()}"


@dataclass(frozen=True, slots=True)
class Configuration:
    """What an image says of itself beside its files."""

    architecture: str
    """In the engine's words, such as `amd64`."""
    entrypoint: Sequence[str]
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    tag: str
    """`name:tag` by which it can be found."""


def write_image(layer: IO[bytes], content_digest: str, configuration: Configuration) -> IO[bytes]:
    """Return an archive for `docker load`, at its start, of the `layer` whose digest is `content_digest`."""
    config = _json(_config(content_digest, configuration))
    config_digest = hashlib.sha256(config).hexdigest()
    manifest = _json([{"Config": f"{config_digest}.json", "RepoTags": [configuration.tag], "Layers": ["layer.tar"]}])
    output = tempfile.TemporaryFile()  # noqa: SIM115 - given back open; it goes when it is closed
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in ((f"{config_digest}.json", config), ("manifest.json", manifest)):
            tar.addfile(_member(name, Entry("file", 0o644, content)), io.BytesIO(content))
        member = _member("layer.tar", Entry("file", 0o644))
        member.size = layer.seek(0, io.SEEK_END)
        layer.seek(0)
        tar.addfile(member, layer)
    output.seek(0)
    return output


def _config(content_digest: str, configuration: Configuration) -> dict[str, object]:
    return {
        "architecture": configuration.architecture,
        "os": "linux",
        "created": _CREATED,
        "config": {
            "User": "0:0",
            "Env": [f"{name}={value}" for name, value in sorted(configuration.environment.items())],
            "Entrypoint": list(configuration.entrypoint),
            "WorkingDir": "/",
            "Labels": dict(configuration.labels),
        },
        "rootfs": {"type": "layers", "diff_ids": [content_digest]},
        "history": [{"created": _CREATED, "created_by": "toolwright images build"}],
    }


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _member(path: str, entry: Entry) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type = _KINDS[entry.kind]
    member.mode, member.mtime, member.size, member.linkname = entry.mode, EPOCH, len(entry.content), entry.target
    return member


class _Hashing(io.RawIOBase):
    """Passes what is written on, and keeps its digest."""

    def __init__(self, output: IO[bytes]) -> None:
        super().__init__()
        self.output, self.digest = output, hashlib.sha256()

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Write all of `data`."""
        self.digest.update(data)
        return self.output.write(data)
