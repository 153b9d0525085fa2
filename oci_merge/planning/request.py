"""Checks everything that is asked for, as far as it can be checked before the first request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from oci_merge import _keywords as take
from oci_merge._text import has_controls, printable
from oci_merge.errors import (
    InvalidPlatformError,
    InvalidReferenceError,
    UsageError,
)
from oci_merge.model.platform import (
    Platform,
    agrees,
    normalize,
    parse_platform,
    says_variant,
    unknown_platform,
)
from oci_merge.model.reference import Reference, parse_reference
from oci_merge.options import ListFormat, MergeKeywords, PushKeywords
from oci_merge.planning.annotations import index_annotations
from oci_merge.planning.job import (
    NO_ANNOTATIONS,
    NO_ANNOTATIONS_HINT,
    Candidate,
    Job,
    Safety,
    Source,
)
from oci_merge.planning.spec import Spec, SpecImage
from oci_merge.planning.targets import moved_sources, parse_targets
from oci_merge.planning.template import candidates, expand

_ALIAS_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def merge_job(target: str | Reference | None, asked: MergeKeywords) -> Job:
    """Check every name, tag, platform and annotation of a merge.

    Args:
        target: the tag to publish, for example ``reg.example/app:latest``; None where the keyword
            ``targets`` has them all.
        asked: the keywords of the merge, from ``checked``.

    Raises:
        UsageError: something is wrong; the error says what and what to do.
    """
    sources, looked_for = _components(asked)
    references = [source.reference for source in sources]
    references += [candidate.reference for candidate in looked_for]
    job = Job(
        targets=parse_targets(
            target, cast("tuple[str, ...]", asked["targets"]), [str(tag) for tag in asked["tags"]]
        ),
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
        warnings=_untagged(asked["template"], references),
        optional=tuple(check_platform(platform) for platform in asked["optional"]),
        wait=asked["wait"] or 0,
        attestations=asked["attestations"],
        referrers=asked["referrers"],
        annotations_from_labels=asked["annotations_from_labels"],
        artifact_type=asked["artifact_type"] or "",
        subject=parse_reference(asked["subject"]) if asked["subject"] else None,
        append=asked["append"],
        verify=asked["verify"] or asked["delete_sources"],
        delete_sources=asked["delete_sources"],
        safety=_safety(asked),
    )
    if job.delete_sources:
        from oci_merge.planning.cleaning import check_deletable  # few runs need it

        check_deletable([target.reference for target in job.targets], job.references)
    return _checked(job)


def _safety(asked: MergeKeywords) -> Safety:
    return Safety(
        require=tuple(check_platform(platform) for platform in asked["require"]),
        require_same=tuple(asked["require_same"]),
        no_shrink=asked["no_shrink"],
        only_newer=asked["only_newer"] or "",
        force=asked["force"],
    )


def spec_job(spec: Spec, asked: PushKeywords) -> Job:
    """Check every name, tag, platform and annotation of a spec.

    Its platforms are published as they are written. Unlike in a merge, an image without a tag
    is an error, as it is for manifest-tool.

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
    )
    return _checked(job)


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
    annotations = index_annotations(job.annotations)
    _check_annotations(annotations, job.format)
    if not job.copy_layers:
        _check_one_registry(job.target, job.references)
        _check_one_registry(job.target, [target.reference for target in job.targets])
    asked = dict.fromkeys(source.platform for source in job.sources if source.platform)
    _check_texts(asked)
    unknown = tuple(warning for platform in asked if (warning := unknown_platform(platform)))
    job = replace(job, annotations=annotations, warnings=(*job.warnings, *unknown))
    moved = moved_sources(job, [source.reference for source in job.sources])
    return replace(job, warnings=(*job.warnings, *moved))


