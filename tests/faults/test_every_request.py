"""Every request of a run meets faults, in turn; and a run is killed at every request, in turn.

Two images of other repositories are joined under two tags that stand on an old index. Whatever
happens, a tag is the old one or the new one, and the error says which; nothing but our own errors
comes out, no secret and no control character with them; and a rerun finishes the job.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from starlette.requests import Request

import oci_merge
from fixtures.embedded import EmbeddedRegistry, Hook, Settings
from fixtures.embedded.calls import target as target_of
from fixtures.embedded.faults import (
    Answer,
    BreakOff,
    Clock,
    Flood,
    Hang,
    On,
    OtherBytes,
    PutForward,
    Redirect,
    Refuse,
    Sometimes,
    Truncate,
    retry_after,
)
from fixtures.embedded.replies import CONTROL_CHARACTERS, HTML_ERROR_PAGE, nested_json
from fixtures.images import BuiltImage, BuiltIndex, build_index
from fixtures.server import serve
from fixtures.tokens import Account, TokenService
from oci_merge import MergeResult, OciMergeError, PublishError
from tests.edge.support import (
    AMD64,
    ARM64,
    OLD,
    PASSWORD,
    REPOSITORY,
    note_waits,
    stocked,
    tags,
    target,
)

_TAGS = ("latest", "1.0")
_SOURCES: Mapping[str, BuiltImage] = {"team/app-amd64": AMD64, "team/app-arm64": ARM64}
_OLD_INDEX: BuiltIndex = build_index([OLD])
_SECRETS = (PASSWORD, base64.b64encode(f"ci:{PASSWORD}".encode()).decode())
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{8,}")
_LIFE = 300
#: With a right to delete, as registries ask for one of those who cancel an upload.
_CI = Account("ci", PASSWORD, {"*": frozenset({"pull", "push", "delete"})})


class Asked(NamedTuple):
    """One request of a run."""

    method: str
    path: str
    nth: int
    #: Whether it was sent before the registry had sent a challenge, and was challenged.
    is_first: bool = False

    @property
    def reads(self) -> bool:
        return self.method in ("GET", "HEAD")

    @property
    def is_for_a_token(self) -> bool:
        return self.path.startswith("/token")

    @property
    def moves_a_tag(self) -> bool:
        return self.method == "PUT" and self.path.endswith(_TAGS)

    def __str__(self) -> str:
        return f"{self.method} {self.path} #{self.nth}"


class Rig:
    """A registry that is as it was before each run, and what a clean run asks of it."""

    def __init__(
        self, registry: EmbeddedRegistry, host: str, elsewhere: str, waits: list[float]
    ) -> None:
        self.registry = registry
        self.host = host
        self.elsewhere = elsewhere
        self.waits = waits
        self.clock = Clock()
        registry.settings.auth = TokenService(accounts=[_CI], clock=self.clock, life=_LIFE)
        self.reset()
        self.digest = self.merge().digest
        seen: Counter[tuple[str, str]] = Counter()
        self.asked: list[Asked] = []
        for record in registry.requests:
            key = (record.method, record.path)
            self.asked.append(Asked(*key, seen[key], record.status == 401))
            seen[key] += 1

    def reset(self) -> None:
        """Forget what was published, and let the tags stand on an old index."""
        self.registry.hooks.clear()
        self.registry.storage.repositories.pop(REPOSITORY, None)
        for tag in _TAGS:
            self.registry.add_image(REPOSITORY, tag, _OLD_INDEX)
        self.registry.requests.clear()
        self.waits.clear()

    def options(self, **more: Any) -> dict[str, Any]:
        """Return what a merge is called with."""
        return {
            "sources": [f"{self.host}/{repository}:1.0" for repository in _SOURCES],
            "tags": [_TAGS[1]],
            "username": "ci",
            "password": PASSWORD,
            **more,
        }

    def merge(self, **more: Any) -> MergeResult:
        """Run."""
        return oci_merge.merge(target(self.host), **self.options(**more))

    def put(self, hook: Hook, at: Asked, *, times: int | None) -> Sometimes:
        """Put a fault to a request, and to those like it that follow."""
        on = On(at.method, at.path, hook, skip=at.nth, times=times)
        self.registry.hooks.append(on)
        return on

    def tags(self) -> dict[str, str]:
        """Return what the target's tags stand on."""
        return tags(self.registry)

    def is_old(self) -> bool:
        return self.tags() == dict.fromkeys(_TAGS, _OLD_INDEX.digest)

    def is_new(self) -> bool:
        return self.tags() == dict.fromkeys(_TAGS, self.digest)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[EmbeddedRegistry, str, EmbeddedRegistry, str]]:
    """A registry, and another origin that redirects lead to."""
    registry, other = stocked(images=_SOURCES), EmbeddedRegistry(Settings())
    with serve(registry.app) as server, serve(other.app) as elsewhere:
        yield registry, server.host, other, f"http://{elsewhere.host}"


