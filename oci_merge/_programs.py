"""Finds programs on a ``PATH``, runs them, and ends them with all that they have started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import field

from oci_merge._frozen import frozen
from oci_merge.errors import OciMergeError

#: How the files of programs end; only Windows writes something behind a program's name.
_PROGRAM_ENDINGS = ("", ".exe", ".cmd", ".bat") if os.name == "nt" else ("",)


class Stop:
    """Ends programs from another thread, because the run that they belong to is over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()  # signatures are made side by side
        self._is_over = False

    def end(self) -> None:
        """End the programs that run, with all that they have started, and let none begin."""
        with self._lock:
            self._is_over = True
            for process in self._processes:
                _kill(process)

    def begin(self, process: subprocess.Popen[bytes]) -> None:
        """Note a program that has just been started."""
        with self._lock:
            self._processes.add(process)
            if self._is_over:
                _kill(process)

    def forget(self, process: subprocess.Popen[bytes]) -> None:
        """Forget a program that has ended, or was ended."""
        with self._lock:
            self._processes.discard(process)

    @property
    def is_over(self) -> bool:
        """Whether the run is over, so that no program is started or believed."""
        return self._is_over


@frozen(kw_only=True, eq=False)
class Program:
    """A program that is given its input at once and has a limited time to answer.

    Attributes:
        path: its file, as ``find_program`` returns it.
        name: what it is called in messages.
        environ: the environment that it runs with.
        time_limit: how long it may take, in seconds.
        error: the class of the errors that ``run`` raises.
    """

    path: str
    name: str
    environ: Mapping[str, str] = field(repr=False)
    time_limit: float
    error: type[OciMergeError]

    def run(
        self, arguments: Sequence[str], data: bytes, *, stop: Stop, about: str = ""
    ) -> tuple[int, bytes, bytes]:
        """Run the program; return its exit status, stdout and stderr.

        Args:
            arguments: its arguments.
            data: what it reads from stdin.
            stop: ends it.
            about: what it is asked for, for messages.

        Raises:
            OciMergeError, of the class ``error``: it cannot be started, does not end in time, or
                was ended.
        """
        self._check(stop)
        process = self._start(arguments)
        # Unlike subprocess.run, this does not wait for children of a program that was killed: they
        # may keep its stdout open.
        with process:
            stop.begin(process)
            try:
                stdout, stderr = process.communicate(data, timeout=self.time_limit)
            except subprocess.TimeoutExpired:
                _kill(process)
                raise self.error(
                    f"{self.name} did not answer {about + ' ' if about else ''}"
                    f"within {self.time_limit:g} seconds",
                    hint="run it by hand: it may be waiting for input, or for a server",
                ) from None
            except BaseException:
                _kill(process)
                raise
            finally:
                stop.forget(process)
        self._check(stop)
        return process.returncode, stdout, stderr

    def _start(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 - no shell, and the caller checked the name
                [self.path, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self.environ,
                start_new_session=True,  # a group of its own, to be ended with what it starts
            )
        except OSError as error:
            raise self.error(f"{self.name} cannot be run: {error.strerror}") from error

    def _check(self, stop: Stop) -> None:
        """Refuse to start the program, or to believe it, once the run is over."""
        if stop.is_over:
            raise self.error(f"{self.name} was ended with the run")


def find_program(name: str, path: str) -> str | None:
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
    """End a program and what it has started; one that has ended by itself is left alone."""
    if process.poll() is not None:
        return
    if os.name == "nt":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
