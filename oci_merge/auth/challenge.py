"""Challenges, scopes and token documents (RFC 9110 §11; Docker registry token authentication).

Pure: text in, values out. ``token_client`` sends the requests.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from oci_merge._frozen import frozen
from oci_merge._text import listed
from oci_merge.errors import TransportError

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'\s*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')
_SCHEME = re.compile(rf"\s*({_WORD})(?=\s|,|$)(?!\s*=)")
_SEPARATORS = re.compile(r"[\s,]*")
_TOKEN68 = re.compile(r"\s+[A-Za-z0-9._~+/-]+=*\s*(?=,|$)")

#: Types of resources: a class may follow (the token specification's grammar of scopes).
_REPOSITORY = re.compile(r"repository(?:\([a-z0-9]+\))?")
_ACTIONS = frozenset({"pull", "push"})

#: The life of a token that does not state it, and the least that is believed, in seconds.
DEFAULT_LIFE = 60.0


@frozen
class Challenge:
    """One challenge of a ``WWW-Authenticate`` header.

    Attributes:
        scheme: in lower case, for example ``bearer``.
        parameters: by lower-case name. They may hold anything, so they are kept out of ``repr``.
    """

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict, repr=False)

    def asks_like(self, other: Challenge) -> bool:
        """Say whether it asks for the same as another one: Basic, or a token of one server."""
        if self.scheme != other.scheme:
            return False
        names = ("realm", "service") if self.scheme == "bearer" else ()
        return all(self.parameters.get(name) == other.parameters.get(name) for name in names)


@frozen
class Scope:
    """Actions on one resource, as ``repository:team/app:pull,push``.

    Attributes:
        resource: type and name, for example ``repository:team/app``.
        actions: in order, each once.
        extra: actions that a challenge may add, since some registries want them for the request.
    """

    resource: str
    actions: tuple[str, ...]
    extra: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"{self.resource}:{','.join(self.actions)}"


@frozen
class Token:
    """A token server's answer.

    Attributes:
        value: the bearer token; it is kept out of ``repr``.
        life: how long it says it lasts, in seconds.
    """

    value: str = field(repr=False)
    life: float


def pull(repository: str) -> Scope:
    """Return the scope that reads a repository."""
    return Scope(f"repository:{repository}", ("pull",))


def pull_push(repository: str) -> Scope:
    """Return the scope that reads and writes a repository."""
    return Scope(f"repository:{repository}", ("pull", "push"))


def cancel_upload(repository: str) -> Scope:
    """Return the scope that cancels an upload to a repository, which some call deleting."""
    return Scope(f"repository:{repository}", ("pull", "push"), extra=("delete",))


def delete_tag(repository: str) -> Scope:
    """Return the scope that deletes a tag of a repository."""
    return Scope(f"repository:{repository}", ("pull", "push", "delete"), extra=("delete",))


def merge_scopes(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """Unite scopes, one for each resource: some servers let the last of two on one resource win.

    Those that push come first, since some servers read only the first.
    """
    merged: dict[str, tuple[str, ...]] = {}
    for scope in scopes:
        actions = (*merged.get(scope.resource, ()), *scope.actions)
        merged[scope.resource] = tuple(dict.fromkeys(actions))
    united = [Scope(resource, actions) for resource, actions in merged.items()]
    return tuple(sorted(united, key=lambda scope: "push" not in scope.actions))


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """Parse a challenge's ``scope``: a list separated by spaces; what breaks its form is left out.

    The actions follow the last colon, since a name may hold a host and port.
    """
    scopes = []
    for word in text.split():
        resource, colon, actions = word.rpartition(":")
        names = tuple(dict.fromkeys(action for action in actions.split(",") if action))
        if colon and ":" in resource and names:
            scopes.append(Scope(resource, names))
    return tuple(scopes)


def own_scopes(asked: Iterable[Scope], own: Sequence[Scope], registry: str) -> list[Scope]:
    """Return those of a challenge's scopes that a run has a use for: to pull and push its own.

    A registry may not send us for a token for what the run has nothing to do with. But some give a
    repository another name than its path has (``_is_named``), or another type, such as Docker Hub's
    ``repository(plugin)``.

    Args:
        asked: the challenge's.
        own: the run's, of every repository, and the request's.
        registry: the registry's ``host[:port]``.
    """
    kept = []
    for scope in asked:
        kind, _, name = scope.resource.partition(":")
        if not _REPOSITORY.fullmatch(kind):
            continue
        named = [each for each in own if _is_named(name, each.resource.partition(":")[2], registry)]
        allowed = _ACTIONS.union(*(each.extra for each in named)) if named else frozenset()
        if actions := tuple(action for action in scope.actions if action in allowed):
            kept.append(Scope(scope.resource, actions))
    return kept


def _is_named(name: str, repository: str, registry: str) -> bool:
    """Say whether a challenge's name is a registry's own name for a repository.

    It may have the registry's host or Docker Hub's ``library`` before it. A proxy may add or remove
    the start of a path: ``docker.corp.example/team/app`` is ``project/mirror/team/app`` at the
    registry behind it, and ``docker-local/team/app`` is ``team/app`` there. Two words have to be
    the same, since one alone, such as ``app``, would be anybody's repository.
    """
    name, repository = name.lower(), repository.lower()
    host = registry.lower()
    if name.removeprefix(f"{host}/").removeprefix(f"{host.partition(':')[0]}/") == repository:
        return True
    if name == f"library/{repository}":
        return True
    is_longer = "/" in repository and name.endswith(f"/{repository}")
    return is_longer or ("/" in name and repository.endswith(f"/{name}"))


def parse_challenges(headers: Sequence[str]) -> tuple[Challenge, ...]:
    """Parse all ``WWW-Authenticate`` headers of a response.

    Several challenges may stand in one header; what cannot be read ends that header's parsing.

    Args:
        headers: the header's values, not joined.
    """
    challenges: list[Challenge] = []
    for header in headers:
        position = _next_word(header, 0)
        while match := _SCHEME.match(header, position):
            position = match.end()
            challenge = Challenge(match[1].lower())
            challenges.append(challenge)
            if token68 := _TOKEN68.match(header, position):
                position = token68.end()
            position = _parse_parameters(header, position, challenge.parameters)
    return tuple(challenges)


def choose_challenge(challenges: Sequence[Challenge]) -> Challenge | None:
    """Choose Bearer with a realm, else Basic; None where neither is offered."""
    for challenge in challenges:
        if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
            return challenge
    return next((challenge for challenge in challenges if challenge.scheme == "basic"), None)


def unanswerable(challenges: Sequence[Challenge]) -> str:
    """Name the schemes of challenges of which none can be answered; empty if one can be.

    Returns:
        For example ``negotiate and ntlm``; of Bearer it says that no token server is named.
    """
    if not challenges or choose_challenge(challenges):
        return ""
    names = {
        "bearer": "Bearer without a token server (realm)",
        "ntlm": "NTLM",
    }
    schemes = dict.fromkeys(challenge.scheme for challenge in challenges)
    return listed([names.get(scheme, scheme.capitalize()) for scheme in schemes])


def parse_token(content: bytes, server: str = "the token server") -> Token:
    """Read a token server's answer; ``access_token`` is preferred to ``token``.

    Args:
        content: the answer.
        server: what messages call the server.

    Raises:
        TransportError: there is no token in it.
    """
    try:
        response = _TokenReply.model_validate_json(content)
    except ValidationError:
        response = _TokenReply()
    texts = (text for text in (response.access_token, response.token) if isinstance(text, str))
    value = next(filter(None, texts), "")
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        is_page = content[:64].lstrip().startswith(b"<")
        raise TransportError(
            f"the answer of {server} holds no token" + (": it is a web page" if is_page else ""),
            hint="the registry names a wrong token server, or a proxy answered in its place",
        )
    return Token(value, _life(response.expires_in))


class _TokenReply(BaseModel):
    model_config = ConfigDict(extra="ignore", defer_build=True)

    token: Any = None
    access_token: Any = None
    expires_in: Any = None


def _parse_parameters(header: str, position: int, parameters: dict[str, str]) -> int:
    """Read ``name=value`` pairs into ``parameters``; return where the next challenge begins."""
    while True:
        start = _next_word(header, position)
        match = _PARAMETER.match(header, start)
        if not match:
            return start
        quoted, bare = match[2], match[3]
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare
        parameters.setdefault(match[1].lower(), value)
        position = match.end()


def _next_word(header: str, position: int) -> int:
    """Return where the next word begins; a list may have empty elements (RFC 9110 §5.6.1)."""
    separators = _SEPARATORS.match(header, position)
    return separators.end() if separators else position


def _life(value: Any) -> float:
    """Return a token's life; one that makes no sense is as good as none."""
    try:
        life = float(value)
    except (TypeError, ValueError, OverflowError):
        return DEFAULT_LIFE
    return life if life > 0 and math.isfinite(life) else DEFAULT_LIFE
