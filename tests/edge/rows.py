"""Runs against the registries that people use, logged in as their users are."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import oci_merge
from fixtures.embedded import RequestRecord
from fixtures.embedded.personalities import Personality
from fixtures.images import build_image
from fixtures.server import serve
from oci_merge import MergeResult

AMD64 = build_image("linux", "amd64")
ARM64 = build_image("linux", "arm64")
#: What stands under a tag before a run, where something does.
OLD = build_image("linux", "s390x", text="old")
PLATFORMS = ["linux/amd64", "linux/arm64"]


class Row:
    """A registry of one kind while it is served, with two images to join.

    Args:
        kind: the registry.
        host: where it is served.
    """

    def __init__(self, kind: Personality, host: str) -> None:
        self.kind = kind
        self.host = host
        self.repository = f"{kind.namespace}/app"

    @property
    def target(self) -> str:
        """The target, with its tag."""
        return f"{self.host}/{self.repository}:latest"

    @property
    def tags(self) -> dict[str, str]:
        """What each tag of the target stands on."""
        held = self.kind.registry.storage.repositories.get(self.repository)
        return dict(held.tags) if held else {}

    @property
    def requests(self) -> Sequence[RequestRecord]:
        """What was asked."""
        return self.kind.registry.requests

    def add_old(self, *tags: str) -> None:
        """Put an old image under tags of the target."""
        for tag in tags:
            self.kind.registry.add_image(self.repository, tag, OLD)

    def add_to_target(self) -> list[str]:
        """Put the images into the target's own repository; return their references."""
        for image, tag in ((AMD64, "1.0-amd64"), (ARM64, "1.0-arm64")):
            self.kind.registry.add_image(self.repository, tag, image)
        return [f"{self.host}/{self.repository}:1.0-{name}" for name in ("amd64", "arm64")]

    def merge(self, **options: Any) -> MergeResult:
        """Join the images of two other repositories as latest and, unless told otherwise, 1.0."""
        usual = {
            "sources": [f"{self.host}/{self.repository}-{name}:1.0" for name in ("amd64", "arm64")],
            "tags": ["1.0"],
        }
        return oci_merge.merge(self.target, **usual | options)

    def writes(self) -> list[str]:
        """Return what was written or tried to be, tokens apart."""
        return [
            f"{record.method} {record.path}"
            for record in self.requests
            if record.method not in ("GET", "HEAD") and record.path.startswith("/v2/")
            if "/v2/token" not in record.path and "/v2/auth" not in record.path
        ]


@contextmanager
def row(kind: Personality, home: Path, *, images: bool = True) -> Iterator[Row]:
    """Serve a registry, with its repositories made and its user logged in by ``docker login``.

    Args:
        kind: the registry.
        home: the user's home.
        images: whether the two images, and an empty repository for the target, are there.
    """
    if images:
        for name, image in (("amd64", AMD64), ("arm64", ARM64)):
            kind.registry.add_image(f"{kind.namespace}/app-{name}", "1.0", image)
        if kind.name == "ecr":  # makes no repository by itself
            kind.registry.storage.repository(f"{kind.namespace}/app")
    with serve(kind.registry.app) as server:
        log_in(kind, server.host, home)
        yield Row(kind, server.host)


def log_in(kind: Personality, host: str, home: Path) -> None:
    """Write the docker config that a login leaves behind."""
    if kind.login is None:
        return
    username, password = kind.login
    if kind.identity_token:
        pair, more = f"{username}:", {"identitytoken": kind.identity_token}
    else:
        pair, more = f"{username}:{password}", {}
    entry = {"auth": base64.b64encode(pair.encode()).decode(), **more}
    folder = home / ".docker"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"auths": {host: entry}}))
