"""Checks everything that is asked for, as far as it can be checked before the first request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from oci_merge import _keywords as take
from oci_merge._text import has_controls, printable
from oci_merge.errors import (
    InvalidPlatformError,
    InvalidReferenceError,
    UsageError,
)
from oci_merge.model.digest import is_bare_digest
from oci_merge.model.platform import (
    Platform,
    agrees,
    normalize,
    parse_platform,
    says_variant,
    unknown_platform,
)
from oci_merge.model.reference import Reference, parse_reference
from oci_merge.model.slips import several_hint
from oci_merge.options import ListFormat, MergeKeywords, PushKeywords
from oci_merge.planning.annotations import Annotations, index_annotations, parse_annotations
from oci_merge.planning.job import (
    NO_ANNOTATIONS,
    NO_ANNOTATIONS_HINT,
    Candidate,
    Job,
    Safety,
    Source,
    Target,
)
from oci_merge.planning.spec import Spec, SpecImage
from oci_merge.planning.targets import moved_sources, parse_targets
from oci_merge.planning.template import candidates, expand

if TYPE_CHECKING:
    from oci_merge.planning.builder_output import BuiltImage

_ALIAS_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


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
    sources, looked_for = _components(target, asked, built)
    references = [source.reference for source in sources]
    references += [candidate.reference for candidate in looked_for]
    targets = _targets(target, asked)
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


def _targets(target: str | Reference | None, asked: MergeKeywords) -> tuple[Target, ...]:
    return parse_targets(
        target, cast("tuple[str, ...]", asked["targets"]), [str(tag) for tag in asked["tags"]]
    )


def _components(
    target: str | Reference | None, asked: MergeKeywords, built: Sequence[BuiltImage]
) -> tuple[tuple[Source, ...], tuple[Candidate, ...]]:
    """Return the images to join, or where to look for them."""
    template, aliases = asked["template"], asked["arch_aliases"] or {}
    # What the check of the keyword makes of each: the reference, and the platform beside it.
    sources = cast("tuple[tuple[str, str | Platform | None], ...]", asked["sources"])
    platforms = tuple(asked["platforms"])
    _check_aliases(aliases)
    if (template is None) == (not sources and not asked["source_files"]):
        raise UsageError(
            "the images to join are named either by a template or by sources",
            hint="give --template reg.example/app-ARCH:1.0, or --source once for each image",
        )
    if template is not None and asked["source_repository"] is not None:
        raise UsageError(
            "a source repository goes with images of which only the digest is known",
            hint="leave out --source-repository, or give --source or --source-file for --template",
        )
    repository = _source_repository(asked)
    optional = tuple(check_platform(platform) for platform in asked["optional"])
    parsed = _with_optional(tuple(check_platform(platform) for platform in platforms), optional)
    _check_distinct(parsed)
    if template is None:
        if aliases:
            raise UsageError(
                "architecture aliases go with a template",
                hint="leave out --arch-alias, or use --template",
            )
        named = [_source(*source, among=parsed, repository=repository) for source in sources]
        if built:
            targets = [each.reference for each in _targets(target, asked)]
            named += _built_sources(built, repository, targets, among=parsed)
        return _mark_optional(named, parsed, optional), ()
    if not parsed:
        _check_known_names(asked)
        return (), candidates(template, aliases)
    expanded = [Source(expand(template, platform, aliases), platform) for platform in parsed]
    return _mark_optional(expanded, (), optional), ()


def _with_optional(
    platforms: tuple[Platform, ...], optional: tuple[Platform, ...]
) -> tuple[Platform, ...]:
    if not optional:
        return platforms
    from oci_merge.planning.optional import with_optional  # not used by most merges

    return with_optional(platforms, optional)


def _mark_optional(
    sources: Sequence[Source], among: tuple[Platform, ...], optional: tuple[Platform, ...]
) -> tuple[Source, ...]:
    if not optional:
        return tuple(sources)
    from oci_merge.planning.optional import mark_optional

    return mark_optional(sources, among, optional)


def _check_known_names(asked: MergeKeywords) -> None:
    """Refuse what makes no sense where the images are looked for.

    Raises:
        UsageError: optional platforms, or a time to wait, are given.
    """
    if asked["optional"]:
        raise UsageError(
            "--optional is given, but the platforms are looked for, and so all are optional",
            hint="name those that have to be there with --platforms",
        )
    if asked["wait"] is not None:
        raise UsageError(
            "--wait is given, but the platforms are looked for: for which images is not known",
            hint="name the platforms to wait for with --platforms",
        )


def _source_repository(asked: MergeKeywords) -> Reference | None:
    if asked["source_repository"] is None:
        return None
    from oci_merge.planning.builder_output import parse_repository  # not used by most merges

    return parse_repository(str(asked["source_repository"]))


def _built_sources(
    built: Sequence[BuiltImage],
    repository: Reference | None,
    targets: Sequence[Reference],
    *,
    among: tuple[Platform, ...],
) -> tuple[Source, ...]:
    """Return the sources that files of builders name."""
    from oci_merge.planning.builder_output import locate

    return tuple(
        Source(locate(image, repository, targets), among=among, origin=image.origin)
        for image in built
    )


def _source_reference(image: str, repository: Reference | None) -> Reference:
    if not is_bare_digest(image):
        return parse_reference(image)
    from oci_merge.planning.builder_output import in_repository

    return in_repository(image, repository)


def _source(
    image: str,
    platform: str | Platform | None,
    *,
    among: tuple[Platform, ...],
    repository: Reference | None,
) -> Source:
    """Return a source that was named, with the platform that was given for it.

    Args:
        image: its reference, perhaps with ``=PLATFORM``.
        platform: the platform where it is given beside the reference.
        among: the platforms that are selected.
        repository: where the image is if its reference is a digest alone.

    Raises:
        UsageError: a name or the platform is not valid, or not among those that are selected.
    """
    # Neither names nor digests have an equals sign.
    name, equals, words = image.rpartition("=") if platform is None else (image, "", "")
    whole = image
    if equals:
        image, platform = name, words
    try:
        reference = _source_reference(image, repository)
        asked = None if platform is None else check_platform(platform)
    except UsageError as error:
        error.hint = several_hint(whole) or error.hint
        raise
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
