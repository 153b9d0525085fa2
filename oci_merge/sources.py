"""What the user asks for, checked as far as it can be before the first request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from oci_merge.errors import InvalidReferenceError, OciMergeError, UsageError
from oci_merge.platforms import Platform, parse_platform
from oci_merge.reference import Reference, check_tag, parse_reference
from oci_merge.template import Candidate, candidates, expand
from oci_merge.text import printable

ListFormat = Literal["auto", "oci", "docker"]
PlatformCheck = Literal["warn", "error", "off"]

_ALIAS_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Source:
    """An image to join.

    Attributes:
        reference: where it is.
        platform: the platform asked for, or None where the image itself says it.
    """

    reference: Reference
    platform: Platform | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A merge whose every name has been checked.

    Attributes:
        target: the target, with its tag.
        tags: every tag to publish, the target's own first, each once.
        sources: the images to join, in order; empty where they have to be looked for.
        candidates: where to look for images; empty where ``sources`` says it.
        annotations: annotations of the index.
        format: as in the request.
        platform_check: as in the request.
        warnings: what the user should know, in sentences.
    """

    target: Reference
    tags: tuple[str, ...]
    sources: tuple[Source, ...]
    candidates: tuple[Candidate, ...]
    annotations: Mapping[str, str]
    format: ListFormat
    platform_check: PlatformCheck
    warnings: tuple[str, ...]

    @property
    def repositories(self) -> tuple[str, ...]:
        """The repositories that are read, each once, in order."""
        references = [source.reference for source in self.sources]
        references += [candidate.reference for candidate in self.candidates]
        return tuple(dict.fromkeys(reference.repository for reference in references))


def check_request(request: MergeRequest) -> Job:
    """Check every name, tag, platform and annotation of a request.

    Raises:
        UsageError: something is wrong; the error says what and what to do.
    """
    _check_choice("format", request.format, get_args(ListFormat))
    _check_choice("platform check", request.platform_check, get_args(PlatformCheck))
    target = _check_target(request.target)
    tags = tuple(dict.fromkeys([target.identifier, *(check_tag(tag) for tag in request.tags)]))
    _check_annotations(request.annotations, request.format)
    sources, looked_for = _components(request)
    references = [source.reference for source in sources]
    references += [candidate.reference for candidate in looked_for]
    _check_one_registry(target, references)
    return Job(
        target=target,
        tags=tags,
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
        warnings=_untagged(references),
    )


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


def _check_one_registry(target: Reference, references: Sequence[Reference]) -> None:
    for reference in references:
        if reference.registry != target.registry:
            raise UsageError(
                f"{reference} is in the registry {reference.registry}, "
                f"but the target {target} is in {target.registry}",
                hint="blobs are mounted within one registry: push the image there first, "
                "or name a target in the images' own registry",
            )


def _check_distinct(platforms: Sequence[Platform]) -> None:
    for index, platform in enumerate(platforms):
        if platform in platforms[:index]:
            raise UsageError(f"the platform {platform} is asked for twice")


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
        raise docker_annotations_error()
    for key, value in annotations.items():
        try:
            f"{key}{value}".encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"the annotation {printable(key)!r} is not valid text") from error


def docker_annotations_error() -> OciMergeError:
    """Return the error for annotations on a Docker manifest list, which has no room for them."""
    return UsageError(
        "a Docker manifest list cannot carry annotations",
        hint="use --format oci, or leave the annotations out",
    )


def _untagged(references: Sequence[Reference]) -> tuple[str, ...]:
    return tuple(
        f"{reference} has no tag; latest is used"
        for reference in references
        if not reference.tag and not reference.digest
    )


def _with_default_tag(reference: Reference) -> Reference:
    return reference if reference.tag or reference.digest else reference.with_tag("latest")
