"""``push``: join images as manifest-tool does, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from oci_merge import (
    BlobCopied,
    Event,
    MergeResult,
    Retrying,
    Spec,
    SpecError,
    Warned,
    parse_spec,
    push_async,
    spec_from_template,
)
from oci_merge_cli.options.connection import Connection
from oci_merge_cli.options.declarations import ListType, PlatformCheck
from oci_merge_cli.options.values import parse_pairs, split_list, split_pairs
from oci_merge_cli.output.lines import copy_line, retry_line
from oci_merge_cli.output.render import digest_line
from oci_merge_cli.output.stdout import say, write
from oci_merge_cli.runtime import runner
from oci_merge_cli.runtime.failures import reported
from oci_merge_cli.runtime.logging import logged
from oci_merge_cli.runtime.tags import TagWatch


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOptions:
    """What all ways to push have in common; ``options`` says what each means."""

    list_type: ListType
    ignore_missing: bool
    platform_check: PlatformCheck
    copy_layers: bool
    source_plain_http: bool
    source_insecure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What ``from-args`` makes its spec of; ``options`` says what each means."""

    platforms: Sequence[str]
    template: str
    target: str
    tags: Sequence[str]
    annotations: Sequence[str]

    def spec(self) -> Spec:
        """Return the spec.

        Raises:
            UsageError: an argument is wrong.
        """
        pairs = [pair.strip() for text in self.annotations for pair in split_pairs(text)]
        return spec_from_template(
            platforms=split_list(self.platforms),
            template=self.template,
            target=self.target,
            tags=split_list(self.tags),
            annotations=parse_pairs(pairs, what="annotation"),
        )


def read_spec(file: Path) -> Spec:
    """Read a spec from its file.

    Raises:
        SpecError: it cannot be read, or is no spec.
    """
    try:
        text = file.read_bytes().decode()
    except OSError as error:
        raise SpecError(
            f"the spec {file} cannot be read: {error.strerror}",
            hint="name a YAML file that is there and may be read",
        ) from error
    except UnicodeDecodeError:
        raise SpecError(
            f"the spec {file} is not UTF-8 text", hint="name a YAML file, saved as UTF-8"
        ) from None
    return parse_spec(text, name=str(file))


def run(spec: Callable[[], Spec], options: PushOptions, connection: Connection) -> None:
    """Push what a spec says, and write the digest.

    Args:
        spec: makes the spec; what is wrong with it is reported.
        options: how to push it.
        connection: how to reach the registry.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """
    tags = TagWatch()
    connection = connection.with_empty_left_out()
    with (
        reported(usage_status=1, debug=connection.debug, tags=tags),
        logged(debug=connection.debug),
    ):
        for warning in connection.warnings():
            _warn(warning)
        made = spec()
        write(digest_line(_push(made, options, connection, tags)))


def _push(spec: Spec, options: PushOptions, connection: Connection, tags: TagWatch) -> MergeResult:
    access = connection.access()

    def note(event: Event) -> None:
        tags.note(event)
        if isinstance(event, Warned):
            _warn(event.message)
        if isinstance(event, Retrying):
            say(retry_line(event))
        if isinstance(event, BlobCopied) and options.copy_layers:
            say(copy_line(event))

    return runner.run(
        lambda: push_async(
            spec,
            list_type=options.list_type,
            ignore_missing=options.ignore_missing,
            platform_check=options.platform_check,
            copy_layers=options.copy_layers,
            source_registry=connection.for_sources(
                plain_http=options.source_plain_http, insecure=options.source_insecure
            ),
            on_event=note,
            **access,
        )
    )


def _warn(message: str) -> None:
    say(f"warning: {message}")
