"""Decides which annotations of the source indexes the new index keeps. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oci_merge._text import listed, printable
from oci_merge.planning.job import Job


def keep_annotations(
    job: Job, indexes: Sequence[Mapping[str, str]]
) -> tuple[Mapping[str, str], str]:
    """Return the annotations of the new index (OCI image spec, "Annotations").

    The annotations of a single source index are kept; of several, those on which all agree.
    Sources that are single images have none for an index, and are not asked. Those that the user
    gives win.

    Args:
        job: the job.
        indexes: the annotations of each source that is an index.

    Returns:
        The annotations, and a warning that names what was left out, or an empty string.
    """
    # manifest-tool keeps none, and its bytes are promised.
    if job.as_written or not indexes:
        return job.annotations, ""
    keys = dict.fromkeys(key for annotations in indexes for key in annotations)
    first = indexes[0]
    agreed = {
        key: first[key]
        for key in keys
        if key in first and all(other.get(key) == first[key] for other in indexes)
    }
    if job.format == "docker":
        agreed = {}
    left_out = [printable(key) for key in keys if key not in agreed and key not in job.annotations]
    reason = (
        "a Docker manifest list carries none"
        if job.format == "docker"
        else "the source indexes do not agree on it"
    )
    warning = (
        f"left out of the index: annotation {listed(left_out)}, since {reason}" if left_out else ""
    )
    return {**agreed, **job.annotations}, warning