@pytest.fixture
def rig(
    served: tuple[EmbeddedRegistry, str, EmbeddedRegistry, str], set_timings: Callable[..., None]
) -> Iterator[Rig]:
    """The registry as it was, and nothing for the event loop to complain about."""
    registry, host, other, elsewhere = served
    other.requests.clear()
    made = Rig(registry, host, elsewhere, note_waits(set_timings))
    yield made
    registry.hooks.clear()
    for record in other.requests:  # nothing of ours may be told to another origin
        assert "authorization" not in record.headers
        assert "cookie" not in record.headers
    gc.collect()


class Fault(NamedTuple):
    """What happens to a request."""

    #: Makes the hook, anew for each run.
    make: Callable[[Rig], Hook]
    #: The requests that it is put to.
    where: Callable[[Asked], bool] = lambda asked: True
    #: Whether a run gets over one of it by itself.
    passes: bool = False


def _reads(asked: Asked) -> bool:
    return asked.reads


def _gets(asked: Asked) -> bool:
    return asked.method == "GET"


def _fetches(asked: Asked) -> bool:
    return asked.method == "GET" and not asked.is_for_a_token


def _of_the_registry(asked: Asked) -> bool:
    return not asked.is_for_a_token


FAULTS: Mapping[str, Fault] = {
    "429, in seconds": Fault(
        lambda rig: Refuse("TOOMANYREQUESTS", headers=retry_after(2)), passes=True
    ),
    "429, by date": Fault(
        lambda rig: Refuse("TOOMANYREQUESTS", headers=retry_after(3, as_date=True)), passes=True
    ),
    "502": Fault(lambda rig: Answer(502), passes=True),
    "502, a page": Fault(
        lambda rig: Answer(502, HTML_ERROR_PAGE, media_type="text/html"), passes=True
    ),
    "503": Fault(lambda rig: Refuse("UNAVAILABLE"), passes=True),
    "broken before": Fault(lambda rig: BreakOff(reset=False), passes=True),
    "broken after": Fault(lambda rig: BreakOff(done=True, reset=False), passes=True),
    "reset before": Fault(lambda rig: BreakOff(), passes=True),
    "reset after": Fault(lambda rig: BreakOff(done=True), passes=True),
    "truncated": Fault(lambda rig: Truncate(1), _gets, passes=True),
    "other bytes": Fault(lambda rig: OtherBytes(), _fetches),
    "flood": Fault(lambda rig: Flood(), _gets),
    "flood, declared": Fault(lambda rig: Flood(declared=True), _gets),
    "bomb": Fault(lambda rig: Answer(200, nested_json())),
    "bomb in an error": Fault(lambda rig: Answer(400, nested_json())),
    "page": Fault(lambda rig: Answer(200, HTML_ERROR_PAGE, media_type="text/html"), _reads),
    "page in an error": Fault(lambda rig: Answer(403, HTML_ERROR_PAGE, media_type="text/html")),
    "control characters": Fault(lambda rig: Refuse("DENIED", CONTROL_CHARACTERS, status=403)),
    "control characters, failing": Fault(
        lambda rig: Refuse(CONTROL_CHARACTERS, CONTROL_CHARACTERS, status=500), passes=True
    ),
    "redirect loop": Fault(lambda rig: Redirect()),
    "redirect elsewhere": Fault(lambda rig: Redirect(rig.elsewhere)),
    "token ends": Fault(
        lambda rig: PutForward(rig.clock, _LIFE + 60), _of_the_registry, passes=True
    ),
}


