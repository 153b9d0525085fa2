"""Every request of a run, each in turn, gets every kind of odd reply.

The merge is done or ends with an error of ours, and a tag that was not moved is as it was.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from fixtures.embedded import EmbeddedRegistry, Hook
from fixtures.images import build_attestation, build_index
from fixtures.server import RunningServer, serve
from oci_merge import MergeResult, OciMergeError, PublishError, merge
from tests.edge.support import (
    AMD64,
    ARM64,
    OLD,
    PASSWORD,
    REPOSITORY,
    Truncated,
    add_old,
    reply,
    stocked,
    tags,
    target,
    with_tokens,
)

_HTML = "<html><body>Please sign in</body></html>"
_BOMB = b"[" * 100_000
_REPLIES: Mapping[str, Callable[[], Response]] = {
    "200-html": reply(200, _HTML, kind="text/html"),
    "200-object": reply(200, "{}"),
    "200-list": reply(200, "[]"),
    "200-bomb": reply(200, _BOMB),
    "200-junk": reply(200, bytes(range(256)) * 10, kind="application/octet-stream"),
    "201-odd-digest": reply(201, docker_content_digest="sha256:\x1b"),
    "202-odd-upload": reply(202, location="http://[bad"),
    "204": reply(204),
    "301-nowhere": reply(301),
    "302-loop": reply(302, location="?again"),
    "307-file": reply(307, location="file:///etc/passwd"),
    "400-bomb": reply(400, _BOMB),
    "401-empty": reply(401),
    "401-broken": reply(401, www_authenticate='Bearer realm="http://[bad, Basic =,"'),
    "401-elsewhere": reply(401, www_authenticate='Bearer realm="https://10.0.0.1/token"'),
    "401-basic": reply(401, www_authenticate='Basic realm="r"'),
    "403-junk": reply(403, b"\xff\x00\x1b[31m"),
    "404": reply(404),
    "418": reply(418, '{"errors":[null,7,{"code":[],"message":{}}]}'),
    "429": reply(429, retry_after="soon"),
    "500": reply(500),
    "closed": Truncated,
}
_SOURCES = ["team/app-amd64:1.0", "team/multi:1"]
_CREDENTIAL = {"username": "ci", "password": PASSWORD}


class _Odd(Hook):
    """Answers one request oddly, the first time or always."""

    def __init__(self) -> None:
        self.about = ("", "")
        self.answer: Callable[[], Response] = Truncated
        self.left = 0

    async def before(self, request: Request) -> Response | None:
        asked = request.url.path + ("?" + request.url.query if "mount=" in str(request.url) else "")
        if (request.method, asked) != self.about or not self.left:
            return None
        self.left -= 1
        return self.answer()


class _Rig:
    """A registry that is as it was before each run."""

    def __init__(self, registry: EmbeddedRegistry, server: RunningServer) -> None:
        self.registry = registry
        self.host = server.host
        self.odd = _Odd()
        registry.hooks.append(self.odd)

    def run(self, **options: Any) -> MergeResult:
        self.registry.storage.repositories.pop(REPOSITORY, None)
        add_old(self.registry, "latest", "1.0")
        self.registry.requests.clear()
        if "template" not in options:
            options["sources"] = [f"{self.host}/{source}" for source in _SOURCES]
        return merge(target(self.host), tags=["1.0"], **options)

    def asked(self) -> list[tuple[str, str]]:
        """Return what the last run asked, each request once."""
        seen = self.registry.requests
        keys = [
            (record.method, record.path if "mount=" in record.path else record.path.split("?")[0])
            for record in seen
        ]
        return list(dict.fromkeys(keys))


@pytest.fixture
def rig() -> Iterator[_Rig]:
    """A registry with two images, one of them in an index with an attestation."""
    registry = stocked(images={"team/app-amd64": AMD64})
    registry.add_image("team/multi", "1", build_index([ARM64, build_attestation(ARM64)]))
    with serve(registry.app) as server:
        yield _Rig(registry, server)


def _try_each(
    rig: _Rig,
    answer: Callable[[], Response],
    about: Callable[[str, str], bool],
    **options: Any,
) -> None:
    """Run for each request that a run makes, with an odd answer to that one."""
    expected = rig.run(**options).digest
    asked = [key for key in rig.asked() if about(*key)]
    assert asked
    mounts = [key for key in asked if key[0] == "POST"]
    asked = [key for key in asked if key not in mounts[2:]]  # one is like another
    for key in asked:
        # Once matters where the run may ask again in other words.
        for times in (1, 1000) if key[0] == "HEAD" or key[1] == "/token" else (1000,):
            rig.odd.about, rig.odd.answer, rig.odd.left = key, answer, times
            _try(rig, expected, f"{key}, {times} times", **options)
        rig.odd.left = 0


def _try(rig: _Rig, expected: str, what: str, **options: Any) -> None:
    try:
        result = rig.run(**options)
    except OciMergeError as error:
        failure = error
    except Exception as error:
        pytest.fail(f"{what}: {error!r}")
    else:
        # An image that is only looked for may be left out.
        assert result.digest == expected or "template" in options, what
        return
    assert str(failure).isprintable(), what
    moved = failure.moved if isinstance(failure, PublishError) else ()
    for tag, digest in tags(rig.registry).items():
        assert digest == (expected if tag in moved else OLD.digest), what


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let the event loop have nothing to complain about, not even when tasks are collected."""
    yield
    gc.collect()
    loud = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert not [record for record in loud if record.name.startswith(("asyncio", "oci_merge"))]


@pytest.mark.parametrize("odd", _REPLIES)
def test_an_odd_reply_ends_a_merge_with_an_error_of_ours_if_at_all(odd: str, rig: _Rig) -> None:
    _try_each(rig, _REPLIES[odd], lambda method, path: True)


@pytest.mark.parametrize("odd", _REPLIES)
def test_an_odd_token_server_ends_a_merge_with_an_error_of_ours_if_at_all(
    odd: str, rig: _Rig
) -> None:
    rig.registry.settings.auth = with_tokens()
    _try_each(rig, _REPLIES[odd], lambda method, path: path == "/token", **_CREDENTIAL)


@pytest.mark.parametrize("odd", [odd for odd in _REPLIES if odd.startswith("401")])
def test_an_odd_challenge_ends_a_merge_with_an_error_of_ours_if_at_all(odd: str, rig: _Rig) -> None:
    rig.registry.settings.auth = with_tokens()
    _try_each(rig, _REPLIES[odd], lambda method, path: path != "/token", **_CREDENTIAL)


@pytest.mark.parametrize("odd", _REPLIES)
def test_an_odd_reply_to_a_search_ends_a_merge_with_an_error_of_ours_if_at_all(
    odd: str, rig: _Rig
) -> None:
    template = f"{rig.host}/team/probed:1.0-ARCH"
    rig.registry.add_image("team/probed", "1.0-amd64", AMD64)
    wanted = ("1.0-amd64", "1.0-s390x")
    _try_each(
        rig,
        _REPLIES[odd],
        lambda method, path: method == "HEAD" and path.endswith(wanted),
        template=template,
    )
