"""``push``: join images as manifest-tool does, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from oci_merge import (
    BlobCopied,
    Event,
    Retrying,
    Spec,
    Warned,
    push_async,
    spec_from_template,
)
from oci_merge_cli.options.library import merge_keywords
from oci_merge_cli.options.merge import FromArgsOptions, ListType, PushOptions
from oci_merge_cli.options.output import FileOptions
from oci_merge_cli.options.registry import SourcesAccess
from oci_merge_cli.options.trust import TrustOptions, trust_keywords
from oci_merge_cli.options.values import parse_pairs, split_lines, split_list, split_pairs
from oci_merge_cli.output.lines import Lines
from oci_merge_cli.output.outputs import check_outputs, write_outputs
from oci_merge_cli.output.render import digest_line
from oci_merge_cli.output.stdout import write
from oci_merge_cli.runtime import runner
from oci_merge_cli.runtime.failures import reported
from oci_merge_cli.runtime.logging import logged
from oci_merge_cli.runtime.tags import TagWatch

#: More than the longest spec has, however long its characters.
_MOST_BYTES = 4 << 20


def make_spec(arguments: FromArgsOptions) -> Spec:
    """Make the spec for ``from-args``.

    Raises:
        UsageError: an option has a wrong value.
    """
    pairs = [
        pair.strip() for text in split_lines(arguments.annotations) for pair in split_pairs(text)
    ]
    return spec_from_template(
        platforms=split_list(arguments.platforms),
        template=arguments.template or "",
        target=arguments.target or "",
        tags=split_list(arguments.tags),
        annotations=parse_pairs(pairs, what="annotation"),
    )


def read_spec(file: Path) -> Spec:
    """Read a spec from its file.

    Raises:
        SpecError: the file cannot be read, or is not a spec.
    """
    # from-args reads no file, and so needs no YAML.
    from oci_merge import parse_spec
    from oci_merge_cli.options.yaml_file import read_yaml

    text = read_yaml(file, "spec", most=_MOST_BYTES)
    return parse_spec(text, name=str(file))


def run(
    spec: Callable[[], Spec],
    list_type: ListType,
    options: PushOptions,
    trust: TrustOptions,
    files: FileOptions,
    access: SourcesAccess,
) -> None:
    """Push the images of a spec, and write the digest of the index.

    Args:
        spec: returns the spec; its errors are reported.
        list_type: the kind of index.
        options: how to push it.
        trust: what is signed, and whose signatures the images must have.
        files: where to write what the next job needs.
        access: how to reach the registries.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """
    tags = TagWatch()
    lines = Lines()
    access = access.with_empty_left_out()
    with reported(usage_status=1, debug=access.debug, tags=tags), logged(debug=access.debug):
        access.warn(lines.warn)
        made = spec()
        check_outputs(files)
        keywords = {**trust_keywords(trust), **merge_keywords(access)}
        result = runner.run(
            lambda: push_async(
                made,
                list_type=list_type,
                ignore_missing=options.ignore_missing,
                platform_check=options.platform_check,
                copy_layers=options.copy_layers,
                on_event=_listener(tags, lines, copies=options.copy_layers),
                **keywords,
            )
        )
        write_outputs(result, files, lines.warn)
        write(digest_line(result))


def _listener(tags: TagWatch, lines: Lines, *, copies: bool) -> Callable[[Event], None]:
    # Configs are copied even without --copy-layers, and are not worth a line.
    shown = (Warned, Retrying, BlobCopied) if copies else (Warned, Retrying)

    def listen(event: Event) -> None:
        tags.note(event)
        if isinstance(event, shown):
            lines.show(event)

    return listen
