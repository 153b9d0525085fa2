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
from oci_merge.errors import UsageError

_CALLER = "the caller"


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
        docker_config: the only file to read, instead of the usual ones.
        environ: the environment; the process's own by default.
    """

    def __init__(
        self,
        registry: str,
        given: Credential | None = None,
        *,
        docker_config: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.registry = registry
        self._given = given
        self._environ = os.environ if environ is None else environ
        self._docker_config = docker_config
        self._helpers = Helpers(self._environ)
        self._files: dict[FilePlace, AuthFile | None] = {}

    def find(self, repository: str) -> Credential | None:
        """Find the credential for a repository.

        Args:
            repository: the repository's name in the registry.

        Returns:
            The credential, or None if no source has one.

        Raises:
            CredentialError: a source exists, but cannot be read.
        """
        place = Place(self.registry, repository)
        # Lazily, source after source. A broken one is not skipped: to go on as another user than
        # the one that was meant would be worse than an error.
        answers = (source.look(place) for source in self.sources())
        return next((answer for answer in answers if isinstance(answer, Credential)), None)

    def sources(self) -> Iterator[Source]:
        """Yield all sources, in the order of ``docs/credentials.md``."""
        yield Source(
            _CALLER, lambda _: self._given or Nothing("it gives no user name and password")
        )
        yield Source(
            f"{USERNAME_VARIABLE} and {PASSWORD_VARIABLE}",
            lambda _: own_variables(self._environ),
        )
        yield Source(AUTH_CONFIG_VARIABLE, self._look_at_variable)
        for file in file_places(self._environ, self._docker_config):
            yield Source(file.name, partial(self._look_at_file, file))
        for variables in CI_VARIABLES:
            yield Source(variables.name, partial(variables.look, self._environ))

    def _look_at_variable(self, place: Place) -> Answer:
        content = auth_config(self._environ)
        if content is None:
            return Nothing("it is not set")
        return self._look_up(content, AUTH_CONFIG_VARIABLE, place)

    def _look_at_file(self, file: FilePlace, place: Place) -> Answer:
        if file not in self._files:
            self._files[file] = file.read()
        content = self._files[file]
        if content is None:
            return Nothing("there is no such file")
        return self._look_up(content, file.name, place)

    def _look_up(self, content: AuthFile, name: str, place: Place) -> Answer:
        return look_up(content, place, origin=name, ask=partial(self._helpers.ask, named_by=name))


def given_credential(username: str | None, password: str | None) -> Credential | None:
    """Return the credential that the caller gave, or None if neither part is given.

    Args:
        username: the user name.
        password: the password or access token; it may be empty.

    Raises:
        UsageError: only one of the two is given, or one is not valid UTF-8.
    """
    if username is None and password is None:
        return None
    if not username or password is None:
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
