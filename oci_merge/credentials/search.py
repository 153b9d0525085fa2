"""Searches the sources of credentials in order.

The first source that has a credential for a repository decides; later sources are not read. A
broken source ends the search with an error, unless an earlier one has decided.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from oci_merge.credentials.credential import Answer, Credential, Nothing
from oci_merge.credentials.documents import AuthFile
from oci_merge.credentials.environment import (
    AUTH_CONFIG_VARIABLE,
    CI_VARIABLES,
    PASSWORD_VARIABLE,
    USERNAME_VARIABLE,
    auth_config,
    own_variables,
)
from oci_merge.credentials.files import FilePlace, file_places
from oci_merge.credentials.helpers import Helpers, Stop
from oci_merge.credentials.keys import Place
from oci_merge.credentials.lookup import look_up
from oci_merge.errors import UsageError

_CALLER = "the caller"


class _Ask(Protocol):
    """Asks a credential helper that a file names."""

    def __call__(self, name: str, server: str, *, named_by: str) -> Credential | None: ...


@dataclass(frozen=True, slots=True)
class Source:
    """One source of credentials.

    Attributes:
        name: names the source in messages.
        look: returns its answer for a repository; raises ``CredentialError`` if it is broken.
    """

    name: str
    look: Callable[[Place], Answer]


class CredentialSearch:
    """Searches credentials for the repositories of one registry; reads each file only once.

    It blocks while a credential helper runs, so an event loop has to call it in a thread.

    Args:
        registry: the registry as ``host[:port]``, or ``docker.io``.
        given: the credential that the caller gave, which is used for any registry.
        docker_config: the only file or folder to read, before the variables and instead of the
            usual files: whoever names it means it.
        environ: the environment; the process's own by default.
        docker_first: whether docker's own files come before those of the containers tools.
    """

    def __init__(
        self,
        registry: str,
        given: Credential | None = None,
        *,
        docker_config: Path | None = None,
        environ: Mapping[str, str] | None = None,
        docker_first: bool = False,
    ) -> None:
        self.registry = registry
        self._given = given
        self._environ = os.environ if environ is None else environ
        self._docker_config = docker_config
        self._docker_first = docker_first
        self._helpers = Helpers(self._environ)
        self._files: dict[FilePlace, AuthFile | None] = {}

    def find(self, repository: str, *, stop: Stop | None = None) -> Credential | None:
        """Find the credential for a repository.

        Args:
            repository: the repository's name in the registry.
            stop: ends a helper that runs.

        Returns:
            The credential, or None if no source has one.

        Raises:
            CredentialError: a source exists, but cannot be read, or the search was stopped.
        """
        place = Place(self.registry, repository)
        # Lazily, source after source. A broken one is not skipped: to go on as another user than
        # the one that was meant would be worse than an error.
        answers = (source.look(place) for source in self.sources(stop))
        return next((answer for answer in answers if isinstance(answer, Credential)), None)

    def sources(self, stop: Stop | None = None, *, asks_helpers: bool = True) -> Iterator[Source]:
        """Yield all sources, in the order of ``docs/credentials.md``.

        Args:
            stop: ends a helper that runs.
            asks_helpers: whether helpers are run; else none of them has a credential.
        """

        def ask(name: str, server: str, *, named_by: str) -> Credential | None:
            return self._helpers.ask(name, server, named_by=named_by, stop=stop)

        asked = ask if asks_helpers else _ask_nobody
        yield Source(
            _CALLER, lambda _: self._given or Nothing("it gives no user name and password")
        )
        named = () if self._docker_config is None else self._file_sources(asked)
        yield from named
        yield Source(
            f"{USERNAME_VARIABLE} and {PASSWORD_VARIABLE}",
            lambda _: own_variables(self._environ),
        )
        yield Source(AUTH_CONFIG_VARIABLE, partial(self._look_at_variable, asked))
        if self._docker_config is None:
            yield from self._file_sources(asked)
        for variables in CI_VARIABLES:
            yield Source(variables.name, partial(variables.look, self._environ))

    def _file_sources(self, ask: _Ask) -> Iterator[Source]:
        places = file_places(self._environ, self._docker_config, docker_first=self._docker_first)
        for file in places:
            yield Source(file.name, partial(self._look_at_file, ask, file))

    def _look_at_variable(self, ask: _Ask, place: Place) -> Answer:
        content = auth_config(self._environ)
        if content is None:
            return Nothing("it is not set")
        name = AUTH_CONFIG_VARIABLE
        return look_up(content, place, origin=name, ask=partial(ask, named_by=name), by_host=True)

    def _look_at_file(self, ask: _Ask, file: FilePlace, place: Place) -> Answer:
        if file not in self._files:
            self._files[file] = file.read()
        content, name = self._files[file], file.name
        if content is None:
            is_hidden = not file.is_named and file.is_hidden
            return Nothing(
                "this user may not look into its folder" if is_hidden else "there is no such file"
            )
        return look_up(
            content,
            place,
            origin=name,
            ask=partial(ask, named_by=name),
            by_host=file.is_dockers,
        )


def _ask_nobody(name: str, server: str, *, named_by: str) -> Credential | None:
    """Return no credential, as a helper does that has none."""
    return None


def given_credential(username: str | None, password: str | None) -> Credential | None:
    """Return the credential that the caller gave, or None if neither part is given.

    Args:
        username: the user name.
        password: the password or access token.

    Raises:
        UsageError: only one of the two is given, one is empty, or one is not valid UTF-8.
    """
    if username is None and password is None:
        return None
    # An empty one is a variable that is not set where it was meant to be.
    if not username or not password:
        given, missing = "username", "password"
        if not username:
            given, missing = missing, given
        raise UsageError(
            f"a {given} is given without a {missing}",
            hint="give both, or neither to use the environment and the docker config",
        )
    credential = Credential(username, password, _CALLER)
    if not credential.is_text:
        raise UsageError("the username or the password is not valid UTF-8")
    return credential
