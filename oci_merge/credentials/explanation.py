"""Explains which credential a run would use, and why it would not use others."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Literal, TypeVar, Unpack

from oci_merge import _keywords as take
from oci_merge._frozen import frozen
from oci_merge._keywords import check_names, checked, documented
from oci_merge._programs import Stop
from oci_merge.credentials.credential import Credential, CredentialKind
from oci_merge.credentials.files import docker_config_file
from oci_merge.credentials.keys import Place
from oci_merge.credentials.search import CredentialSearch, given_credential
from oci_merge.errors import CredentialError
from oci_merge.model.reference import Reference, parse_reference
from oci_merge.options import CredentialKeywords

#: A host, with a port if there is a colon: what follows the colon of an image is rarely a number.
_REGISTRY = re.compile(r"[^/@:\[\]]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")

_T = TypeVar("_T")

SourceStatus = Literal["used", "absent", "unsuitable", "broken", "skipped"]


@frozen
class CredentialSource:
    """A source of credentials, and whether a run would use it.

    Attributes:
        name: the source, for example ``the docker config /root/.docker/config.json``.
        status: ``used``; ``absent`` if the source does not exist; ``unsuitable`` if it has nothing
            for this image; ``broken`` if it cannot be read, which ends a run with an error;
            ``skipped`` if it was not read, because an earlier source decides.
        reason: why it is not used; empty if it is used.
        hint: what to do if it is broken; else empty.
    """

    name: str
    status: SourceStatus
    reason: str = ""
    hint: str = ""


@frozen
class CredentialExplanation:
    """The credential that a run would use for a repository, without its secrets.

    Attributes:
        registry: the registry as ``host[:port]``, ``docker.io`` for Docker Hub.
        repository: the repository's name in it; empty if the whole registry was asked about.
        username: the user name; empty for an anonymous run, and for tokens without one.
        kind: the kind of secret that would be sent, or None for an anonymous run.
        origin: the source that has it; empty for an anonymous run.
        sources: all sources, in the order of the search.
        warning: what a run would warn of; else empty.
    """

    registry: str
    repository: str
    username: str
    kind: CredentialKind | None
    origin: str
    sources: tuple[CredentialSource, ...]
    warning: str = ""

    @property
    def broken(self) -> CredentialSource | None:
        """The source that would end a run with an error, or None."""
        return next((source for source in self.sources if source.status == "broken"), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as JSON values."""
        return {
            "registry": self.registry,
            "repository": self.repository,
            "username": self.username,
            "kind": self.kind,
            "origin": self.origin,
            "warning": self.warning,
            "sources": [
                {
                    "name": source.name,
                    "status": source.status,
                    "reason": source.reason,
                    "hint": source.hint,
                }
                for source in self.sources
            ],
        }


@documented(CredentialKeywords)
def explain_credentials(
    reference: str | Reference, **keywords: Unpack[CredentialKeywords]
) -> CredentialExplanation:
    """Explain which credential a run would use for an image, and why it would not use others.

    It sends no request, so it cannot tell whether the registry would accept the credential. It runs
    credential helpers where the search gets to them: in an event loop, call it in a thread.

    Args:
        reference: the image, for example ``reg.example/team/app:latest``, or a registry, for
            example ``reg.example`` or ``localhost:5000``.
        **keywords: those of ``options.CredentialKeywords``.

    Returns:
        The explanation. Sources that cannot be read are part of it.

    Raises:
        UsageError: the reference is not valid, or only one of user name and password is given.
        CredentialError: ``docker_config`` does not exist.
    """
    check_names("explain_credentials", CredentialKeywords, keywords)
    asked = checked(CredentialKeywords, keywords)
    place = _place(take.reference("reference", reference))
    docker_config = asked["docker_config"]
    search = CredentialSearch(
        place.registry,
        given_credential(asked["username"], asked["password"]),
        docker_config=docker_config_file(str(docker_config)) if docker_config else None,
    )
    with _stopped_after(asked["deadline"]) as stop:
        found, sources = _in_a_thread(lambda: _look_at_all(search, place, stop), stop)
    return CredentialExplanation(
        registry=place.registry,
        repository=place.path,
        username=found.username if found else "",
        kind=found.kind if found else None,
        origin=found.origin if found else "",
        sources=sources,
        warning=found.warning if found else "",
    )


def _place(text: str) -> Place:
    """Return what a reference names: a repository, or a whole registry.

    Docker reads ``ghcr.io`` as an image of Docker Hub; whoever asks about it means the registry.
    """
    bare = text.removesuffix("/")
    is_host = bare == "localhost" or "." in bare or bare.startswith(("localhost:", "["))
    if is_host and _REGISTRY.fullmatch(bare):
        return Place(parse_reference(f"{bare}/a").registry)
    parsed = parse_reference(text)
    return Place(parsed.registry, parsed.repository)


def _in_a_thread(work: Callable[[], _T], stop: Stop) -> _T:
    """Run some work in another thread, and end its program if this one is interrupted.

    A signal interrupts the main thread anywhere, also while a program is being started, and nobody
    would know of that program then.
    """
    done: Future[_T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        return done.result()
    except BaseException:
        stop.end()
        thread.join()
        raise


@contextmanager
def _stopped_after(seconds: float | None) -> Iterator[Stop]:
    """Give what ends a helper, and end it when the block has taken so many seconds."""
    stop = Stop()
    timer = threading.Timer(seconds or 0, stop.end)
    timer.daemon = True  # a block that ends by an interrupt must not wait for it
    if seconds is not None:
        timer.start()
    try:
        yield stop
    finally:
        timer.cancel()


def _look_at_all(
    search: CredentialSearch, place: Place, stop: Stop
) -> tuple[Credential | None, tuple[CredentialSource, ...]]:
    """Search as a run does, and record each source's status."""
    notes: list[CredentialSource] = []
    found: Credential | None = None
    decides = ""
    for source in search.sources(stop):
        if decides:
            notes.append(CredentialSource(source.name, "skipped", decides))
            continue
        try:
            answer = source.look(place)
        except CredentialError as error:
            notes.append(CredentialSource(source.name, "broken", error.message, error.hint))
            decides = "the run ends before it"
            continue
        if isinstance(answer, Credential):
            found, decides = answer, "one before it is used"
            notes.append(CredentialSource(source.name, "used"))
        else:
            status: SourceStatus = "unsuitable" if answer.is_there else "absent"
            notes.append(CredentialSource(source.name, status, answer.reason))
    return found, tuple(notes)
