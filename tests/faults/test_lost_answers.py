"""Answers that are lost, or that are no registry's, where a tag is put: what stands is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fixtures.embedded import EmbeddedRegistry, Hook
from fixtures.embedded.faults import Answer, BreakOff, On
from fixtures.embedded.replies import HTML_ERROR_PAGE
from fixtures.server import RunningServer, serve
from oci_merge import MergeResult, OciMergeError, PublishError
from tests.edge.support import OLD, add_old, merge, stocked, tags

_TAGS = ("latest", "1.0")


@pytest.fixture
def registry() -> EmbeddedRegistry:
    """A registry with an old image under both tags."""
    made = stocked()
    add_old(made, *_TAGS)
    return made


@pytest.fixture
def server(registry: EmbeddedRegistry) -> Iterator[RunningServer]:
    """Its server."""
    with serve(registry.app) as running:
        yield running


def _run(host: str) -> MergeResult | OciMergeError:
    try:
        return merge(host, tags=[_TAGS[1]], retries=1)
    except OciMergeError as error:
        return error


@pytest.mark.parametrize("reset", [False, True], ids=["broken", "reset"])
@pytest.mark.parametrize("where", ["latest", "*"], ids=["one tag", "every tag"])
def test_a_tag_that_moved_though_every_answer_was_lost_is_not_called_failed(
    where: str, reset: bool, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    pattern = "*/manifests/latest" if where == "latest" else "*/manifests/[!s]*"
    registry.hooks.append(On("PUT", pattern, BreakOff(done=True, reset=reset)))
    outcome = _run(server.host)
    assert isinstance(outcome, MergeResult), outcome
    assert tags(registry) == dict.fromkeys(_TAGS, outcome.digest)


@pytest.mark.parametrize(
    "page",
    [
        Answer(200, HTML_ERROR_PAGE, media_type="text/html"),
        Answer(200, "{}"),
        Answer(202),
    ],
    ids=["a page", "an object", "an acceptance"],
)
@pytest.mark.parametrize("pattern", ["*/manifests/latest", "*/manifests/sha256:*"])
def test_a_success_that_is_no_registry_s_moves_no_tag_and_is_no_success(
    pattern: str, page: Hook, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks.append(On("PUT", pattern, page))
    outcome = _run(server.host)
    assert isinstance(outcome, OciMergeError), tags(registry)
    assert tags(registry)["latest"] == OLD.digest
    if tags(registry)["1.0"] != OLD.digest:
        assert isinstance(outcome, PublishError)
        assert (outcome.moved, outcome.failed) == (("1.0",), ("latest",))