def _check_said(caplog: pytest.LogCaptureFixture, error: OciMergeError | None, what: str) -> None:
    """Check that neither an error nor a log tells a secret or carries a control character."""
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("oci_m")]
    shown = [*logged]
    if error is not None:
        shown += [str(error), error.message, error.hint]
        assert str(error), what
    for line in shown:
        assert line.isprintable(), f"{what}: {line!r}"
    whole = "\n".join([*shown, repr(error), *(record.getMessage() for record in caplog.records)])
    assert not [secret for secret in _SECRETS if secret in whole], what
    assert _TOKEN.search(whole) is None, what
    loud = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert not [r.getMessage() for r in loud if r.name.startswith(("asyncio", "oci_m"))], what
    caplog.clear()


def _outcome(rig: Rig, what: str, **more: Any) -> MergeResult | OciMergeError:
    try:
        return rig.merge(**more)
    except OciMergeError as error:
        return error
    except Exception as error:
        pytest.fail(f"{what}: {error!r}")


def _run(rig: Rig, caplog: pytest.LogCaptureFixture, what: str, **more: Any) -> bool:
    """Run against a fault; say whether the job was done, and check what there is if not."""
    caplog.set_level(logging.DEBUG)
    outcome = _outcome(rig, what, **more)
    if isinstance(outcome, MergeResult):
        _check_said(caplog, None, what)
        assert outcome.digest == rig.digest, what
        assert rig.is_new(), f"{what}: a success, but {rig.tags()}"
        return True
    _check_said(caplog, outcome, what)
    if not isinstance(outcome, PublishError):
        assert rig.is_old(), f"{what}: {outcome}, but {rig.tags()}"
        return False
    assert outcome.moved, what
    assert outcome.failed, what
    assert sorted(outcome.moved + outcome.failed) == sorted(_TAGS), what
    expected = dict.fromkeys(outcome.moved, rig.digest)
    expected |= dict.fromkeys(outcome.failed, _OLD_INDEX.digest)
    assert rig.tags() == expected, f"{what}: {outcome}"
    return False


def _rerun(rig: Rig, what: str) -> None:
    """Run again without the fault."""
    rig.registry.hooks.clear()
    assert rig.merge().digest == rig.digest, what
    assert rig.is_new(), what
    assert not rig.registry.open_uploads, what


#: A few requests of every kind that a run makes.
_KINDS = {
    "challenge": lambda asked: asked.path.endswith("team/app-amd64/manifests/1.0"),
    "token": lambda asked: asked.is_for_a_token,
    "image": lambda asked: asked.path.endswith("app-arm64/manifests/1.0") and not asked.is_first,
    "target": lambda asked: asked.reads and asked.path.endswith("app/manifests/latest"),
    "config": lambda asked: "/blobs/sha256:" in asked.path,
    "mount": lambda asked: "mount=" in asked.path,
    "child": lambda asked: asked.method == "PUT" and "/manifests/sha256:" in asked.path,
    "tag": lambda asked: asked.method == "PUT" and asked.path.endswith("/latest"),
}
#: Those that every request of a run meets; the others meet one request of every kind.
_EVERYWHERE = ("503", "reset before", "reset after", "page in an error")


def _one_of_each_kind(rig: Rig) -> list[Asked]:
    return [next(filter(kind, rig.asked)) for kind in _KINDS.values()]


