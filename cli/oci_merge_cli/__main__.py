"""Where the program starts and ends: the console script, and ``python -m oci_merge_cli``."""

from __future__ import annotations

import gc
import os
import sys

# Not typing's: that module alone would take longer than the rest of --version.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

#: What the interpreter ends with where it cannot write out what a stream still holds.
_STREAM_FAILED = 120


def main() -> NoReturn:
    """Be the process: run the program with the process's arguments, and end with its status."""
    # Loading modules makes many objects and leaves no garbage; the runner looks for it again.
    gc.disable()
    # Plugins that happen to be installed beside us are for other programs, and may load slowly.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    _leave(run())


def run() -> int:
    """Run the program with the process's arguments.

    ``--version`` is answered before anything slow is imported.

    Returns:
        The exit status.
    """
    try:
        return _answer(_program_name(sys.argv[0]), sys.argv[1:])
    except KeyboardInterrupt as interrupt:
        # It came while modules were imported; later on, a signal is reported where it strikes.
        return _complain("interrupted", getattr(interrupt, "status", 130))
    except Exception as error:  # such as a module that is not installed
        return _complain(f"an internal error: {type(error).__name__}: {error}", 1)


def _leave(status: int) -> NoReturn:
    """End the process at once.

    The interpreter would take every module apart first, and wait for threads, such as one that
    looks up a name. Nothing of ours is left to do there: files are closed, helpers have ended.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            status = _STREAM_FAILED
    os._exit(status)


def _program_name(path: str) -> str:
    """Return the name to go by: ``manifest-tool`` for a link of that name, else ``oci-merge``."""
    name = os.path.basename(path).removesuffix(".exe")
    return name if name == "manifest-tool" else "oci-merge"


def _answer(name: str, arguments: list[str]) -> int:
    if arguments[:1] in (["--version"], ["-version"], ["-v"]):
        from oci_merge_cli.output.version import print_version

        return print_version(name)
    from oci_merge_cli.runtime.signals import interruptible

    with interruptible():
        from oci_merge_cli import program

        return program.run(arguments, name=name)


def _complain(message: str, status: int) -> int:
    if sys.stderr is not None:
        sys.stderr.write(f"error: {message}\n")
        sys.stderr.flush()
    return status


if __name__ == "__main__":
    main()
