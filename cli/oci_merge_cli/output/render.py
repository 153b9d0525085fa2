"""Renders results as text for stdout. Text from a registry is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from oci_merge import (
    InspectedImage,
    Inspection,
    MergeResult,
    Plan,
    Platform,
    TagResult,
    TargetResult,
)
from oci_merge_cli.output.escape import printable

#: The media types whose contents manifest-tool shows.
IMAGE_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
#: Behind the type of an entry that the registry does not have.
_MISSING_MARK = " (missing)"
_ATTESTATION_MARK = " (vnd.docker.reference.type=attestation-manifest)"

#: A heading, and the rows below it.
_Section = tuple[str, list[tuple[str, ...]]]


def digest_line(result: MergeResult) -> str:
    """Return the line that manifest-tool prints for a pushed index."""
    return f"Digest: {result.digest} {result.size}\n"


def plan_text(result: MergeResult, width: int | None = None) -> str:
    """Return the plan of a dry run; its last line is the digest line.

    Args:
        result: the plan.
        width: the columns of the terminal; None for no limit.
    """
    images: list[tuple[str, ...]] = [
        (str(image.platform), image.digest, f"from {image.source}") for image in result.platforms
    ]
    sections: list[_Section] = [(f"Index of {result.target}: {result.media_type}", images)]
    for target in result.targets:
        # What is brought into which repository is only in question where there are several.
        into = f" into {target.reference}" if len(result.targets) > 1 else ""
        sections += _target_sections(target, into)
    plan = result.plan
    if plan.manner.delete_sources:
        moved = {
            target.plan.target.with_tag(tag.name)
            for target in result.targets
            for tag in target.tags
        }
        tags = [
            source.reference
            for source in plan.sources
            if not source.reference.digest and source.reference not in moved
        ]
        sections.append(("Tags to delete then", [(str(tag),) for tag in tags]))
    lines: list[str] = []
    for heading, rows in sections:
        lines += [heading, *_section_rows(rows, width), ""]
    return "\n".join(lines) + "\n" + digest_line(result)


def _section_rows(rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Return the rows of a section; where one is wider than the terminal, a line for each cell."""
    lines = [f"  {line}" for line in aligned(rows) or ["none"]]
    if width is None or max(map(len, lines)) <= width:
        return lines
    return [
        line
        for first, *others in rows
        for line in (
            _fitted(printable(first), 2, width),
            *(_fitted(printable(cell), 4, width) for cell in others),
        )
    ]


def _fitted(cell: str, indent: int, width: int) -> str:
    """Return a cell as a line, indented as far as it fits: what is longer is whole to be copied."""
    return " " * max(0, min(indent, width - len(cell))) + cell


def _target_sections(target: TargetResult, into: str) -> list[_Section]:
    transfers = target.plan.transfers
    return [
        (
            f"Blobs to mount{into}",
            [
                (mount.digest, f"{mount.size} bytes", f"from {mount.source}")
                for mount in transfers.mounts
            ],
        ),
        (
            f"Blobs to copy{into}",
            [
                (copy.digest, f"{copy.size} bytes", f"from {copy.registry}/{copy.source}")
                for copy in transfers.copies
            ],
        ),
        (
            f"Manifests to put{into}",
            [
                (child.manifest.digest, f"{child.manifest.size} bytes", f"from {child.source}")
                for child in transfers.children
            ],
        ),
        (
            f"Tags{into.replace('into', 'of')}",
            [(tag.name, _tag_state(tag, target.plan)) for tag in target.tags],
        ),
    ]


def _tag_state(tag: TagResult, plan: Plan) -> str:
    """Return what becomes of a tag, in words."""
    if tag.kept:
        return f"kept: {plan.kept[tag.name]}"
    if tag.changed:
        return "to move"
    return "unchanged, to put again" if plan.force else "unchanged"


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return rows as lines with aligned columns."""
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in shown
    ]


def table(heading: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Return rows as lines of a table, or where that is wider than the terminal, as blocks.

    Args:
        heading: the names of the columns.
        rows: the cells of each row.
        width: the columns of the terminal; None for no limit.
    """
    lines = aligned([heading, *rows])
    if width is None or max(map(len, lines)) <= width:
        return lines
    return [line for row in rows for line in _block(heading, row, width)]


