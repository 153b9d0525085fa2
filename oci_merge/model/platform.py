"""Parses, normalizes and compares platforms (OCI image spec, "Image Index", ``platform``).

The normal form is containerd's, so that runtimes find what is published.
"""

from __future__ import annotations

import re
from dataclasses import replace

from oci_merge._frozen import frozen
from oci_merge._text import printable
from oci_merge.errors import InvalidPlatformError
from oci_merge.model.platform_names import (
    ARCHITECTURES,
    SYSTEMS,
    has_variant,
    misplaced,
    names_variant,
    normal_names,
    plain_variant,
)
from oci_merge.model.slips import platform_hint

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@frozen
class Platform:
    """The platform of an image (OCI image spec, "Image Index", ``platform``).

    Attributes:
        os: the operating system by its GOOS name, for example ``linux``.
        architecture: the CPU by its GOARCH name, for example ``arm64``.
        variant: the CPU's variant, for example ``v7``, or an empty string.
        os_version: the system's version, for example ``10.0.20348.2227`` (Windows), or an empty
            string.
        os_features: features that the system has to have, for example ``("win32k",)``.
    """

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = "/".join(part for part in (self.os, self.architecture, self.variant) if part)
        return f"{text} ({self.os_version})" if self.os_version else text

    @property
    def is_known(self) -> bool:
        """Whether os and architecture are given; ``unknown/unknown`` of attestations counts."""
        return bool(self.os and self.architecture)


def parse_platform(text: str) -> Platform:
    """Parse ``os/architecture`` or ``os/architecture/variant``.

    Args:
        text: for example ``linux/arm/v7``.

    Returns:
        The platform as written, not normalized.

    Raises:
        InvalidPlatformError: the text does not have two or three parts, or a part is no name.
    """
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(_PART.fullmatch(part) for part in parts):
        raise InvalidPlatformError(
            f"{printable(text)!r} is not a platform",
            hint=platform_hint(text),
        )
    return Platform(parts[0], parts[1], parts[2] if len(parts) == 3 else "")


def normalize(platform: Platform) -> Platform:
    """Return the platform in containerd's normal form.

    ``linux/x86_64`` becomes ``linux/amd64``, ``linux/arm64/v8`` becomes ``linux/arm64``, and
    ``linux/arm`` becomes ``linux/arm/v7``. Version and features of the system are kept.
    """
    os, architecture, variant = normal_names(platform.os, platform.architecture, platform.variant)
    return replace(platform, os=os, architecture=architecture, variant=variant)


def possible(platform: Platform) -> Platform:
    """Return the platform in normal form, without a variant that its architecture does not have.

    ``linux/amd64/v8`` becomes ``linux/amd64``: no client looks for it.
    """
    normal = normalize(platform)
    if has_variant(normal.architecture, normal.variant):
        return normal
    return normalize(replace(normal, variant=""))


def findable(platform: Platform) -> Platform:
    """Return the platform as it is written, as far as clients find that; else the normal form.

    ``linux/arm64/v8`` and ``linux/arm`` stay, since every client finds them; ``linux/x86_64`` and
    ``linux/arm/7`` do not. A name that is not known stays, too.
    """
    normal = possible(platform)
    if normal.os not in SYSTEMS:
        normal = replace(normal, os=platform.os)
    if normal.architecture not in ARCHITECTURES:
        return replace(normal, architecture=platform.architecture, variant=platform.variant)
    if normal.architecture == "arm64" and not normal.variant and platform.variant.lower() == "v8":
        return replace(normal, variant="v8")
    if normal.architecture == "arm" and not says_variant(platform):
        return replace(normal, variant="")
    return normal


def impossible_part(platform: Platform) -> str:
    """Return what of a platform no platform is called, in words; an empty string if it is fine.

    Other spellings of a name, such as ``x86_64`` or variant ``7``, are fine.
    """
    if misplaced(platform.architecture):
        return f"architecture {printable(platform.architecture)!r}"
    if not platform.variant or names_variant(platform.architecture):
        return ""
    normal = normalize(platform)
    plain = plain_variant(platform.variant, normal.variant)
    # Containerd drops whatever variant an i386 has.
    dropped = normal.architecture == "386" and not normal.variant
    if plain and has_variant(normal.architecture, normal.variant) and not dropped:
        return ""
    return f"variant {printable(platform.variant)!r}"


