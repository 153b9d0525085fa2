"""Servers that are down for a whole run: how often they are asked, and how soon the run ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from fixtures.embedded import EmbeddedRegistry, Hook, RequestRecord
from fixtures.embedded.faults import Hang, On, Refuse
from fixtures.images import build_image
from fixtures.server import RunningServer, serve
from oci_merge import Event, OciMergeError, Retrying
from tests.edge.support import CI, PASSWORD, merge, stocked, with_tokens

#: How long a silent server is waited for, and how long if it was silent before in the run.
_ANSWER, _BRIEF = 0.6, 0.1
_SIX = {
    f"team/app-{name}": build_image("linux", name, layers=2)
    for name in ("amd64", "arm64", "386", "ppc64le", "s390x", "riscv64")
}


class _Ended(NamedTuple):
    """How a run ended: after how many times the wait for an answer, and with how many retries."""

    error: OciMergeError
    answers: float
    retries: int


@pytest.fixture
def registry() -> EmbeddedRegistry:
    """A registry with six images, at which ci logs in at a token server."""
    made = stocked(images=_SIX)
    made.settings.auth = with_tokens()
    return made


@pytest.fixture
def server(registry: EmbeddedRegistry, set_timings: Callable[..., None]) -> Iterator[RunningServer]:
    """Its server, waited for as long as the tests can bear."""
    set_timings(answer=_ANSWER, brief=_BRIEF)
    with serve(registry.app) as running:
        yield running


def _run(server: RunningServer, *, plain_http: bool = True) -> _Ended:
    events: list[Event] = []
    began = time.monotonic()
    with pytest.raises(OciMergeError) as caught:
        merge(
            server.host,
            sources=[f"{server.host}/{name}:1.0" for name in _SIX],
            username=CI.username,
            password=PASSWORD,
            plain_http=plain_http,
            on_event=events.append,
        )
    took = time.monotonic() - began
    retries = sum(isinstance(event, Retrying) for event in events)
    return _Ended(caught.value, took / _ANSWER, retries)


def _count(registry: EmbeddedRegistry, part: str, method: str = "") -> int:
    def fits(record: RequestRecord) -> bool:
        return part in record.path and method in ("", record.method)

    return sum(map(fits, registry.requests))


@pytest.mark.parametrize(
    ("where", "most"),
    [
        (On("*", "*", Hang()), 3),
        (On("*", "/token*", Hang()), 3),
        (On("POST", "*", Hang()), 3),
        (On("POST", "*", Hang(done=True)), 3),
        (On("PUT", "*/manifests/sha256:*", Hang()), 3),
        (On("PUT", "*/manifests/latest", Hang()), 3),
    ],
    ids=["registry", "token server", "mounts", "answers to mounts", "children", "tag"],
)
def test_a_run_ends_after_two_waits_for_a_server_that_is_silent(
    where: Hook, most: float, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks.append(where)
    ended = _run(server)
    assert "did not answer" in ended.error.message
    assert 2 <= ended.answers < most
    assert ended.retries == 1


@pytest.mark.parametrize("plain_http", [True, False], ids=["settled", "not settled"])
def test_a_registry_that_fails_altogether_is_asked_four_times_more(
    plain_http: bool, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks.append(On("*", "*", Refuse("UNAVAILABLE")))
    ended = _run(server, plain_http=plain_http)
    assert ended.retries == 4
    # The images and the target's tag; those that wait are cancelled with the first that fails.
    assert len(registry.requests) <= len(_SIX) + 1 + 4 + len(_SIX)


def test_a_token_server_that_fails_is_asked_four_times_more(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks.append(On("*", "/token*", Refuse("UNAVAILABLE")))
    ended = _run(server)
    assert ended.retries == 4
    assert _count(registry, "/token") == 1 + 4


def test_a_registry_that_refuses_connections_is_tried_four_times_more(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    with serve(registry.app) as gone:
        pass
    for plain_http in (True, False):
        assert _run(gone, plain_http=plain_http).retries == 4


def test_a_time_out_of_the_user_s_is_kept_to(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks.append(On("*", "*", Hang()))
    began = time.monotonic()
    with pytest.raises(OciMergeError, match="did not answer"):
        merge(server.host, plain_http=True, timeout=0.1)
    assert 0.2 <= time.monotonic() - began < _ANSWER