def _block(heading: Sequence[str], row: Sequence[str], width: int) -> Iterator[str]:
    """Yield the first cell of a row, and below it the others with the names of their columns."""
    yield printable(row[0])
    longest = max(map(len, heading[1:]))
    for name, cell in zip(heading[1:], map(printable, row[1:]), strict=True):
        line = f"  {name.ljust(longest)}  {cell}"
        if not cell:
            continue
        if len(line) <= width:
            yield line
        else:
            # What is longer than a line, such as a digest, is whole for who copies it from here.
            yield f"  {name}"
            yield f"    {cell}" if len(cell) + 4 <= width else cell


def inspection_table(found: Inspection, width: int | None = None) -> str:
    """Return an image, or the entries of an index, as a table that fits the terminal.

    Args:
        found: the image or the index.
        width: the columns of the terminal; None for no limit.
    """
    heading = ("PLATFORM", "DIGEST", "SIZE", "MEDIA TYPE", "ATTESTATION OF")
    rows = [
        (
            str(image.platform) or "-",
            image.digest,
            str(image.size),
            image.media_type + (_MISSING_MARK if image.is_missing else ""),
            image.attests,
        )
        for image in found.images
    ]
    return "\n".join(table(heading, rows, width)) + "\n"


def inspection_text(found: Inspection) -> str:
    """Return the text of manifest-tool for an image or an index, byte for byte."""
    lines = _index_lines(found) if found.is_index else _image_lines(found)
    return "".join(f"{line}\n" for line in lines)


def _image_lines(found: Inspection) -> Iterator[str]:
    image = found.images[0]
    yield f"Name: {printable(found.reference)} (Type: {printable(found.media_type)})"
    yield f"      Digest: {found.digest}"
    yield f"        Size: {found.size}"
    yield f"          OS: {printable(image.platform.os)}"
    yield f"        Arch: {printable(image.platform.architecture)}"
    yield f"    # Layers: {len(image.layers)}"
    for number, layer in enumerate(image.layers, 1):
        yield f"      layer {number:02}: digest = {printable(layer.digest)}"


def _index_lines(found: Inspection) -> Iterator[str]:
    attestations = sum(image.is_attestation for image in found.images)
    images = _counted(len(found.images) - attestations, "image")
    yield f"Name:   {printable(found.reference)} (Type: {printable(found.media_type)})"
    yield f"Digest: {found.digest}"
    yield (
        f" * Contains {len(found.images)} manifest references "
        f"({images}, {_counted(attestations, 'attestation')}):"
    )
    for number, image in enumerate(found.images, 1):
        yield from _entry_lines(f"[{number}]", image)


def _entry_lines(label: str, image: InspectedImage) -> Iterator[str]:
    mark = _ATTESTATION_MARK if image.is_attestation else ""
    mark += _MISSING_MARK if image.is_missing else ""
    yield f"{label}     Type: {printable(image.media_type)}{mark}"
    yield f"{label}   Digest: {printable(image.digest)}"
    yield f"{label}   Length: {image.size}"
    if image.media_type not in IMAGE_TYPES:
        yield f"Unknown media type for further display: {printable(image.media_type)}"
        return
    if image.is_attestation:
        yield f"{label}       >>> Attestation for digest: {printable(image.attests)}"
    else:
        yield f"{label} Platform:"
        yield from (f"{label}    - {line}" for line in _platform_lines(image.platform))
        if not image.is_missing:
            yield f"{label} # Layers: {len(image.layers)}"
        for number, layer in enumerate(image.layers, 1):
            yield f"     layer {number:02}: digest = {printable(layer.digest)}"
            yield f"                 type = {printable(layer.media_type)}"
    yield ""


def _platform_lines(platform: Platform) -> Iterator[str]:
    if not platform.os and not platform.architecture:
        yield "     (no platform specified)"
        return
    yield f"     OS: {printable(platform.os)}"
    if platform.os_version:
        yield f"OS Vers: {printable(platform.os_version)}"
    if platform.os_features:
        yield f"OS Feat: [{printable(' '.join(platform.os_features))}]"
    yield f"   Arch: {printable(platform.architecture)}"
    if platform.variant:
        yield f"Variant: {printable(platform.variant)}"


def _counted(count: int, noun: str) -> str:
    """Return a count with its noun in manifest-tool's plural: ``0 image``, ``2 images``."""
    return f"{count} {noun}{'s' if count > 1 else ''}"
