"""Running credential helpers, the programs ``docker-credential-NAME`` (docker-credential-helpers).

The server goes to the helper's stdin as it is, the answer comes on its stdout, and so does the
reason of a failure.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping

from oci_merge._text import printable
from oci_merge.credentials.credential import Credential
from oci_merge.credentials.documents import parse_helper_reply
from oci_merge.errors import CredentialError

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_NOT_FOUND = "credentials not found in native keychain"


class Helpers:
    """The helpers of one run; each is asked once about a server.

    Args:
        environ: the environment that they are looked up in and run with.
        time_limit: how long a helper may take, in seconds; it may have to ask a cloud's server.
    """

    def __init__(self, environ: Mapping[str, str], *, time_limit: float = 30.0) -> None:
        self._environ = dict(environ)
        self._time_limit = time_limit
        self._answers: dict[tuple[str, str], Credential | None] = {}

    def ask(self, name: str, server: str, *, named_by: str) -> Credential | None:
        """Ask a helper for the credential of a server.

        Args:
            name: the helper's name, without ``docker-credential-``.
            server: the server, as docker keys it.
            named_by: the file that names it, in words.

        Returns:
            The credential, or None where it has none.

        Raises:
            CredentialError: it is not there, failed, took too long or printed something else.
        """
        key = (name, server)
        if key not in self._answers:
            self._answers[key] = self._run(name, server, named_by)
        return self._answers[key]

    def _run(self, name: str, server: str, named_by: str) -> Credential | None:
        if not _NAME.fullmatch(name):
            raise CredentialError(
                f"{named_by} names a credential helper {printable(name)!r}, which is no name",
                hint="a helper's name has letters, digits, '.', '_' and '-'",
            )
        what = f"docker-credential-{name}, which {named_by} names,"
        program = shutil.which(f"docker-credential-{name}", path=self._environ.get("PATH", ""))
        if program is None:
            raise CredentialError(
                f"{what} is not on the PATH",
                hint="install it, or take it out of credsStore or credHelpers and log in again",
            )
        status, stdout, stderr = _communicate(
            program, server, self._environ, what, self._time_limit
        )
        if status == 0:
            return parse_helper_reply(stdout, what=what.removesuffix(","))
        reason = _reason(stdout) or _reason(stderr)
        if _NOT_FOUND in reason:
            return None
        raise CredentialError(
            f"{what} failed for {printable(server)}, with status {status}: {reason or 'no reason'}",
            hint=f"try it by hand: echo {printable(server)} | docker-credential-{name} get",
        )


def _communicate(
    program: str, server: str, environ: Mapping[str, str], what: str, time_limit: float
) -> tuple[int, bytes, bytes]:
    """Run a helper and return its status and what it printed."""
    try:
        process = subprocess.Popen(  # noqa: S603 - no shell, and the name was checked
            [program, "get"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
        )
    except OSError as error:
        raise CredentialError(f"{what} cannot be run: {error.strerror}") from error
    # Unlike subprocess.run, this does not wait for what a killed helper may have left running.
    with process:
        try:
            stdout, stderr = process.communicate(server.encode(), timeout=time_limit)
        except subprocess.TimeoutExpired:
            process.kill()
            raise CredentialError(
                f"{what} did not answer for {printable(server)} within {time_limit:g} seconds",
                hint="try it by hand; it may be waiting for somebody, or for a server",
            ) from None
        except BaseException:
            process.kill()
            raise
    return process.returncode, stdout, stderr


def _reason(output: bytes) -> str:
    """Return the first line of a message; what looks like an answer is not repeated."""
    text = output.decode(errors="replace").strip()
    return "" if text.startswith(("{", "[")) else printable(text.partition("\n")[0])
