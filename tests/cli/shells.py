"""Presses Tab in real shells: what a completion script makes of a command line."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

_SECONDS = 60
#: What a shell prints when the fake program has been run with its arguments.
_END = "END"


def bash_words(script: Path, line: str, *, folder: Path, setup: str = "") -> list[str]:
    """Return the arguments of the program after every completion was inserted into a line.

    Args:
        script: the completion script.
        line: the line up to the cursor, beginning with ``oci-merge``.
        folder: the folder that the shell stands in.
        setup: lines for the shell before the script is read.
    """
    start = folder / ".start"
    start.write_text(
        f"PS1=; {setup}\nsource {script}\noci-merge() {{ printf '<%s>\\n' \"$@\"; echo {_END}; }}\n"
    )
    command = ["bash", "--noprofile", "--rcfile", str(start), "-i"]
    # Escape and * is readline's insert-completions.
    return _run(command, f"{line}\x1b*\n", folder)


def zsh_words(script: Path, line: str, *, folder: Path, setup: str = "") -> list[str]:
    """Return the same of zsh. See ``bash_words``."""
    (folder / ".zshrc").write_text(
        f"PS1=; {setup}\n"
        "zstyle ':completion:*' completer _all_matches _complete\n"
        "zstyle ':completion:*' insert true\n"
        f"source {script}\n"
        f"oci-merge() {{ printf '<%s>\\n' \"$@\"; echo {_END}; }}\n"
    )
    return _run(["zsh", "-i"], f"{line}\t\n", folder)


def fish_words(script: Path, line: str, *, folder: Path) -> list[str]:
    """Return the completions of fish, each with its description behind a tab.

    Args:
        script: the completion script.
        line: the line up to the cursor, beginning with ``oci-merge``.
        folder: the folder that the shell stands in.
    """
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"source {script}; complete -C $argv[1]", line],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def is_installed(shell: str) -> bool:
    """Tell whether a shell is on this machine."""
    return shutil.which(shell) is not None


def _environment(folder: Path) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "ZDOTDIR": str(folder),
        "PATH": os.environ["PATH"],
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "10000",
    }


def _run(command: Sequence[str], keys: str, folder: Path) -> list[str]:
    """Type keys into a shell on a terminal, and return what the fake program was called with."""
    outer, inner = pty.openpty()
    process = subprocess.Popen(
        command,
        stdin=inner,
        stdout=subprocess.PIPE,
        stderr=inner,
        cwd=folder,
        env=_environment(folder),
        start_new_session=True,
        text=True,
    )
    os.close(inner)
    assert process.stdout is not None
    threading.Thread(target=_drain, args=(outer,), daemon=True).start()
    deadline = threading.Timer(_SECONDS, process.kill)
    deadline.start()
    try:
        os.write(outer, keys.encode())
        lines: list[str] = []
        for line in process.stdout:
            if line.strip() == _END:
                return [each[1:-1] for each in lines if each.startswith("<")]
            lines.append(line.rstrip("\n"))
        raise AssertionError(f"the shell ended early: {lines}")
    finally:
        deadline.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
        os.close(outer)


def _drain(terminal: int) -> None:
    """Read what a shell echoes, so that the terminal never fills up."""
    with contextlib.suppress(OSError):
        while os.read(terminal, 65536):
            pass
