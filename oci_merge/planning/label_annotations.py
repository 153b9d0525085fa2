"""Makes annotations of an index from the labels of its images. Pure.

OCI image spec, "Annotations" and "Back-compatibility with Label Schema".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oci_merge._text import listed, printable
from oci_merge.errors import UsageError
from oci_merge.options import ListFormat
from oci_merge.planning.component import Component
from oci_merge.planning.job import NO_ANNOTATIONS, NO_ANNOTATIONS_HINT

_PREFIX = "org.opencontainers.image."
#: What is said of one image alone, or of what it was made from: builders leave ``ref.name`` of the
#: base image in the labels, and the digest of a base image is another one for each platform.
_NOT_OF_INDEXES = frozenset(
    {f"{_PREFIX}{name}" for name in ("ref.name", "base.name", "base.digest")}
)
#: Longer values are no descriptions; registries take few megabytes for the whole index.
_LONGEST = 8192
#: How many labels the warning names.
_SHOWN = 8


def check_label_annotations(list_format: ListFormat, *, append: bool) -> None:
    """Refuse to annotate an index from labels where it has no annotations, or most are not read.

    Args:
        list_format: the kind of index.
        append: whether images are added to an index that exists.

    Raises:
        UsageError: it is a Docker manifest list, or images are added to it.
    """
    if list_format == "docker":
        raise UsageError(NO_ANNOTATIONS, hint=NO_ANNOTATIONS_HINT)
    if append:
        raise UsageError(
            "annotations from labels are those on which all images agree, and with append "
            "the labels of the images that stay are not read",
            hint="name the annotations with --annotation, or join all images without --append",
        )


def add_labels(
    annotations: Mapping[str, str], components: Sequence[Component]
) -> tuple[Mapping[str, str], str]:
    """Return annotations with the labels on which all images agree.

    Args:
        annotations: the annotations that the index has anyway; they win.
        components: the images and their companions, read with their labels.

    Returns:
        The annotations, and a warning that names the labels that were left out, or an empty string.
    """
    images = [
        component.labels.values if component.labels else {}
        for component in components
        if component.is_image
    ]
    keys = dict.fromkeys(
        key
        for labels in images
        for key, value in labels.items()
        if key.startswith(_PREFIX) and value and key not in _NOT_OF_INDEXES
    )
    agreed = {
        key: images[0][key]
        for key in keys
        if all(labels.get(key) == images[0].get(key) for labels in images)
    }
    long = [
        key for key, value in agreed.items() if len(value) > _LONGEST and key not in annotations
    ]
    differing = [key for key in keys if key not in agreed and key not in annotations]
    parts = [
        f"{_named(left_out)}, {reason}"
        for left_out, reason in (
            (differing, "since the images do not agree on it"),
            (long, f"since it has more than {_LONGEST} characters"),
        )
        if left_out
    ]
    kept = {key: value for key, value in agreed.items() if key not in long}
    return {**kept, **annotations}, f"left out of the index: {'; '.join(parts)}" if parts else ""


def _named(keys: list[str]) -> str:
    """Return the first few labels, in words."""
    more = len(keys) - _SHOWN
    shown = [printable(key, limit=80) for key in keys[:_SHOWN]]
    return f"label {listed([*shown, f'{more} more'] if more > 0 else shown)}"
