"""What a run does once its tags have moved: verifies, and deletes tags of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from oci_merge.errors import OciMergeError, VerificationError
from oci_merge.events import Event, OnEvent, Warned
from oci_merge.http.deadline import Deadline
from oci_merge.operations.verify import Mismatch, Published, Verifier, not_shown
from oci_merge.planning.job import Job
from oci_merge.planning.result import MergeResult, TargetResult
from oci_merge.registry.client import Registries

#: Opens registries anew, with connections and logins of their own, for reading repositories.
OpenAnew = Callable[[Mapping[str, Sequence[str]], OnEvent], AbstractAsyncContextManager[Registries]]


async def finish(
    job: Job, result: MergeResult, anew: OpenAnew, deadline: Deadline, on_event: OnEvent
) -> MergeResult:
    """Verify what a run has published and, if the job says so, delete the tags of the images.

    Args:
        job: the job.
        result: what was published.
        anew: opens the registries by new connections.
        deadline: when the run has to be over.
        on_event: called with progress events and warnings.

    Returns:
        The result, with what was done and the warnings about it.

    Raises:
        VerificationError: a registry does not show what was published, or could not be read.
    """
    warnings: list[str] = []

    def emit(event: Event) -> None:
        if isinstance(event, Warned):
            if event.message in (*result.warnings, *warnings):
                return  # the registry says it on each connection
            warnings.append(event.message)
        on_event(event)

    repositories: dict[str, list[str]] = {}
    for target in result.targets:
        at = target.plan.target
        repositories.setdefault(at.registry, []).append(at.repository)
    async with anew(repositories, emit) as registries:
        await _verify(job, result, registries, deadline, emit)
    deleted: tuple[str, ...] = ()
    is_published = any(_moved_tags(target) for target in result.targets)
    if job.delete_sources and not is_published:
        emit(Warned("no tag of an image is deleted, since every tag of the target was kept"))
    elif job.delete_sources:
        from oci_merge.operations.delete_sources import delete_sources  # few runs need it

        for source in result.plan.sources:
            repositories.setdefault(source.reference.registry, []).append(
                source.reference.repository
            )
        async with anew(repositories, emit) as registries:
            deleted = await delete_sources(registries, result, deadline, emit)
    return replace(
        result, verified=is_published, deleted=deleted, warnings=(*result.warnings, *warnings)
    )


async def _verify(
    job: Job, result: MergeResult, registries: Registries, deadline: Deadline, emit: OnEvent
) -> None:
    published = [
        Published(target.plan.target, tags, target.plan.index, target.plan.standing)
        for target in result.targets
        if (tags := _moved_tags(target))
    ]
    if not published:
        return
    verifier = Verifier(registries, deadline, emit)
    try:
        absent = await verifier.run(published)
    except VerificationError:
        raise
    except OciMergeError as error:
        raise VerificationError(
            f"{result.target} is published as {result.digest}, but could not be verified: "
            f"{error.message}",
            digest=result.digest,
            hint=error.hint or "the tags have moved already; look at it with oci-merge inspect",
        ) from error
    if absent:
        raise not_shown(absent, result.target, result.digest)
    for mismatch in verifier.mismatches:
        if not _was_asked_for(job, result, mismatch):
            emit(Warned(str(mismatch)))


def _moved_tags(target: TargetResult) -> tuple[str, ...]:
    """Return the tags of a target that have to point to the index."""
    return tuple(tag.name for tag in target.tags if not tag.kept)


def _was_asked_for(job: Job, result: MergeResult, mismatch: Mismatch) -> bool:
    """Say whether the platform of an image was asked for; the run has warned of it then."""
    if job.platform_check == "off":
        return True
    asked = {str(one.reference) for one in job.sources if one.platform or one.named}
    asked |= {str(one.reference) for one in job.candidates}
    return any(
        image.digest == mismatch.digest and image.source in asked for image in result.platforms
    )
