"""Runs credential helpers, the programs ``docker-credential-NAME``.

By the protocol of docker-credential-helpers, ``get`` reads the server from stdin and writes JSON,
or the reason of a failure, to stdout.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping

from oci_merge._text import printable
from oci_merge.credentials.credential import Credential
from oci_merge.credentials.documents import parse_helper_reply
from oci_merge.errors import CredentialError

_NAME = re.compile(r"[A-Za-z0-9._-]+")
#: The text by which a helper says that it has no credential; the protocol has no status for it.
_NOT_FOUND = "credentials not found in native keychain"
#: How the files of programs end; only Windows writes something behind a program's name.
_PROGRAM_ENDINGS = ("", ".exe", ".cmd", ".bat") if os.name == "nt" else ("",)


class Stop:
    """Ends the helper of a search from another thread, because its run is over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_over = False

    def end(self) -> None:
        """End the helper that runs, with all that it has started, and let none begin."""
        with self._lock:
            self._is_over = True
            if self._process is not None:
                _kill(self._process)

    def begin(self, process: subprocess.Popen[bytes]) -> None:
        """Note a helper that has just been started."""
        with self._lock:
            self._process = process
            if self._is_over:
                _kill(process)

    def check(self, what: str) -> None:
        """Refuse to start a helper, or to believe one, once the run is over.

        Raises:
            CredentialError: it is.
        """
        if self._is_over:
            raise CredentialError(f"{what} was ended with the run")


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
        program = _find_program(f"docker-credential-{name}", self._environ.get("PATH", ""))
        if program is None:
            raise CredentialError(
                f"{what} is not on the PATH",
                hint="install it, or remove it from credsStore or credHelpers and log in again",
            )
        status, stdout, stderr = self._communicate(program, server, what, stop)
        if status == 0:
            return parse_helper_reply(stdout, what=what.removesuffix(","))
        reason = _reason(stdout) or _reason(stderr)
        if _NOT_FOUND in reason:
            return None
        raise CredentialError(
            f"{what} failed for {printable(server)}, with status {status}: {reason or 'no reason'}",
            hint=f"run it by hand: echo {printable(server)} | docker-credential-{name} get",
        )

    def _communicate(
        self, program: str, server: str, what: str, stop: Stop
    ) -> tuple[int, bytes, bytes]:
        """Run a helper; return its exit status, stdout and stderr.

        Raises:
            CredentialError: it cannot be started, does not end in time, or was ended.
        """
        stop.check(what)
        try:
            process = subprocess.Popen(  # noqa: S603 - no shell, and the name was checked
                [program, "get"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environ,
                start_new_session=True,  # a group of its own, to be ended with what it starts
            )
        except OSError as error:
            raise CredentialError(f"{what} cannot be run: {error.strerror}") from error
        # Unlike subprocess.run, this does not wait for children of a helper that was killed: they
        # may keep its stdout open.
        with process:
            stop.begin(process)
            try:
                stdout, stderr = process.communicate(server.encode(), timeout=self._time_limit)
            except subprocess.TimeoutExpired:
                _kill(process)
                raise CredentialError(
                    f"{what} did not answer for {printable(server)} "
                    f"within {self._time_limit:g} seconds",
                    hint="run it by hand: it may be waiting for input, or for a server",
                ) from None
            except BaseException:
                _kill(process)
                raise
        stop.check(what)
        return process.returncode, stdout, stderr


def _find_program(name: str, path: str) -> str | None:
    """Return the path of a program; only absolute folders of a ``PATH`` are searched.

    Others, an empty one among them, mean the working directory, which may be a stranger's checkout.
    """
    folders = [folder for folder in path.split(os.pathsep) if os.path.isabs(folder)]
    programs = [
        os.path.join(folder, f"{name}{ending}") for folder in folders for ending in _PROGRAM_ENDINGS
    ]
    # With a folder in its argument, which() looks nowhere else.
    return next((program for program in programs if shutil.which(program)), None)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a helper and what it has started; one that has ended by itself is left alone."""
    if process.poll() is not None:
        return
    if os.name == "nt":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)


def _reason(output: bytes) -> str:
    """Return the first line of a helper's message; empty if the output looks like JSON."""
    # JSON may be a credential.
    text = output.decode(errors="replace").strip()
    return "" if text.startswith(("{", "[")) else printable(text.partition("\n")[0])
