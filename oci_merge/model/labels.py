"""Reads what an image's config says of the image: its labels and when it was made.

OCI image spec, "Image Configuration": ``config.Labels`` and ``created``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from pydantic_core import from_json

from oci_merge._frozen import frozen
from oci_merge._text import printable
from oci_merge.errors import ManifestError


@frozen
class ImageLabels:
    """What an image's config says of the image.

    Attributes:
        values: its labels.
        created: when it was made, as it is written there; empty if it is not said.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    created: str = ""


def parse_labels(content: bytes, *, what: str) -> ImageLabels:
    """Parse the labels out of an image's config.

    Args:
        content: the config's bytes.
        what: names the image in errors.

    Raises:
        ManifestError: it is not JSON, or the labels are not a mapping of texts.
    """
    try:
        # It bounds how deep the document may be nested, which json does not.
        document = from_json(content)
    except ValueError as error:
        raise ManifestError(
            f"the config of {what} cannot be read: {printable(str(error))}"
        ) from None
    config = document.get("config") if isinstance(document, dict) else None
    labels = config.get("Labels") if isinstance(config, dict) else None
    # A null is read as an empty value, as Go reads it.
    labels = {} if labels is None else labels
    if isinstance(labels, dict):
        labels = {key: "" if value is None else value for key, value in labels.items()}
    if not isinstance(labels, dict) or not all(isinstance(one, str) for one in labels.values()):
        raise ManifestError(
            f"the config of {what} cannot be read at config.Labels: it is no mapping of texts",
            hint="build the image again with a current builder",
        )
    created = document.get("created") if isinstance(document, dict) else None
    return ImageLabels(labels, created if isinstance(created, str) else "")
