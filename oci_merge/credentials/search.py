"""Searches the sources of credentials in order.

The first source that has a credential for a repository decides; later sources are not read. A
broken source ends the search with an error, unless an earlier one has decided.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Protocol

from oci_merge._frozen import frozen
from oci_merge._programs import Stop
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
from oci_merge.credentials.helpers import Helpers
from oci_merge.credentials.keys import Place
from oci_merge.credentials.lookup import look_up
from oci_merge.errors import CredentialError, UsageError

CALLER = "the caller"


class Ask(Protocol):
    """Asks a credential helper that a file names."""

    def __call__(self, name: str, server: str, *, named_by: str) -> Credential | None: ...


@frozen
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
        # Several threads may search. A file is read once, since it may be a pipe: <(…) in a shell.
        self._reading = Lock()
        self._deciders: dict[str, str] = {}

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
        for source in self.sources(stop):
            answer = source.look(place)
            if isinstance(answer, Credential):
                self._deciders[repository] = source.name
                return answer
        return None

    def may_find(self, repository: str) -> bool:
        """Say whether ``find`` may return a credential or raise, without running a helper."""
        has_asked = False

        def ask(name: str, server: str, *, named_by: str) -> None:
            nonlocal has_asked
            has_asked = True

        for source in self.sources(ask=ask):
            try:
                answer = source.look(Place(self.registry, repository))
            except CredentialError:
                return True
            if has_asked or isinstance(answer, Credential):
                return True
        return False

    def decider(self, repository: str) -> str:
        """Return the name of the source whose credential was found; empty if none was."""
        return self._deciders.get(repository, "")

    def sources(self, stop: Stop | None = None, *, ask: Ask | None = None) -> Iterator[Source]:
        """Yield all sources, in the order of ``docs/credentials.md``.

        Args:
            stop: ends a helper that runs.
            ask: asks a helper that a file names; by default, the helper is run.
        """
        asked = ask or partial(self._helpers.ask, stop=stop)
        yield Source(CALLER, lambda _: self._given or Nothing("it gives no user name and password"))
        if self._docker_config is not None:
            yield from self._file_sources(asked)
        yield Source(
            f"{USERNAME_VARIABLE} and {PASSWORD_VARIABLE}",
            lambda _: own_variables(self._environ),
        )
        yield Source(AUTH_CONFIG_VARIABLE, partial(self._look_at_variable, asked))
        if self._docker_config is None:
            yield from self._file_sources(asked)
        for variables in CI_VARIABLES:
            yield Source(variables.name, partial(variables.look, self._environ))

    def _file_sources(self, ask: Ask) -> Iterator[Source]:
        places = file_places(self._environ, self._docker_config, docker_first=self._docker_first)
        for file in places:
            yield Source(file.name, partial(self._look_at_file, ask, file))

    def _look_at_variable(self, ask: Ask, place: Place) -> Answer:
        content = auth_config(self._environ)
        if content is None:
            return Nothing("it is not set")
        name = AUTH_CONFIG_VARIABLE
        return look_up(content, place, origin=name, ask=partial(ask, named_by=name), by_host=True)

    def _look_at_file(self, ask: Ask, file: FilePlace, place: Place) -> Answer:
        with self._reading:
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
    credential = Credential(username, password, CALLER)
    if not credential.is_text:
        raise UsageError("the username or the password is not valid UTF-8")
    return credential
