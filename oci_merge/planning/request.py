"""Checks everything that is asked for, as far as it can be checked before the first request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from oci_merge import _keywords as take
from oci_merge._text import has_controls, printable
from oci_merge.errors import (
    InvalidPlatformError,
    InvalidReferenceError,
    UsageError,
)
from oci_merge.model.platform import (
    Platform,
    unknown_platform,
)
from oci_merge.model.reference import Reference, parse_reference
from oci_merge.options import ListFormat, MergeKeywords, PushKeywords, TrustKeywords
from oci_merge.planning.annotations import Annotations, index_annotations, parse_annotations
from oci_merge.planning.job import (
    NO_ANNOTATIONS,
    NO_ANNOTATIONS_HINT,
    Job,
    Safety,
    Source,
    Target,
)
from oci_merge.planning.signing import check_keys, sign_wish
from oci_merge.planning.sources import check_platform, components
from oci_merge.planning.spec import Spec, SpecImage
from oci_merge.planning.targets import asked_targets, moved_sources, parse_targets

if TYPE_CHECKING:
    from oci_merge.planning.builder_output import BuiltImage


def merge_job(
    target: str | Reference | None, asked: MergeKeywords, built: Sequence[BuiltImage] = ()
) -> Job:
    """Check every name, tag, platform and annotation of a merge.

    Args:
        target: the tag to publish, for example ``reg.example/app:latest``; None where the keyword
            ``targets`` has them all.
        asked: the keywords of the merge, from ``checked``.
        built: what the files of ``source_files`` name.

    Raises:
        UsageError: something is wrong; the error says what and what to do.
    """
    sources, looked_for = components(target, asked, built)
    references = [source.reference for source in sources]
    references += [candidate.reference for candidate in looked_for]
    targets = asked_targets(target, asked)
    job = Job(
        targets=targets,
        sources=tuple(
            replace(source, reference=_with_default_tag(source.reference)) for source in sources
        ),
        candidates=tuple(
            replace(candidate, reference=_with_default_tag(candidate.reference))
            for candidate in looked_for
        ),
        annotations=asked["annotations"] or {},
        format=asked["format"],
        platform_check=asked["platform_check"],
        copy_layers=asked["copy_layers"],
        warnings=(*_untagged(asked["template"], references), *_append_warnings(asked, targets)),
        optional=tuple(check_platform(platform) for platform in asked["optional"]),
        wait=asked["wait"] or 0,
        attestations=asked["attestations"],
        referrers=asked["referrers"],
        annotations_from_labels=asked["annotations_from_labels"],
        append=asked["append"],
        verify=asked["verify"] or asked["delete_sources"],
        delete_sources=asked["delete_sources"],
        safety=_safety(asked),
        **_trust(asked),
    )
    if job.delete_sources:
        from oci_merge.planning.cleaning import check_deletable  # few runs need it

        check_deletable([target.reference for target in job.targets], job.references)
    if asked["artifact_type"] is not None or asked["subject"] is not None:
        from oci_merge.planning.subject import check_artifact_type, check_subject

        job = replace(
            job,
            artifact_type=check_artifact_type(asked["artifact_type"], asked["format"]),
            subject=check_subject(asked["subject"], targets[0].reference, asked["format"]),
        )
    return _checked(job)


def _safety(asked: MergeKeywords) -> Safety:
    # An empty value is most likely a variable that is not set: without this, nothing is guarded.
    for name, labels in (
        ("require_same", asked["require_same"]),
        ("only_newer", [] if asked["only_newer"] is None else [asked["only_newer"]]),
    ):
        if any(not label.strip() or has_controls(label) for label in labels):
            raise UsageError(
                f"--{name.replace('_', '-')} ({name} in Python) has an empty value, "
                "or one that is no label",
                hint="name a label, such as org.opencontainers.image.revision, or leave it out",
            )
    return Safety(
        require=tuple(check_platform(platform) for platform in asked["require"]),
        require_same=tuple(label.strip() for label in asked["require_same"]),
        no_shrink=asked["no_shrink"],
        only_newer=(asked["only_newer"] or "").strip(),
        force=asked["force"],
    )


def spec_job(spec: Spec, asked: PushKeywords) -> Job:
    """Check every name, tag, platform and annotation of a spec.

    Its platforms are published as they are written, as far as clients find them so. Unlike in a
    merge, an image without a tag is an error, as it is for manifest-tool.

    Args:
        spec: the spec.
        asked: the keywords of the push, from ``checked``.

    Raises:
        UsageError: something is wrong; the error says what and what to do.
    """
    spec = _spec(spec)
    job = Job(
        targets=parse_targets(
            take.reference("spec.image", spec.image), (), _TAGS("spec.tags", spec.tags)
        ),
        sources=_SPEC_IMAGES("spec.manifests", spec.manifests),
        candidates=(),
        annotations=_ANNOTATIONS("spec.annotations", spec.annotations),
        format=asked["list_type"],
        platform_check=asked["platform_check"],
        warnings=_TEXTS("spec.warnings", spec.warnings),
        as_written=True,
        ignore_missing=asked["ignore_missing"],
        copy_layers=asked["copy_layers"],
        **_trust(asked),
    )
    return _checked(job)


def _trust(asked: TrustKeywords) -> dict[str, Any]:
    """Return what a job says of signatures."""
    return {
        "sign": sign_wish(asked),
        "verify_keys": check_keys("verify_keys", asked["verify_keys"]),
        "carry_signatures": asked["carry_signatures"],
        "provenance": asked["provenance"],
    }


def _spec(value: object) -> Spec:
    if isinstance(value, Spec):
        return value
    raise take.mistyped("spec", "a Spec", value, "make one with parse_spec or spec_from_template")


def _spec_image(name: str, value: object) -> Source:
    if not isinstance(value, SpecImage):
        raise take.mistyped(name, "a SpecImage", value, "make the spec with parse_spec")
    reference = parse_reference(take.reference(name, value.image))
    return Source(_check_tagged(reference), _spec_platform(name, value.platform))


def _spec_platform(name: str, value: object) -> Platform | None:
    if value is None:
        return None
    if not isinstance(value, Platform):
        raise take.mistyped(f"the platform of {name}", "a Platform", value, "write Platform(...)")
    take.platform(name, value)
    return value


_TAGS = take.several(take.tag)
_TEXTS = take.several(take.text)
_SPEC_IMAGES = take.several(_spec_image)
_ANNOTATIONS = take.pairs("annotation")


def _checked(job: Job) -> Job:
    """Check what merges and specs have in common, and add the warnings about it."""
    # manifest-tool's specs annotate the index alone.
    annotations = (
        Annotations(index_annotations(job.annotations))
        if job.as_written
        else parse_annotations(job.annotations)
    )
    _check_annotations(annotations, job.format)
    if job.annotations_from_labels:
        from oci_merge.planning.label_annotations import check_label_annotations  # most have none

        check_label_annotations(job.format, append=job.append)
    if not job.copy_layers:
        _check_one_registry(job.target, job.references)
        _check_one_registry(job.target, [target.reference for target in job.targets])
    asked = dict.fromkeys(source.platform for source in job.sources if source.platform)
    _check_texts(asked)
    unknown = tuple(warning for platform in asked if (warning := unknown_platform(platform)))
    job = replace(
        job,
        annotations=annotations.index,
        entry_annotations=annotations.entries,
        warnings=(*job.warnings, *unknown),
    )
    moved = moved_sources(job, [source.reference for source in job.sources])
    return replace(job, warnings=(*job.warnings, *moved))


def _check_tagged(reference: Reference) -> Reference:
    if not reference.tag and not reference.digest:
        raise InvalidReferenceError(
            f"the image {reference} has neither a tag nor a digest",
            hint=f"say which one to join, for example {reference}:latest",
        )
    return reference


def _check_one_registry(target: Reference, references: Sequence[Reference]) -> None:
    for reference in references:
        if reference.registry != target.registry:
            raise UsageError(
                f"{reference} is in the registry {reference.registry}, "
                f"but the target {target} is in {target.registry}",
                hint="blobs are mounted within one registry: copy them with --copy-layers "
                "(copy_layers=True in Python), or push the image there first",
            )


def _check_texts(platforms: Iterable[Platform]) -> None:
    """Refuse platforms with control characters. A spec's platforms are not checked further."""
    for platform in platforms:
        words = (platform.os, platform.architecture, platform.variant, platform.os_version)
        if any(has_controls(word) for word in (*words, *platform.os_features)):
            raise InvalidPlatformError(
                f"{printable(str(platform))!r} is not a platform",
                hint="it has control characters in it, or what is no text",
            )


def _check_annotations(annotations: Annotations, list_format: ListFormat) -> None:
    if (annotations.index or annotations.entries) and list_format == "docker":
        raise UsageError(NO_ANNOTATIONS, hint=NO_ANNOTATIONS_HINT)


def _untagged(template: str | None, references: Sequence[Reference]) -> tuple[str, ...]:
    untagged = [str(name) for name in references if not name.tag and not name.digest]
    if untagged and template is not None:
        untagged = [template]  # once, and not for every image that may not even be there
    return tuple(f"{name} has no tag; latest is used" for name in untagged)


def _append_warnings(asked: MergeKeywords, targets: Sequence[Target]) -> tuple[str, ...]:
    if not (asked["append"] and asked["referrers"] and len(targets) > 1):
        return ()
    return (
        "what refers to images that --append keeps is not brought to the other targets, "
        "but only what refers to the images to join",
    )


def _with_default_tag(reference: Reference) -> Reference:
    return reference if reference.tag or reference.digest else reference.with_tag("latest")