def agrees(requested: Platform, found: Platform) -> bool:
    """Say whether an image of platform ``found`` is an image for ``requested``.

    Both are compared in normal form. Without a requested variant, every variant agrees. The
    version of the operating system is not compared: users name ``windows/amd64`` and leave the
    version to the image.
    """
    want, have = normalize(requested), normalize(found)
    if (want.os, want.architecture) != (have.os, have.architecture):
        return False
    # By ``requested`` and not by its normal form, in which a plain ``arm`` has become v7.
    return not says_variant(requested) or want.variant == have.variant


def resolve_platform(requested: Platform, found: Platform) -> Platform:
    """Return the platform to publish: ``requested``, with gaps filled from ``found``.

    Args:
        requested: the platform that the user asked for.
        found: the platform that the image's config, or its index, declares.

    Returns:
        The platform in normal form. The variant is taken from ``found`` if that is of the same
        system and architecture, version and features if it is of the same system.
    """
    want, have = normalize(requested), normalize(found)
    if want.os != have.os:
        return want
    same_architecture = want.architecture == have.architecture
    takes_variant = same_architecture and not says_variant(requested)
    return replace(
        want,
        variant=have.variant if takes_variant else want.variant,
        os_version=want.os_version or have.os_version,
        os_features=want.os_features or have.os_features,
    )


def has_gap(platform: Platform) -> bool:
    """Say whether an entry of an index leaves out what its image's config may say.

    That is an arm's variant, and the version and features of Windows (OCI image spec, "Image
    Index"). An amd64 or arm64 without a variant has none: it is the base, which every client finds.
    """
    normal = normalize(platform)
    if normal.os == "windows":
        return not (platform.os_version and platform.os_features)
    return normal.architecture == "arm" and not says_variant(platform)


def fill_gaps(entry: Platform, config: Platform) -> Platform:
    """Return the platform of an index's entry, with its gaps filled from the image's config.

    Nothing that the entry says is replaced, and nothing is taken from a config of another system
    or, for the variant, another architecture. The names are kept as they are written.
    """
    normal, found = normalize(entry), normalize(config)
    if normal.os != found.os:
        return entry
    takes_variant = (
        normal.architecture == found.architecture == "arm"
        and not says_variant(entry)
        and says_variant(config)
    )
    return replace(
        entry,
        variant=(config.variant or found.variant) if takes_variant else entry.variant,
        os_version=entry.os_version or config.os_version,
        os_features=entry.os_features or config.os_features,
    )


def resolve_platform_as_written(requested: Platform, found: Platform) -> Platform:
    """Return the platform that manifest-tool publishes: as ``resolve_platform``, not normalized.

    The variant is taken from ``found`` if that is of the same architecture.
    """
    os = requested.os or found.os
    architecture = requested.architecture or found.architecture
    # Only the comparison normalizes: ``x86_64`` in a config is ``amd64``, but stays as written.
    same_architecture = normalize(Platform(os, architecture)).architecture == (
        normalize(found).architecture
    )
    return Platform(
        os,
        architecture,
        requested.variant or (found.variant if same_architecture else ""),
        requested.os_version or found.os_version,
        requested.os_features or found.os_features,
    )


def unknown_platform(platform: Platform) -> str:
    """Return a warning if Go does not know the platform's os or architecture, else an empty string.

    It is a warning and no error, since new platforms appear before new versions of oci-merge. The
    warning suggests a known name that is spelt alike.
    """
    normal = normalize(platform)
    checked = ((normal.os, SYSTEMS), (normal.architecture, ARCHITECTURES))
    unknown = [(name, known) for name, known in checked if name and name not in known]
    # unknown/unknown is what attestations declare.
    if not unknown or normal.os == normal.architecture == "unknown":
        return ""
    # Imported here, since most runs warn of nothing and start faster without it.
    from difflib import get_close_matches

    similar = [close[0] for name, known in unknown if (close := get_close_matches(name, known, 1))]
    suggestion = f"; did you mean {' and '.join(similar)}?" if similar else ""
    return f"{printable(str(platform))} is not a platform that is known{suggestion}"


def says_variant(platform: Platform) -> bool:
    """Say whether a platform names a variant, by itself or by an architecture such as ``armhf``."""
    return bool(platform.variant) or names_variant(platform.architecture)