def _components(asked: MergeKeywords) -> tuple[tuple[Source, ...], tuple[Candidate, ...]]:
    """Return the images to join, or where to look for them."""
    template, aliases = asked["template"], asked["arch_aliases"] or {}
    # What the check of the keyword makes of each: the reference, and the platform beside it.
    sources = cast("tuple[tuple[str, str | Platform | None], ...]", asked["sources"])
    platforms = tuple(asked["platforms"])
    _check_aliases(aliases)
    if (template is None) == (not sources):
        raise UsageError(
            "the images to join are named either by a template or by sources",
            hint="give --template reg.example/app-ARCH:1.0, or --source once for each image",
        )
    parsed = [check_platform(platform) for platform in platforms]
    _check_distinct(parsed)
    if template is None:
        if aliases:
            raise UsageError(
                "architecture aliases go with a template",
                hint="leave out --arch-alias, or use --template",
            )
        return tuple(_source(*source, among=tuple(parsed)) for source in sources), ()
    if not parsed:
        return (), candidates(template, aliases)
    return tuple(Source(expand(template, platform, aliases), platform) for platform in parsed), ()


def _source(image: str, platform: str | Platform | None, *, among: tuple[Platform, ...]) -> Source:
    """Return a source that was named, with the platform that was given for it.

    Args:
        image: its reference, perhaps with ``=PLATFORM``.
        platform: the platform where it is given beside the reference.
        among: the platforms that are selected.

    Raises:
        UsageError: a name or the platform is not valid, or not among those that are selected.
    """
    # Neither names nor digests have an equals sign.
    name, equals, words = image.rpartition("=") if platform is None else (image, "", "")
    if equals:
        image, platform = name, words
    reference = parse_reference(image)
    asked = None if platform is None else check_platform(platform)
    if asked and among and not any(agrees(wanted, asked) for wanted in among):
        raise UsageError(
            f"the source {reference} is said to be {asked}, which is not among the platforms",
            hint="leave the source out, or add its platform to --platforms",
        )
    return Source(reference, asked, among=among)


def check_platform(platform: str | Platform) -> Platform:
    """Parse a platform; one that is a value already has to be one that could be parsed."""
    if isinstance(platform, str):
        return parse_platform(platform)
    parts = (platform.os, platform.architecture, platform.variant)
    parsed = parse_platform("/".join(parts if platform.variant else parts[:2]))
    if (parsed.os, parsed.architecture, parsed.variant) != parts:
        raise InvalidPlatformError(
            f"{printable(str(platform))!r} is not a platform",
            hint="os, architecture and variant are a word each",
        )
    return platform


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


def _check_distinct(platforms: Sequence[Platform]) -> None:
    first: dict[tuple[Platform, bool], Platform] = {}
    for platform in platforms:
        # linux/arm64 may yet be filled from a config; linux/arm64/v8 and linux/aarch64/8 may not.
        other = first.setdefault((normalize(platform), says_variant(platform)), platform)
        if other is not platform:
            also = "" if other == platform else f", also as {other}"
            raise UsageError(f"the platform {platform} is asked for twice{also}")


def _check_aliases(aliases: Mapping[str, str]) -> None:
    for name, alias in aliases.items():
        if not _ALIAS_NAME.fullmatch(name) or not _ALIAS_NAME.fullmatch(alias):
            raise UsageError(
                f"the architecture alias {printable(f'{name}={alias}')!r} is not a pair of names",
                hint="write it like amd64=x86_64",
            )


def _check_annotations(annotations: Mapping[str, str], list_format: ListFormat) -> None:
    if annotations and list_format == "docker":
        raise UsageError(NO_ANNOTATIONS, hint=NO_ANNOTATIONS_HINT)


def _untagged(template: str | None, references: Sequence[Reference]) -> tuple[str, ...]:
    untagged = [str(name) for name in references if not name.tag and not name.digest]
    if untagged and template is not None:
        untagged = [template]  # once, and not for every image that may not even be there
    return tuple(f"{name} has no tag; latest is used" for name in untagged)


def _with_default_tag(reference: Reference) -> Reference:
    return reference if reference.tag or reference.digest else reference.with_tag("latest")
