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
from oci_merge_cli.output.stdout import OutputError, say, say_json, write_json
from oci_merge_cli.runtime.signals import Interrupted

if TYPE_CHECKING:
    from oci_merge_cli.runtime.tags import TagWatch

_INTERNAL = "error: an internal error: "
_INTERNAL_CODE = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """An error, ready to be shown."""

    code: str
    kind: str
    message: str
    hint: str = ""
    status: int = 1
    prefix: str = "error: "
    details: dict[str, Any] = field(default_factory=dict)

    def show(self, *, as_json: bool, json_lines: bool) -> None:
        if json_lines and self.message:
            say_json({"event": "failed", **self.document()})
        elif self.message:
            say(f"{self.prefix}{self.message}")
        if self.hint and not json_lines:
            say(f"hint: {self.hint}")
        if as_json:
            error = self.document()
            # Scripts that were written before there was an "error" read the keys beside it.
            write_json({name: error[name] for name in error if name != "code"} | {"error": error})

    def document(self) -> dict[str, Any]:
        """Return the error as JSON values."""
        shown = {"code": self.code, "kind": self.kind, "message": self.message, "hint": self.hint}
        return shown | self.details


@contextmanager
def reported(
    *,
    usage_status: int = 2,
    as_json: bool = False,
    json_lines: bool = False,
    debug: bool = False,
    tags: TagWatch | None = None,
) -> Iterator[None]:
    """Report every error of the block, and raise ``typer.Exit`` in its place.

    Args:
        usage_status: the exit status for wrong usage.
        as_json: write an object to stdout, too.
        json_lines: write an object to stderr instead of lines, as ``--progress json`` does.
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
                if json_lines:
                    say_json({"event": "debug", "message": line})
                else:
                    say(line)
        with suppress(OutputError):  # stderr has the error in any case
            failure.show(as_json=as_json, json_lines=json_lines)
        raise typer.Exit(failure.status) from None


def error_document(error: BaseException) -> dict[str, Any]:
    """Return an error as the JSON values that ``error`` has in the output of a command."""
    return _failure(error, 1, None).document()


def _failure(error: BaseException, usage_status: int, tags: TagWatch | None) -> _Failure:
    match error:
        case OciMergeError():
            status = usage_status if isinstance(error, UsageError) else 1
            return _known(error, hint=error.hint, status=status, details=error.to_dict())
        case OutputError():
            return _known(error)
        case UnknownWordError():
            return _known(error, hint=error.hint, status=3, prefix="")
        case Interrupted():
            how_far = f" {tags.sentence()}" if tags else ""
            return _Failure(
                code=error.code,
                kind=type(error).__name__,
                message=f"interrupted by {error.signal_name}{how_far}",
                status=error.status,
                details={"moved": tags.moved} if tags else {},
            )
        case typer.TyperException():
            return _Failure(
                code=UsageError.code,
                kind=type(error).__name__,
                message=_sentence(error.format_message()),
                hint=f"run {_command_path(error)} --help to see its options",
                status=usage_status,
            )
    # Anything else is a bug of ours: never an outage, and never the fault of the user.
    kind = type(error).__name__
    return _Failure(
        code=_INTERNAL_CODE,
        kind=kind,
        message=f"{kind}: {error}" if str(error) else kind,
        hint="this is a bug in oci-merge: please report it, with what --debug prints",
        prefix=_INTERNAL,
    )


def _known(error: OciMergeError | OutputError | UnknownWordError, **more: Any) -> _Failure:
    return _Failure(code=error.code, kind=type(error).__name__, message=error.message, **more)


def _sentence(message: str) -> str:
    """Return a message of typer in the form of our messages."""
    message = " ".join(message.split())  # typer lists the choices of an argument by lines
    message = message.replace(": Value error, ", ": ").removesuffix(".")
    return message[:1].lower() + message[1:]


def _command_path(error: typer.TyperException) -> str:
    path: str = getattr(getattr(error, "ctx", None), "command_path", "oci-merge")
    return path
