"""Runs credential helpers, the programs ``docker-credential-NAME``.

By the protocol of docker-credential-helpers, ``get`` reads the server from stdin and writes JSON,
or the reason of a failure, to stdout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from oci_merge._programs import Program, Stop, find_program
from oci_merge._text import printable
from oci_merge.credentials.credential import Credential
from oci_merge.credentials.documents import parse_helper_reply
from oci_merge.errors import CredentialError

_NAME = re.compile(r"[A-Za-z0-9._-]+")
#: The text by which a helper says that it has no credential; the protocol has no status for it.
_NOT_FOUND = "credentials not found in native keychain"


class Helpers:
    """Runs the credential helpers of one run; each is asked only once about each server.

    Args:
        environ: the environment: its ``PATH`` is searched, and helpers run with it.
        time_limit: how long a helper may take, in seconds; it may have to ask a cloud's server.
    """

    def __init__(self, environ: Mapping[str, str], *, time_limit: float = 30.0) -> None:
        self._environ = dict(environ)
        self._time_limit = time_limit
        self._answers: dict[tuple[str, str], Credential | None] = {}

    def ask(
        self, name: str, server: str, *, named_by: str, stop: Stop | None = None
    ) -> Credential | None:
        """Ask a helper for the credential of a server.

        Args:
            name: the helper's name, without ``docker-credential-``.
            server: the server, spelt as docker's keys are.
            named_by: the file that names the helper, for messages.
            stop: ends the helper.

        Returns:
            The credential, or None if the helper has none.

        Raises:
            CredentialError: the helper is not installed, failed, timed out, was ended, or did not
                print the JSON of the protocol.
        """
        key = (name, server)
        if key not in self._answers:
            self._answers[key] = self._run(name, server, named_by, stop or Stop())
        return self._answers[key]

    def _run(self, name: str, server: str, named_by: str, stop: Stop) -> Credential | None:
        # The name comes from a file: it must not lead to a program in another folder.
        if not _NAME.fullmatch(name):
            raise CredentialError(
                f"{named_by} names a credential helper {printable(name)!r}, "
                "which is not a valid name",
                hint="a helper's name has letters, digits, '.', '_' and '-'",
            )
        what = f"docker-credential-{name}, which {named_by} names,"
        path = find_program(f"docker-credential-{name}", self._environ.get("PATH", ""))
        if path is None:
            raise CredentialError(
                f"{what} is not on the PATH",
                hint="install it, or remove it from credsStore or credHelpers and log in again",
            )
        program = Program(
            path=path,
            name=what,
            environ=self._environ,
            time_limit=self._time_limit,
            error=CredentialError,
        )
        status, stdout, stderr = program.run(
            ["get"], server.encode(), stop=stop, about=f"for {printable(server)}"
        )
        if status == 0:
            return parse_helper_reply(stdout, what=what.removesuffix(","))
        reason = _reason(stdout) or _reason(stderr)
        if _NOT_FOUND in reason:
            return None
        raise CredentialError(
            f"{what} failed for {printable(server)}, with status {status}: {reason or 'no reason'}",
            hint=f"run it by hand: echo {printable(server)} | docker-credential-{name} get",
        )


def _reason(output: bytes) -> str:
    """Return the first line of a helper's message; empty if the output looks like JSON."""
    # JSON may be a credential.
    text = output.decode(errors="replace").strip()
    return "" if text.startswith(("{", "[")) else printable(text.partition("\n")[0])
