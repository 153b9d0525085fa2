"""Decides under which platform an image is published. Pure.

The platform that the user asked for wins. The caller says whether an image that declares another
one is an error, a warning or neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from oci_merge._text import listed, printable
from oci_merge.errors import ManifestError, PlatformMismatchError, PlatformNotFoundError
from oci_merge.model.platform import (
    Platform,
    agrees,
    findable,
    impossible_part,
    normalize,
    possible,
    resolve_platform,
    resolve_platform_as_written,
    says_variant,
    unknown_platform,
)
from oci_merge.options import PlatformCheck
from oci_merge.planning.component import Component
from oci_merge.planning.job import Job


def decide_platform(
    component: Component,
    declared: Platform,
    check: PlatformCheck,
    *,
    found_as: Platform | None = None,
    as_written: bool = False,
) -> tuple[Platform, str]:
    """Decide under which platform an image is published.

    Args:
        component: the image.
        declared: the platform that its config, or the source index, declares.
        check: ``error``, ``warn`` or ``off``: what happens if the image declares another platform
            than the requested one.
        found_as: what the name says by which the image was found, see ``job.Candidate.named``.
        as_written: publish platforms as they are written, as manifest-tool does, and not in normal
            form, as far as clients find them so.

    Returns:
        The platform, and a warning or an empty string.

    Raises:
        PlatformMismatchError: the platforms differ, or one has a part that no platform has, and
            ``check`` is ``error``.
        ManifestError: no platform was requested, and the image declares none.
    """
    requested = component.requested or _named(found_as, declared)
    _check_known(component, requested, declared)
    published = _published(requested, declared, as_written=as_written)
    if (
        requested is not None
        and requested.is_known
        and declared.is_known
        and not agrees(requested, declared)
    ):
        return published, _contradiction(component, requested, declared, published, check)
    if wrong := _impossible_warning(component, requested, declared):
        return published, _checked(check, wrong, f"{wrong}; it is published as {_shown(published)}")
    if as_written and (warning := _spelling_warning(component, requested, declared, published)):
        return published, warning
    silent = as_written or (requested is not None and says_variant(requested))
    warning = "" if silent else _variant_warning(component, declared)
    return published, warning or _unknown_warning(component, declared)


def check_selected(job: Job, platforms: Sequence[tuple[Component, Platform]]) -> list[str]:
    """Check that what was selected from the sources is what was asked for.

    Args:
        job: the job; its sources say which platforms to select.
        platforms: the components, with the platforms under which they are published.

    Returns:
        Warnings about sources that give nothing.

    Raises:
        PlatformMismatchError: a source is a single image of none of the platforms.
        PlatformNotFoundError: a platform was not found in any source.
    """
    asked = dict.fromkeys(platform for source in job.sources for platform in source.among)
    if not asked:
        return []
    images = [pair for pair in platforms if pair[0].is_image]
    # Its blobs are mounted by now, so that it cannot be left out any more.
    for component, platform in images:
        if not any(agrees(wanted, platform) for wanted in asked):
            raise PlatformMismatchError(
                f"{component.name} is {_shown(platform)}, which is not among the platforms "
                f"asked for: {listed([str(wanted) for wanted in asked])}",
                hint="leave the source out, or add its platform to --platforms",
            )
    missing = [
        str(wanted)
        for wanted in asked
        if not any(agrees(wanted, platform) for _, platform in images)
        and wanted not in job.optional
    ]
    if missing:
        raise PlatformNotFoundError(
            f"none of the sources has {listed(missing)}",
            hint="name a source that has it, or say it with --source REFERENCE=PLATFORM",
        )
    used = {component.source for component, _ in images}
    return [
        f"{source.reference} has none of the platforms asked for"
        for source in job.sources
        if source not in used and not source.is_optional
    ] + [
        f"{wanted} is left out: it is optional, and no source has it"
        for wanted in asked
        if wanted in job.optional and not any(agrees(wanted, platform) for _, platform in images)
    ]


def _is_unknown(platform: Platform) -> bool:
    return platform.os == platform.architecture == "unknown"


def _as_asked(component: Component, requested: Platform, published: Platform) -> str:
    """Return what an image is published as, and that this is for what was asked for or named."""
    if (requested.os, requested.architecture, requested.variant) == (
        published.os,
        published.architecture,
        published.variant,
    ):
        return f"{_shown(requested)}, {'as asked' if component.requested else 'as it is named'}"
    manner = "asked for" if component.requested else "named"
    return f"{_shown(published)} ({manner} as {_shown(requested)})"


def _shown(platform: Platform) -> str:
    return printable(str(platform))


def _check_known(component: Component, requested: Platform | None, declared: Platform) -> None:
    """Refuse an image whose platform nobody says.

    Raises:
        ManifestError: there is no platform, or one that no client runs.
    """
    if not normalize(declared).is_known and not (requested and normalize(requested).is_known):
        raise ManifestError(
            f"{component.name} does not say which os and architecture it is for",
            hint="give its platform with --template and --platforms, with --source REF=PLATFORM or "
            "in a spec, or rebuild it with a builder that writes both into the config",
        )
    if component.descriptor is None and requested is None and _is_unknown(declared):
        raise ManifestError(
            f"{component.name} says that it is for unknown/unknown, as an attestation does, and "
            "no client runs that",
            hint="name the image, whose attestations come with it, or say a platform with "
            "--source REF=PLATFORM",
        )


def _contradiction(
    component: Component,
    requested: Platform,
    declared: Platform,
    published: Platform,
    check: PlatformCheck,
) -> str:
    """Return the warning that an image says another platform than was asked for.

    Raises:
        PlatformMismatchError: the check says that it is an error.
    """
    warning = (
        f"{component.name} says that it is {_shown(declared)}; it is published as "
        f"{_as_asked(component, requested, published)}"
    )
    refusal = (
        f"{component.name} was asked for as {_shown(requested)}, "
        f"but the image says that it is {_shown(declared)}"
    )
    # Published as requested all the same: wrongly labelled configs are common, since builders
    # copy the base image's, and pipelines rely on this.
    return _checked(check, refusal, warning if check == "warn" else "")


def _checked(check: PlatformCheck, refusal: str, warning: str) -> str:
    """Return the warning.

    Raises:
        PlatformMismatchError: the check says that it is an error.
    """
    if check == "error":
        raise PlatformMismatchError(
            refusal, hint="build it for the right platform, or accept it with --platform-check=warn"
        )
    return warning


def _named(found_as: Platform | None, declared: Platform) -> Platform | None:
    """Return what the name of an image asks for; a name without an os leaves that to the image."""
    return replace(found_as, os=found_as.os or declared.os) if found_as else None


def _published(requested: Platform | None, declared: Platform, *, as_written: bool) -> Platform:
    if as_written:
        return findable(resolve_platform_as_written(requested or Platform("", ""), declared))
    if requested is None:
        return possible(declared)
    return possible(resolve_platform(requested, possible(declared)))


def _impossible_warning(
    component: Component, requested: Platform | None, declared: Platform
) -> str:
    """Say what is written as a part of the image's platform and is none, or return nothing."""
    if requested is not None and (part := impossible_part(requested)):
        return f"{component.name} was asked for with {part}, which no {_kind(requested)} has"
    if part := impossible_part(declared):
        where = "index" if component.descriptor else "config"
        return f"the {where} of {component.name} says {part}, which no {_kind(declared)} has"
    return ""


def _kind(platform: Platform) -> str:
    return printable(normalize(platform).architecture)


def _spelling_warning(
    component: Component, requested: Platform | None, declared: Platform, published: Platform
) -> str:
    written = resolve_platform_as_written(requested or Platform("", ""), declared)
    if written == published:
        return ""
    return (
        f"{component.name} is published as {_shown(published)}, since as "
        f"{_shown(written)} no client finds it"
    )


def _unknown_warning(component: Component, declared: Platform) -> str:
    # A requested platform was checked, and warned of, before the first request.
    unknown = "" if component.requested else unknown_platform(declared)
    return f"{component.name}: {unknown}" if unknown else ""


def _variant_warning(component: Component, declared: Platform) -> str:
    if normalize(declared).architecture != "arm" or says_variant(declared):
        return ""
    return (
        f"{component.name} is for {printable(declared.os)}/arm and does not say which variant; "
        "it is published as v7"
    )
