"""Turns errors into lines on stderr, an object on stdout and an exit status."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from oci_merge import OciMergeError, UsageError
from oci_merge_cli.compat.groups import UnknownWordError
from oci_merge_cli.output.stdout import OutputError, say, write_json
from oci_merge_cli.runtime.signals import Interrupted

if TYPE_CHECKING:
    from oci_merge_cli.runtime.tags import TagWatch

#: Attributes of an error that its object on stdout has, too.
_DETAILS = ("status", "codes", "digests", "moved", "failed", "changed", "missing", "digest")
_INTERNAL = "error: an internal error: "


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """An error, ready to be shown."""

    kind: str
    message: str
    hint: str = ""
    status: int = 1
    prefix: str = "error: "
    details: dict[str, Any] = field(default_factory=dict)

    def show(self, *, as_json: bool) -> None:
        if self.message:
            say(f"{self.prefix}{self.message}")
        if self.hint:
            say(f"hint: {self.hint}")
        if as_json:
            document = {"kind": self.kind, "message": self.message, "hint": self.hint}
            write_json(document | self.details)


@contextmanager
def reported(
    *,
    usage_status: int = 2,
    as_json: bool = False,
    debug: bool = False,
    tags: TagWatch | None = None,
) -> Iterator[None]:
    """Report every error of the block, and raise ``typer.Exit`` in its place.

    Args:
        usage_status: the exit status for wrong usage.
        as_json: write an object to stdout, too.
        debug: show the traceback of a bug.
        tags: which tags an interrupted merge has moved.
    """
    try:
        yield
    except typer.Exit:
        raise
    except (Exception, Interrupted) as error:
        failure = _failure(error, usage_status, tags)
        if debug and failure.prefix == _INTERNAL:
            for line in "".join(traceback.format_exception(error)).splitlines():
                say(line)
        with suppress(OutputError):  # stderr has the error in any case
            failure.show(as_json=as_json)
        raise typer.Exit(failure.status) from None


def _failure(error: BaseException, usage_status: int, tags: TagWatch | None) -> _Failure:
    kind = type(error).__name__
    match error:
        case OciMergeError():
            return _Failure(
                kind=kind,
                message=error.message,
                hint=error.hint,
                status=usage_status if isinstance(error, UsageError) else 1,
                details=_details(error),
            )
        case Interrupted():
            how_far = f" {tags.sentence()}" if tags else ""
            return _Failure(
                kind=kind,
                message=f"interrupted by {error.signal_name}{how_far}",
                status=error.status,
                details={"moved": tags.moved} if tags else {},
            )
        case OutputError():
            return _Failure(kind=kind, message=error.message)
        case UnknownWordError():
            return _Failure(kind=kind, message=error.message, hint=error.hint, status=3, prefix="")
        case typer.TyperException():
            return _Failure(
                kind=kind,
                message=_sentence(error.format_message()),
                hint=f"run {_command_path(error)} --help to see its options",
                status=usage_status,
            )
    # Anything else is a bug of ours: never an outage, and never the fault of the user.
    return _Failure(
        kind=kind,
        message=f"{kind}: {error}" if str(error) else kind,
        hint="this is a bug in oci-merge: please report it, with what --debug prints",
        prefix=_INTERNAL,
    )


def _details(error: OciMergeError) -> dict[str, Any]:
    found = {name: getattr(error, name) for name in _DETAILS if hasattr(error, name)}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in found.items()
    }


def _sentence(message: str) -> str:
    """Return a message of typer in the form of our messages."""
    message = message.replace(": Value error, ", ": ").removesuffix(".")
    return message[:1].lower() + message[1:]


def _command_path(error: typer.TyperException) -> str:
    path: str = getattr(getattr(error, "ctx", None), "command_path", "oci-merge")
    return path
