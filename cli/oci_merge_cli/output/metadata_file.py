"""Writes the metadata file of buildx."""

from __future__ import annotations

import json
from typing import Any

from oci_merge import MergeResult
from oci_merge_cli.output.published import published


def metadata(result: MergeResult) -> dict[str, Any]:
    """Return what buildx writes about a published image.

    ``buildx build --metadata-file`` has all of these keys, and names the image with each of its
    tags; ``buildx imagetools create --metadata-file`` has no ``containerimage.digest``.
    """
    return {
        "containerimage.descriptor": {
            "mediaType": result.media_type,
            "digest": result.digest,
            "size": result.size,
        },
        "containerimage.digest": result.digest,
        "image.name": ",".join(published(result).tags),
    }


def metadata_text(result: MergeResult) -> str:
    """Return buildx's metadata file about a published image, as indented JSON."""
    return json.dumps(metadata(result), indent=2) + "\n"