def test_a_run_makes_requests_of_every_kind(rig: Rig) -> None:
    chosen = _one_of_each_kind(rig)
    assert len(set(chosen)) == len(_KINDS)
    assert len(rig.asked) >= 15
    assert rig.is_new()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_happens_once_ends_a_run_cleanly_or_not_at_all(
    name: str, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    fault = FAULTS[name]
    chosen = rig.asked if name in _EVERYWHERE else _one_of_each_kind(rig)
    struck = 0
    for asked in filter(fault.where, chosen):
        what = f"{name} at {asked}"
        rig.reset()
        on = rig.put(fault.make(rig), asked, times=1)
        done = _run(rig, caplog, what)
        struck += on.struck
        _rerun(rig, what)
        if asked.is_first and name.startswith(("broken", "reset")):
            continue  # tests/faults/test_first_requests.py is about these
        assert done or not fault.passes, f"{what} is not got over"
    assert struck


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_stays_ends_a_run_cleanly(
    name: str, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    fault = FAULTS[name]
    for asked in filter(fault.where, _one_of_each_kind(rig)):
        if name.endswith(" after") and asked.moves_a_tag:
            continue  # tests/faults/test_lost_answers.py is about these
        what = f"{name} at {asked} for good"
        rig.reset()
        rig.put(fault.make(rig), asked, times=None)
        _run(rig, caplog, what, retries=1)
        _rerun(rig, what)


def test_as_long_as_a_registry_asks_for_is_waited(rig: Rig) -> None:
    for headers, least in ((retry_after(7), 7), (retry_after(9, as_date=True), 8)):
        rig.reset()
        rig.registry.hooks.append(
            On("PUT", "*/manifests/latest", Refuse("TOOMANYREQUESTS", headers=headers), times=1)
        )
        rig.merge()
        assert rig.is_new()
        assert least <= max(rig.waits) <= least + 2


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_no_answer_at_all_is_waited_for_as_long_as_is_said(
    done: bool, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    for asked in _one_of_each_kind(rig):
        what = f"no answer to {asked}"
        rig.reset()
        rig.put(Hang(done=done), asked, times=1)
        patient = {"timeout": 0.3, "deadline": 20, "retries": 1}
        assert _run(rig, caplog, what, **patient), what
        _rerun(rig, what)


def test_a_run_is_over_at_its_deadline_whatever_is_not_answered(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    for asked in _one_of_each_kind(rig):
        what = f"no answer to {asked} before the deadline"
        rig.reset()
        rig.put(Hang(), asked, times=None)
        assert not _run(rig, caplog, what, deadline=0.5), what
        _rerun(rig, what)


def test_a_token_server_that_fails_ends_a_run_before_anything_is_written(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    for hook in (Refuse("UNAVAILABLE"), BreakOff(), Refuse("DENIED", CONTROL_CHARACTERS)):
        rig.reset()
        rig.registry.hooks.append(On("*", "/token*", hook))
        assert not _run(rig, caplog, f"token server: {hook}")
        assert all(r.method in ("GET", "HEAD", "POST") for r in rig.registry.requests)
        assert not [r for r in rig.registry.requests if "/uploads/" in r.path]
        _rerun(rig, "token server")


def test_a_token_server_that_fails_once_tokens_have_ended_leaves_the_tags(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    for asked in filter(_of_the_registry, _one_of_each_kind(rig)[1:]):
        rig.reset()
        rig.put(PutForward(rig.clock, _LIFE + 60), asked, times=1)
        rig.registry.hooks.append(On("*", "/token*", Refuse("UNAVAILABLE"), skip=1))
        _run(rig, caplog, f"no second token at {asked}")
        _rerun(rig, f"no second token at {asked}")


class _Arrivals(Hook):
    """Calls back when a request arrives, and holds it for a moment, as it was in the air then."""

    def __init__(self, at: Asked, arrived: Callable[[], None]) -> None:
        self._at = at
        self._seen = 0
        self._arrived = arrived

    async def before(self, request: Request) -> None:
        if (request.method, target_of(request)) == (self._at.method, self._at.path):
            self._seen += 1
            if self._seen == self._at.nth + 1:
                self._arrived()
                await asyncio.sleep(0.02)


def _killed(rig: Rig, at: Asked) -> bool:
    """Cancel a run when a request of it arrives; say whether it was."""

    async def run() -> bool:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(oci_merge.merge_async(target(rig.host), **rig.options()))

        def kill() -> None:
            loop.call_soon_threadsafe(task.cancel)

        rig.registry.hooks.append(_Arrivals(at, kill))
        try:
            await task
        except asyncio.CancelledError:
            return True
        return False

    return asyncio.run(run())


@pytest.mark.parametrize("mounts", [True, False], ids=["mounting", "uploads instead"])
def test_a_run_killed_at_any_request_leaves_no_upload_open_and_a_rerun_finishes_it(
    mounts: bool, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = rig.registry.settings
    for asked in rig.asked:
        if not mounts and asked.method == "PUT":
            continue  # without mounts a run does not come so far
        rig.reset()
        settings.refuse_mounts = not mounts
        try:
            assert _killed(rig, asked), asked
        finally:
            settings.refuse_mounts = False
        _check_said(caplog, None, f"killed at {asked}")
        assert not rig.registry.open_uploads, asked
        for tag, digest in rig.tags().items():
            # What is in the air when a run is killed may still arrive.
            assert digest == _OLD_INDEX.digest or (asked.moves_a_tag and digest == rig.digest), (
                tag,
                asked,
            )
        _rerun(rig, f"killed at {asked}")
