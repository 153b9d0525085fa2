"""Batches: many images to merge, each checked before the first request of any. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from oci_merge import _keywords as take
from oci_merge._frozen import frozen
from oci_merge._keywords import check_names, checked
from oci_merge._text import printable
from oci_merge.errors import OciMergeError, UsageError
from oci_merge.model.reference import Reference
from oci_merge.options import MergeKeywords, PushKeywords
from oci_merge.planning.job import Job
from oci_merge.planning.request import merge_job, spec_job
from oci_merge.planning.shards import parse_shard, shard
from oci_merge.planning.spec import Spec

if TYPE_CHECKING:
    from oci_merge.planning.builder_output import BuiltImage

#: Reads what the files of ``source_files`` name, among the keywords of a merge.
ReadBuilt = Callable[[MergeKeywords], "Sequence[BuiltImage]"]
#: Keywords that are for a whole batch.
OF_A_BATCH = ("dry_run", "on_event")


@frozen(kw_only=True)
class BatchImage:
    """One image of a batch: what a merge or a push takes.

    Attributes:
        keywords: those of ``Client.merge`` with ``target``, but for ``dry_run`` and ``on_event``;
            with ``spec``, those of ``Client.push``.
        spec: a spec of manifest-tool, which is pushed by its rules.
        name: a name for messages and results; by default the target is it.
        place: where it was read, for example ``images.yml, line 7``.
    """

    keywords: Mapping[str, Any] = field(default_factory=dict)
    spec: Spec | None = None
    name: str = ""
    place: str = ""


@frozen
class BatchJob:
    """One image of a batch, whose every name has been checked.

    Attributes:
        name: its name, for messages and results.
        place: where it was read, or an empty string.
        job: what to do.
        is_spec: whether it is a spec of manifest-tool.
    """

    name: str
    place: str
    job: Job
    is_spec: bool

    @property
    def target(self) -> str:
        """The reference of its first target."""
        return str(self.job.target)


def batch_jobs(
    images: Iterable[BatchImage | Mapping[str, Any]],
    shard_text: str | None,
    read_built: ReadBuilt,
) -> Sequence[BatchJob]:
    """Check all images of a batch, and return those of a shard.

    Args:
        images: the images; a mapping has the keywords of a merge.
        shard_text: the shard as ``3/10``; None for all of them.
        read_built: reads the files of builders that an image names.

    Raises:
        UsageError: an image is wrong; or two publish one tag, or one joins what another publishes.
            The message names them.
    """
    number, total = (1, 1) if shard_text is None else parse_shard(shard_text)
    jobs = [_job(image, read_built) for image in _listed(images)]
    _check_apart(jobs)
    return shard(jobs, number, total)


def check_one_registry(jobs: Sequence[BatchJob]) -> None:
    """Check that a login that was given is for the registry of every target.

    Raises:
        UsageError: the images are published to several registries, and each would get the password.
    """
    names = list(dict.fromkeys(job.job.target.registry for job in jobs))
    if len(names) > 1:
        raise UsageError(
            f"one login is given, but the images are published to {len(names)} registries: "
            f"{names[0]}, {names[1]}{' and others' if len(names) > 2 else ''}",
            hint="leave the login out and use those of docker's config, or one file for each",
        )


def _listed(images: object) -> Iterable[BatchImage]:
    if isinstance(images, (str, bytes, Mapping)) or not isinstance(images, Iterable):
        hint = "give a list of images, or what parse_batch returns"
        raise take.mistyped("images", "a list of images", images, hint)
    for image in images:
        if isinstance(image, BatchImage):
            yield image
        elif isinstance(image, Mapping):
            name = image.get("name", "")
            keywords = {key: value for key, value in image.items() if key != "name"}
            yield BatchImage(keywords=keywords, name=take.text("the name of an image", name))
        else:
            hint = 'write {"target": "reg.example/app:1.0", "template": ...}'
            raise take.mistyped("each of images", "a mapping or a BatchImage", image, hint)


def _job(image: BatchImage, read_built: ReadBuilt) -> BatchJob:
    """Check one image, and read the files of builders that it names.

    Raises:
        UsageError: it is wrong; the message begins with where it stands.
    """
    try:
        if image.spec is not None:
            push = checked(PushKeywords, _known(PushKeywords, image.keywords))
            job = spec_job(image.spec, push)
        else:
            keywords = dict(image.keywords)
            target = keywords.pop("target", None)
            asked = checked(MergeKeywords, _known(MergeKeywords, keywords))
            job = merge_job(target, asked, read_built(asked))
    except UsageError as error:
        place = image.place or (f"the image {printable(image.name)}" if image.name else "")
        if not place:
            raise
        raise type(error)(f"{place}: {error.message}", hint=error.hint) from error
    name = image.name or str(job.target)
    return BatchJob(printable(name), image.place, job, image.spec is not None)


def _known(kind: type, keywords: Mapping[str, Any]) -> Mapping[str, Any]:
    check_names("an image of a batch", kind, keywords)
    for name in OF_A_BATCH:
        if name in keywords:
            raise UsageError(
                f"{name} is for a whole batch, and for no image of it", hint="give it beside images"
            )
    return keywords


def _cleaners(jobs: Sequence[BatchJob]) -> dict[Reference, BatchJob]:
    """Return the images whose tags are deleted, by the job that deletes them."""
    return {
        reference: job
        for job in jobs
        if job.job.delete_sources
        for reference in job.job.references
        if not reference.digest
    }


def _check_apart(jobs: Sequence[BatchJob]) -> None:
    """Check that no image gets in the way of another one, since they run side by side.

    Raises:
        UsageError: two publish one tag, or one joins what another one publishes, or deletes.
    """
    publishers: dict[Reference, BatchJob] = {}
    for job in jobs:
        for target in job.job.targets:
            for tag in target.tags:
                reference = target.reference.with_tag(tag)
                other = publishers.setdefault(reference, job)
                if other is not job:
                    raise _apart(other, job, f"both publish {reference}", "leave it out of one")
    cleaners = _cleaners(jobs)
    for job in jobs:
        for reference in job.job.references:
            cleaner = cleaners.get(reference, job)
            if cleaner is not job:
                raise _apart(
                    cleaner,
                    job,
                    f"are merged side by side, but the first deletes {reference}, "
                    "which the second joins",
                    "leave --delete-sources out of the first, or add its tags to the second",
                )
            publisher = None if reference.digest else publishers.get(reference)
            if publisher is not None and publisher is not job:
                raise _apart(
                    job,
                    publisher,
                    f"are merged side by side, but the first joins {reference}, "
                    "which the second publishes",
                    "put the first into a second file, or add its tags to the second",
                )


def _apart(one: BatchJob, other: BatchJob, said: str, hint: str) -> OciMergeError:
    first, second = (f"{job.name} ({job.place})" if job.place else job.name for job in (one, other))
    return UsageError(f"{first} and {second} {said}", hint=hint)
