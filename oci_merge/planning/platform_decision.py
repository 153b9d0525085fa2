"""Decides under which platform an image is published. Pure.

The platform that the user asked for wins. The caller says whether an image that declares another
one is an error, a warning or neither.
"""

from __future__ import annotations

from oci_merge._text import printable
from oci_merge.errors import ManifestError, PlatformMismatchError
from oci_merge.model.platform import (
    Platform,
    agrees,
    normalize,
    resolve_platform,
    resolve_platform_as_written,
    says_variant,
    unknown_platform,
)
from oci_merge.options import PlatformCheck
from oci_merge.planning.component import Component


def decide_platform(
    component: Component, declared: Platform, check: PlatformCheck, *, as_written: bool = False
) -> tuple[Platform, str]:
    """Decide under which platform an image is published.

    Args:
        component: the image.
        declared: the platform that its config, or the source index, declares.
        check: ``error``, ``warn`` or ``off``: what happens if the image declares another platform
            than the requested one.
        as_written: publish platforms as they are written, as manifest-tool does, and not in normal
            form.

    Returns:
        The platform, and a warning or an empty string.

    Raises:
        PlatformMismatchError: the platforms differ, and ``check`` is ``error``.
        ManifestError: no platform was requested, and the image declares none.
    """
    requested = component.requested
    if not declared.is_known and not (requested and requested.is_known):
        raise ManifestError(
            f"{component.name} does not say which os and architecture it is for",
            hint="give its platform with --template and --platforms or in a spec, or rebuild it "
            "with a builder that writes both into the config",
        )
    published = _published(requested, declared, as_written=as_written)
    if (
        requested is None
        or not requested.is_known
        or not declared.is_known
        or agrees(requested, declared)
    ):
        silent = as_written or (requested is not None and says_variant(requested))
        warning = "" if silent else _variant_warning(component, declared)
        return published, warning or _unknown_warning(component, declared)
    if check == "error":
        raise PlatformMismatchError(
            f"{component.name} was asked for as {requested}, "
            f"but the image says that it is {printable(str(declared))}",
            hint="build it for the right platform, or accept it with --platform-check=warn",
        )
    # Published as requested all the same: wrongly labelled configs are common, since builders
    # copy the base image's, and pipelines rely on this.
    warning = (
        f"{component.name} says that it is {printable(str(declared))}; "
        f"it is published as {requested}, as asked"
    )
    return published, warning if check == "warn" else ""


def _published(requested: Platform | None, declared: Platform, *, as_written: bool) -> Platform:
    if as_written:
        return resolve_platform_as_written(requested or Platform("", ""), declared)
    return normalize(declared) if requested is None else resolve_platform(requested, declared)


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
