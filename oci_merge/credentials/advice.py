"""Says which other logins there are for a registry that denied one, or a run without any."""

from __future__ import annotations

from oci_merge._text import listed
from oci_merge.credentials.credential import Answer, Credential, Nothing
from oci_merge.credentials.environment import (
    AUTH_CONFIG_VARIABLE,
    PASSWORD_VARIABLE,
    USERNAME_VARIABLE,
)
from oci_merge.credentials.keys import Place
from oci_merge.credentials.search import CALLER, CredentialSearch
from oci_merge.errors import CredentialError

#: How many near misses a hint names at most.
_MOST_NAMED = 2


def other_logins(search: CredentialSearch, repository: str, denied: Credential) -> str:
    """Say which sources after the one that decides have an entry for a repository, too.

    Files that the search did not come to are read; no helper is asked.

    Args:
        search: the search that found the credential.
        repository: the repository's name in the registry.
        denied: the credential; where it is found elsewhere, too, that is no other login.

    Returns:
        A hint, or an empty string if there are none.
    """
    decider = search.decider(repository)
    others = [
        f"{name} {_has(answer, search.registry)}"
        for name, answer in _look_at_all(search, repository)
        if name != decider
        and (answer.is_entry if isinstance(answer, Nothing) else answer != denied)
    ]
    if not decider or not others:
        return ""
    return f"{listed(others)}, but {_comes_first(decider)}"


def near_misses(search: CredentialSearch, repository: str) -> str:
    """Say which sources have something that may have been meant for a repository, but is not.

    Args:
        search: the search that found no credential.
        repository: the repository's name in the registry.

    Returns:
        Words that follow a semicolon; empty if there are none.
    """
    near = [
        f"{name} {answer.near}"
        for name, answer in _look_at_all(search, repository)
        if isinstance(answer, Nothing) and answer.near
    ]
    return listed(near[:_MOST_NAMED])


def _look_at_all(search: CredentialSearch, repository: str) -> list[tuple[str, Answer]]:
    """Look at every source; one that cannot be read has nothing to advise."""
    place = Place(search.registry, repository)
    answers: list[tuple[str, Answer]] = []
    for source in search.sources(ask=_ask_nobody):
        try:
            answers.append((source.name, source.look(place)))
        except CredentialError:
            continue
    return answers


def _ask_nobody(name: str, server: str, *, named_by: str) -> None:
    """Return no credential, as a helper does that has none."""


def _has(answer: Answer, registry: str) -> str:
    """Say what a source has for a registry, to follow the source's name."""
    if isinstance(answer, Nothing):
        return answer.near
    return f"has {answer.user.rpartition(' (from ')[0]} for {registry}"


def _comes_first(decider: str) -> str:
    """Say that a source comes before others, and how to change that."""
    if decider == CALLER:
        return "the user name and password that were given come first: leave them out"
    if decider == f"{USERNAME_VARIABLE} and {PASSWORD_VARIABLE}":
        return f"{decider} come first: unset them"
    if decider == AUTH_CONFIG_VARIABLE:
        return f"{decider} comes first: unset it, or name the file to use by --docker-cfg"
    return f"{decider} comes first: remove its entry, or name the file to use by --docker-cfg"
