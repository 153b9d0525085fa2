"""Where the program starts: the console script, and ``python -m oci_merge_cli``."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the program with the process's arguments.

    ``--version`` is answered before anything slow is imported.

    Returns:
        The exit status.
    """
    try:
        status = _run(_program_name(sys.argv[0]), sys.argv[1:])
    except KeyboardInterrupt as interrupt:
        # It came while modules were imported; later on, a signal is reported where it strikes.
        status = _complain("interrupted", getattr(interrupt, "status", 130))
    except Exception as error:  # such as a module that is not installed
        status = _complain(f"an internal error: {type(error).__name__}: {error}", 1)
    if status > 128:
        # After a signal nothing is waited for, such as a name look-up in a thread.
        os._exit(status)
    return status


def _program_name(path: str) -> str:
    """Return the name to go by: ``manifest-tool`` for a link of that name, else ``oci-merge``."""
    name = os.path.basename(path).removesuffix(".exe")
    return name if name == "manifest-tool" else "oci-merge"


def _run(name: str, arguments: list[str]) -> int:
    if arguments[:1] in (["--version"], ["-version"], ["-v"]):
        from oci_merge_cli.version import print_version

        return print_version(name)
    from oci_merge_cli.signals import interruptible

    with interruptible():
        from oci_merge_cli.program import run

        return run(arguments, name=name)


def _complain(message: str, status: int) -> int:
    if sys.stderr is not None:
        sys.stderr.write(f"error: {message}\n")
        sys.stderr.flush()
    return status


if __name__ == "__main__":
    sys.exit(main())
