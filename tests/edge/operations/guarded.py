"""Images with labels, and merges of them, for the tests of what is checked before a tag moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

import oci_merge
from fixtures.embedded import EmbeddedRegistry, Hook
from fixtures.images import BuiltImage, BuiltIndex, build_attestation, build_image, build_index
from fixtures.server import RunningServer
from oci_merge import MergeResult
from tests.edge.support import REPOSITORY, Matches, paths

PREFIX = "org.opencontainers.image."
VERSION = f"{PREFIX}version"


def build(
    architecture: str, version: str = "", created: str = "", variant: str = "", **labels: str
) -> BuiltImage:
    """Build an image of a version, with other labels by their names without the prefix."""
    named = {"version": version, **labels} if version else labels
    given: Mapping[str, Any] = {"created": created} if created else {}
    return build_image(
        "linux",
        architecture,
        variant,
        text=f"{version}{created}",
        labels={f"{PREFIX}{name}": value for name, value in named.items()},
        **given,
    )


def pair(version: str = "", created: str = "", **labels: str) -> BuiltIndex:
    """Return an index of two images of a version, each with its attestation."""
    images = [build(name, version, created, **labels) for name in ("amd64", "arm64")]
    return build_index([*images, *(build_attestation(image) for image in images)])


def merge(
    server: RunningServer,
    registry: EmbeddedRegistry,
    images: Sequence[BuiltImage],
    *,
    target: str = "1.0",
    **options: Any,
) -> MergeResult:
    """Put images into repositories of their own, and join them as a tag of the target.

    What was requested before is forgotten.
    """
    sources = []
    for number, image in enumerate(images):
        registry.add_image(f"team/part-{number}", "new", image)
        sources.append(f"{server.host}/team/part-{number}:new")
    registry.requests.clear()
    targets = {} if "targets" in options else {"target": f"{server.host}/{REPOSITORY}:{target}"}
    return oci_merge.merge(**{"sources": sources} | targets | options)


def of_version(version: str = "", created: str = "", **labels: str) -> list[BuiltImage]:
    """Return images for amd64 and arm64 of a version."""
    return [build(name, version, created, **labels) for name in ("amd64", "arm64")]


def put_tags(registry: EmbeddedRegistry) -> list[str]:
    """Return the tags that were put, in order, with repeated ones."""
    names = [path.rpartition("/")[2] for path in paths(registry.requests, "PUT", "/manifests/")]
    return [name for name in names if not name.startswith("sha256:")]


class Does(Hook):
    """Does something before or after requests.

    Args:
        matches: which requests.
        act: what to do.
        after: do it when they have been answered.
        times: for how many of them.
    """

    def __init__(
        self,
        matches: Matches,
        act: Callable[[], object],
        *,
        after: bool = False,
        times: int = 1,
    ) -> None:
        self.count = 0
        self._times = times
        self._matches = matches
        self._act = act
        self._after = after

    async def before(self, request: Request) -> Response | None:
        if not self._after:
            self._run(request)
        return None

    async def after(self, request: Request, response: Response) -> Response:
        if self._after:
            self._run(request)
        return response

    def _run(self, request: Request) -> None:
        if self.count < self._times and self._matches(request):
            self.count += 1
            self._act()
