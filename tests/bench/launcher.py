"""Runs commands and measures them; a small program of its own, `python -I -S launcher.py`.

Linux counts what a process was before it became another program to its peak memory, and the
harness, with its servers, is larger than the tools it measures. So this process stands in between,
which imports next to nothing. Its clock also does not wait for the harness's threads.

Each line of stdin is a JSON object: `commands`, a list of argument lists to be run one after the
other; `environment`; `timeout` in seconds. Each line of stdout answers one with `seconds` for them
all together, `computing`, the seconds of processor time that they and what they started took,
`peak` memory in bytes of the largest process, and `error`, null or a sentence.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import time
from types import FrameType

_SHOWN = 4000  # bytes of a failed command's stderr


def measure(
    commands: list[list[str]], environment: dict[str, str], timeout: float
) -> dict[str, object]:
    """Run commands one after the other until one fails.

    Args:
        commands: a program's path and its arguments, each.
        environment: all of their variables.
        timeout: how many seconds each may take.

    Returns:
        `seconds`, `computing` in seconds, `peak` in bytes and `error`, which is None if all ended
        well.
    """
    peak = 0
    computing = 0.0
    error = None
    began = time.perf_counter()
    for command in commands:
        with tempfile.TemporaryFile() as said:
            status, usage = _run(command, environment, said.fileno(), timeout)
            peak = max(peak, usage.ru_maxrss * 1024)
            computing += usage.ru_utime + usage.ru_stime
            if status != 0:
                said.seek(0)
                text = said.read()[-_SHOWN:].decode(errors="replace").strip()
                error = f"{' '.join(command)} ended with status {status}:\n{text}"
                break
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "computing": computing, "peak": peak, "error": error}


def _run(
    command: list[str], environment: dict[str, str], stderr: int, timeout: float
) -> tuple[int, resource.struct_rusage]:
    """Return the exit status and the use of resources of a process and those it waited for."""
    files = (
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_DUP2, stderr, 2),
    )
    child = os.posix_spawn(command[0], command, environment, file_actions=files)

    def stop(number: int, frame: FrameType | None) -> None:
        os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    _, status, usage = os.wait4(child, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return os.waitstatus_to_exitcode(status), usage


def main() -> None:
    """Answer each line of stdin with a line on stdout."""
    for line in sys.stdin:
        asked = json.loads(line)
        answer = measure(asked["commands"], asked["environment"], asked["timeout"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
