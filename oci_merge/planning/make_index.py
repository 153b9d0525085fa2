"""Makes the index that a job asks for, of components whose platforms are decided. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from oci_merge.model.index import IndexDocument, IndexEntry
from oci_merge.model.platform import Platform
from oci_merge.planning.annotations import EntryAnnotation
from oci_merge.planning.component import Component
from oci_merge.planning.index_annotations import keep_annotations
from oci_merge.planning.job import Job
from oci_merge.planning.plan import plan_index


def make_index(
    job: Job,
    platforms: Sequence[tuple[Component, Platform]],
    source_annotations: Sequence[Mapping[str, str]],
    subject: IndexEntry | None,
    warn: Callable[[str], object],
) -> IndexDocument:
    """Make the index of a job.

    Args:
        job: the job.
        platforms: the components, each with the platform to publish.
        source_annotations: the annotations of each source that is an index.
        subject: the manifest that the index refers to.
        warn: called with a sentence for what was left out.

    Raises:
        PlanError: as ``plan_index`` does.
    """
    annotations, left_out = keep_annotations(job, source_annotations)
    if left_out:
        warn(left_out)
    if job.annotations_from_labels:
        from oci_merge.planning.label_annotations import add_labels  # most jobs add none

        components = [component for component, _ in platforms]
        annotations, left_out = add_labels(annotations, components)
        if left_out:
            warn(left_out)
    list_format = job.format
    # A source index that has annotations is an OCI index, whatever it lists.
    if list_format == "auto" and annotations != job.annotations:
        list_format = "oci"
    return plan_index(
        platforms,
        list_format=list_format,
        annotations=annotations,
        entry_annotations=_entry_annotations(job, platforms),
        as_written=job.as_written,
        artifact_type=job.artifact_type,
        subject=subject,
    )


def _entry_annotations(
    job: Job, platforms: Sequence[tuple[Component, Platform]]
) -> Sequence[EntryAnnotation]:
    """Return the annotations of entries, but for those of platforms that were left out."""
    if not job.optional:
        return job.entry_annotations
    from oci_merge.planning.optional import without_left_out  # most jobs have none

    published = [platform for _, platform in platforms]
    return without_left_out(job.entry_annotations, job.optional, published)
