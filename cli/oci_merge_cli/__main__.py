"""Starts and ends the process: the console script, and ``python -m oci_merge_cli``."""

from __future__ import annotations

import gc
import os
import sys

# Not typing's: importing typing takes longer than the rest of --version.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

#: The exit status of the interpreter when it cannot flush a stream.
_STREAM_FAILED = 120
_BUG = (
    "install oci-merge anew; if that does not help, this is a bug: please report it, with what "
    "--debug prints"
)


def main() -> NoReturn:
    """Run the program with the arguments of the process, and end the process with its status."""
    # Importing makes many objects and no garbage. The runner turns collection on again.
    gc.disable()
    # pydantic would load plugins that other programs installed, and some load slowly.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    _leave(run())


def run() -> int:
    """Run the program with the arguments of the process.

    ``--version`` is answered before anything slow is imported.

    Returns:
        The exit status.
    """
    try:
        return _answer(_program_name(sys.argv[0]), sys.argv[1:])
    except KeyboardInterrupt as interrupt:
        # The signal came during imports. Later signals are reported by the running command.
        return _complain("interrupted", getattr(interrupt, "status", 130))
    except Exception as error:  # such as a module that is not installed
        if "--debug" in sys.argv:
            import traceback

            traceback.print_exception(error)
        return _complain(f"an internal error: {type(error).__name__}: {error}", 1, hint=_BUG)


def _leave(status: int) -> NoReturn:
    """Flush the standard streams and end the process.

    Args:
        status: the exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            status = _STREAM_FAILED
    # The interpreter would first clear every module, and wait for threads, such as one that looks
    # up a host name. Files are closed and credential helpers have ended, so neither is needed.
    os._exit(status)


def _program_name(path: str) -> str:
    """Return ``manifest-tool`` if the program was called by that name, else ``oci-merge``."""
    name = os.path.basename(path).removesuffix(".exe")
    return name if name == "manifest-tool" else "oci-merge"


def _answer(name: str, arguments: list[str]) -> int:
    if os.environ.get(f"_{name}_COMPLETE".replace("-", "_").upper()):
        # A script for the completion of other click programs asks. What is printed would be run
        # by the user's shell, or shown as its completions; scripts of ours run no program.
        return 1
    if arguments[:1] in (["--version"], ["-version"], ["-v"]):
        from oci_merge_cli.output.version import print_version

        return print_version(name)
    from oci_merge_cli.runtime.signals import interruptible

    with interruptible():
        from oci_merge_cli.runtime.early import connect_to_registries

        connect_to_registries(arguments)
        from oci_merge_cli import program

        return program.run(arguments, name=name)


def _complain(message: str, status: int, *, hint: str = "") -> int:
    if sys.stderr is not None:
        sys.stderr.write(f"error: {message}\n" + (f"hint: {hint}\n" if hint else ""))
        sys.stderr.flush()
    return status


if __name__ == "__main__":
    main()
