"""What the user asks for, checked as far as it can be before the first request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

from oci_merge._text import printable
from oci_merge.errors import (
    InvalidPlatformError,
    InvalidReferenceError,
    UsageError,
)
from oci_merge.model.platform import (
    Platform,
    normalize,
    parse_platform,
    says_variant,
    unknown_platform,
)
from oci_merge.model.reference import Reference, check_tag, parse_reference
from oci_merge.planning.job import (
    NO_ANNOTATIONS,
    NO_ANNOTATIONS_HINT,
    Candidate,
    Job,
    ListFormat,
    PlatformCheck,
    Source,
)
from oci_merge.planning.spec import Spec
from oci_merge.planning.template import candidates, expand

_ALIAS_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRequest:
    """A merge as it is asked for, in words.

    Attributes:
        target: the tag to publish, for example ``reg.example/app:latest``.
        template: one reference for every platform, with ARCH, OS and VARIANT in it; or
        sources: the images themselves, by tag or digest.
        platforms: the platforms to put into the template; where there are none, the known
            platforms are looked for.
        tags: more tags to publish in the target's repository, as bare names.
        arch_aliases: architecture names that the template's images write otherwise.
        annotations: annotations of the index.
        format: the kind of index; ``auto`` makes a Docker list of Docker images and an OCI index
            of everything else.
        platform_check: what to do where an image's config contradicts the platform asked for.
        copy_layers: copy blobs that cannot be mounted; the images may be in other registries.
    """

    target: str
    template: str | None = None
    sources: Sequence[str] = ()
    platforms: Sequence[str] = ()
    tags: Sequence[str] = ()
    arch_aliases: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    format: ListFormat = "auto"
    platform_check: PlatformCheck = "warn"
    copy_layers: bool = False


def check_request(request: MergeRequest) -> Job:
    """Check every name, tag, platform and annotation of a request.

    Raises:
        UsageError: something is wrong; the error says what and what to do.
    """
    _check_lists(request)
    sources, looked_for = _components(request)
    references = [source.reference for source in sources]
    references += [candidate.reference for candidate in looked_for]
    job = Job(
        target=_check_target(request.target),
        tags=tuple(request.tags),
        sources=tuple(
            Source(_with_default_tag(source.reference), source.platform) for source in sources
        ),
        candidates=tuple(
            Candidate(_with_default_tag(candidate.reference), candidate.platforms)
            for candidate in looked_for
        ),
        annotations=dict(request.annotations),
        format=request.format,
        platform_check=request.platform_check,
        copy_layers=request.copy_layers,
        warnings=_untagged(request.template, references),
    )
    return _checked(job)


def check_spec(
    spec: Spec,
    *,
    format: ListFormat,
    platform_check: PlatformCheck,
    ignore_missing: bool,
    copy_layers: bool = False,
) -> Job:
    """Check every name, tag, platform and annotation of a spec.

    Its platforms are published as they are written. Unlike in a request, an image without a tag
    is an error, as it is for manifest-tool.

    Args:
        spec: the spec.
        format: ``docker`` or ``oci``.
        platform_check: what to do where an image's config contradicts the platform asked for.
        ignore_missing: leave out images that are not there.
        copy_layers: copy blobs that cannot be mounted; the images may be in other registries.

    Raises:
        UsageError: something is wrong; the error says what and what to do.
    """
    sources = tuple(
        Source(_check_tagged(parse_reference(entry.image)), entry.platform)
        for entry in spec.manifests
    )
    job = Job(
        target=_check_target(spec.image),
        tags=spec.tags,
        sources=sources,
        candidates=(),
        annotations=dict(spec.annotations),
        format=format,
        platform_check=platform_check,
        warnings=(),
        as_written=True,
        ignore_missing=ignore_missing,
        copy_layers=copy_layers,
    )
    return _checked(job)


def _checked(job: Job) -> Job:
    """Check what requests and specs have in common, and add what that has to warn of."""
    _check_choice("format", job.format, get_args(ListFormat))
    _check_choice("platform check", job.platform_check, get_args(PlatformCheck))
    _check_annotations(job.annotations, job.format)
    if not job.copy_layers:
        _check_one_registry(job.target, job.references)
    tags = dict.fromkeys([job.target.identifier, *(check_tag(tag) for tag in job.tags)])
    asked = dict.fromkeys(source.platform for source in job.sources if source.platform)
    _check_texts(asked)
    unknown = tuple(warning for platform in asked if (warning := unknown_platform(platform)))
    return replace(job, tags=tuple(tags), warnings=(*job.warnings, *unknown))


def split_pairs(text: str) -> list[str]:
    """Split ``key=value`` words at commas; a comma only divides where a ``=`` follows it.

    ``a=hello, world,b=2`` is ``a=hello, world`` and ``b=2``.
    """
    words: list[str] = []
    for piece in text.split(","):
        if words and "=" not in piece:
            words[-1] += f",{piece}"
        else:
            words.append(piece)
    return words


def parse_pairs(values: Iterable[str], *, what: str) -> dict[str, str]:
    """Parse ``key=value`` words; a value may itself contain ``=``.

    Args:
        values: the words.
        what: names them in the error, for example ``annotation``.

    Raises:
        UsageError: a word has no ``=`` or no key, or a key comes twice with different values.
    """
    pairs: dict[str, str] = {}
    for value in values:
        key, equals, content = value.partition("=")
        if not equals or not key.strip():
            raise UsageError(
                f"the {what} {printable(value)!r} is not of the form key=value",
            )
        if pairs.setdefault(key.strip(), content) != content:
            raise UsageError(f"the {what} {printable(key)!r} is given twice")
    return pairs


def _components(
    request: MergeRequest,
) -> tuple[tuple[Source, ...], tuple[Candidate, ...]]:
    _check_aliases(request.arch_aliases)
    if (request.template is None) == (not request.sources):
        raise UsageError(
            "the images to join are named either by a template or by sources",
            hint="give --template reg.example/app-ARCH:1.0, or --source once for each image",
        )
    if request.template is None:
        if request.platforms or request.arch_aliases:
            raise UsageError(
                "platforms and architecture aliases go with a template; "
                "the platform of a source comes from the image itself",
                hint="leave out --platforms and --arch-alias, or use --template",
            )
        return tuple(Source(parse_reference(text)) for text in request.sources), ()
    platforms = [parse_platform(text) for text in request.platforms]
    _check_distinct(platforms)
    if not platforms:
        return (), candidates(request.template, request.arch_aliases)
    return tuple(
        Source(expand(request.template, platform, request.arch_aliases), platform)
        for platform in platforms
    ), ()


def _check_target(text: str) -> Reference:
    target = parse_reference(text)
    if target.digest:
        raise InvalidReferenceError(
            f"the target {text!r} has a digest, but the digest is what a merge finds out",
            hint=f"name a tag, for example {target.name}:{target.tag or 'latest'}",
        )
    if not target.tag:
        raise InvalidReferenceError(
            f"the target {text!r} has no tag",
            hint=f"say which tag to publish, for example {text}:latest",
        )
    return target


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
                "(copy_layers=True in Python), push the image there first, or name a target in "
                "the images' own registry",
            )


def _check_lists(request: MergeRequest) -> None:
    """Refuse a text where a list of them belongs: it would be taken letter by letter."""
    for what in ("sources", "platforms", "tags"):
        words = getattr(request, what)
        if isinstance(words, str):
            raise UsageError(
                f"the {what} are the text {printable(words)!r} rather than a list of texts",
                hint=f"write [{printable(words)!r}]",
            )


def _check_texts(platforms: Iterable[Platform]) -> None:
    """Refuse platforms that no index could say; those of a spec are otherwise as they like."""
    for platform in platforms:
        words = (platform.os, platform.architecture, platform.variant, platform.os_version)
        if any(
            printable(word, limit=len(word)) != word for word in (*words, *platform.os_features)
        ):
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


def _check_choice(what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(
            f"{printable(value)!r} is not a {what}", hint=f"choose one of {', '.join(choices)}"
        )


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
    for key, value in annotations.items():
        try:
            "".join((key, value)).encode()
        except (TypeError, UnicodeEncodeError) as error:
            raise UsageError(f"the annotation {printable(str(key))!r} is not text") from error


def _untagged(template: str | None, references: Sequence[Reference]) -> tuple[str, ...]:
    untagged = [str(name) for name in references if not name.tag and not name.digest]
    if untagged and template is not None:
        untagged = [template]  # once, and not for every image that may not even be there
    return tuple(f"{name} has no tag; latest is used" for name in untagged)


def _with_default_tag(reference: Reference) -> Reference:
    return reference if reference.tag or reference.digest else reference.with_tag("latest")
