"""Runs the real program: with pipes, on a terminal, or in the background."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

PROGRAM = (sys.executable, "-m", "oci_merge_cli")
_SECONDS = 60


class Outcome(NamedTuple):
    """What a run came to.

    Args:
        status: the exit status.
        stdout: what it wrote to stdout.
        stderr: what it wrote to stderr.
    """

    status: int
    stdout: str
    stderr: str

    @property
    def errors(self) -> list[str]:
        """The lines of stderr."""
        return self.stderr.splitlines()


Program = Callable[..., Outcome]
"""The program as a function of its arguments."""


def run_process(
    *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None
) -> Outcome:
    """Run the program in a process of its own, with pipes.

    Args:
        arguments: its arguments.
        stdin: what it can read.
        environment: variables to add.
    """
    done = subprocess.run(
        [*PROGRAM, *arguments],
        input=stdin,
        capture_output=True,
        timeout=_SECONDS,
        env={**os.environ, **(environment or {})},
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def run_on_terminal(
    *arguments: str,
    stdout_too: bool = False,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = PROGRAM,
) -> Outcome:
    """Run the program with its stderr on a terminal that is 160 columns wide.

    Args:
        arguments: its arguments.
        stdout_too: put stdout on a terminal of its own, too.
        environment: variables to add.
        program: what is run with these arguments.
    """
    with contextlib.ExitStack() as stack:
        stderr = stack.enter_context(_terminal())
        stdout = stack.enter_context(_terminal() if stdout_too else _pipe())
        process = subprocess.Popen(
            [*program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout.inner,
            stderr=stderr.inner,
            env={**os.environ, "TERM": "xterm-256color", **(environment or {})},
        )
        os.close(stdout.inner)
        os.close(stderr.inner)
        texts = _read_all([stdout.outer, stderr.outer])
        return Outcome(process.wait(_SECONDS), *(text.replace("\r\n", "\n") for text in texts))


def run_with_keyboard(*arguments: str, typed: str) -> str:
    """Run the program on a terminal on which somebody types; return all that the terminal shows.

    Args:
        arguments: its arguments.
        typed: what is typed, once the program has asked for something.
    """
    with _terminal() as terminal:
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            stdin=terminal.inner,
            stdout=terminal.inner,
            stderr=terminal.inner,
            start_new_session=True,
        )
        os.close(terminal.inner)
        shown = b""
        with contextlib.suppress(OSError):  # how a terminal says that its other end is closed
            while chunk := os.read(terminal.outer, 65536):
                shown += chunk
                # Not before: what is typed ahead would be shown.
                if typed and shown.rstrip().endswith(b":"):
                    os.write(terminal.outer, typed.encode())
                    typed = ""
        assert process.wait(_SECONDS) == 0
        return shown.decode().replace("\r\n", "\n")


@contextlib.contextmanager
def started(*arguments: str, stdin: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen[str]]:
    """Start the program and let it run while the context is open; pipes can be read.

    Args:
        arguments: its arguments.
        stdin: what ``subprocess`` takes for a stdin.
    """
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> Outcome:
    """Wait for a started program, and return what it came to."""
    stdout, stderr = process.communicate(timeout=_SECONDS)
    return Outcome(process.returncode, stdout, stderr)


class _Ends(NamedTuple):
    outer: int
    inner: int


@contextlib.contextmanager
def _terminal() -> Iterator[_Ends]:
    ends = _Ends(*pty.openpty())
    fcntl.ioctl(ends.inner, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
    try:
        yield ends
    finally:
        os.close(ends.outer)


@contextlib.contextmanager
def _pipe() -> Iterator[_Ends]:
    ends = _Ends(*os.pipe())
    try:
        yield ends
    finally:
        os.close(ends.outer)


def _read_all(descriptors: Sequence[int]) -> list[str]:
    """Read several descriptors to their ends at once, so that none of them fills up."""
    contents = [bytearray() for _ in descriptors]

    def read(descriptor: int, content: bytearray) -> None:
        with contextlib.suppress(OSError):  # how a terminal says that its other end is closed
            while chunk := os.read(descriptor, 65536):
                content += chunk

    threads = [
        threading.Thread(target=read, args=pair) for pair in zip(descriptors, contents, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_SECONDS)
    return [content.decode() for content in contents]
