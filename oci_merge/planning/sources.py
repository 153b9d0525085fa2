"""Checks the images to join, as a merge names them: by a template, by sources or in files. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from oci_merge._text import printable
from oci_merge.errors import InvalidPlatformError, UsageError
from oci_merge.model.digest import is_bare_digest
from oci_merge.model.platform import Platform, agrees, normalize, parse_platform, says_variant
from oci_merge.model.reference import Reference, parse_reference
from oci_merge.model.slips import several_hint
from oci_merge.options import MergeKeywords
from oci_merge.planning.job import Candidate, Source
from oci_merge.planning.targets import asked_targets
from oci_merge.planning.template import candidates, expand

if TYPE_CHECKING:
    from oci_merge.planning.builder_output import BuiltImage

_ALIAS_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def components(
    target: str | Reference | None, asked: MergeKeywords, built: Sequence[BuiltImage]
) -> tuple[tuple[Source, ...], tuple[Candidate, ...]]:
    """Check the images to join, and their platforms.

    Args:
        target: the tag to publish, if no keyword has it; where images of files may be.
        asked: the keywords of the merge, from ``checked``.
        built: what the files of ``source_files`` name.

    Returns:
        The images to join, or else where to look for them.

    Raises:
        UsageError: a name, a platform or what goes together is not valid.
    """
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
            targets = [each.reference for each in asked_targets(target, asked)]
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
